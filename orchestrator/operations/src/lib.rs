//! Operations: what operators' own work is kept in, beside the sagas and in the same database. Sagas never depend on it: an
//! orchestrator without operations drives them all the same.
//!
//! | room | what it holds |
//! |---|---|
//! | [`audit`] | every act of an operator, in one chain |
//! | [`holds`] | definitions and participants that are halted |
//! | [`jobs`] | one action for many sagas |
//! | [`letters`] | dead letters, until an operator decides |
//! | [`incidents`] | stuck sagas, and whether somebody was told |
//! | [`instances`] | which orchestrators there are |
//! | [`gauges`] | figures about what lies about |
//! | [`reason`], [`refusal`] | why something is refused: names for programs, sentences for people |
//! | [`workers`] | what is done about all that |
//! | [`sql`], [`memory`] | the two implementations |
//! | [`conformance`] | the suite that both pass |

pub mod audit;
pub mod claims;
pub mod conformance;
pub mod gauges;
pub mod holds;
pub mod incidents;
pub mod instances;
pub mod jobs;
pub mod letters;
pub mod memory;
pub mod reason;
pub mod refusal;
pub mod sql;
pub mod workers;

use audit::{AuditLog, NewAudit};
use baton_engine::hold_policy::{Held, HoldCache};
use baton_engine::store::StoreError;
use gauges::Gauges;
use holds::{Hold, HoldStore, Placed};
use incidents::IncidentStore;
use instances::InstanceStore;
use jobs::JobStore;
use letters::LetterStore;
use saga_core::time::Micros;
use std::ops::Deref;
use std::sync::Arc;

/// What operators' own work is kept in: one small trait for each kind of it. It shares its state with a
/// [`baton_engine::store::SagaStore`], whose commits write audit entries and marks of holds. Every implementation passes
/// [`conformance`].
pub trait OpsStore:
    AuditLog + HoldStore + JobStore + LetterStore + IncidentStore + InstanceStore + Gauges + Send + Sync + 'static
{
    /// The database's clock, as it was last measured.
    fn now(&self) -> Micros;
}

/// Operations as one process sees them: what is kept, and the holds that this process knows of. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Operations {
    store: Arc<dyn OpsStore>,
    known: Arc<HoldCache>,
}

impl Operations {
    /// Operations that are kept there.
    #[must_use]
    pub fn new(store: Arc<dyn OpsStore>) -> Self {
        Self { store, known: Arc::default() }
    }

    /// Who holds a definition and why, as far as this process knows: see [`Operations::holds`].
    #[must_use]
    pub fn held(&self, definition: &str) -> Option<(String, String)> {
        self.known.of(&Held::Definition(definition.to_owned()))
    }

    /// The holds that this process knows of; every clone shares them.
    #[must_use]
    pub fn known_holds(&self) -> Arc<HoldCache> {
        self.known.clone()
    }

    /// All holds, by name. What is read is known from then on.
    pub async fn holds(&self) -> Result<Vec<Hold>, StoreError> {
        let holds = self.store.holds().await?;
        let standing = holds.iter().filter(|hold| hold.release.is_none());
        let standing = standing.map(|hold| (hold.held.clone(), (hold.actor.clone(), hold.reason.clone())));
        self.known.replace(standing.collect());
        Ok(holds)
    }

    /// Holds something, see [`HoldStore::hold`], and knows of it.
    pub async fn hold(&self, hold: Hold, act: NewAudit) -> Result<Placed, StoreError> {
        let placed = self.store.hold(hold, act).await?;
        self.holds().await?;
        Ok(placed)
    }

    /// Begins to release a hold, see [`HoldStore::release`], and knows of it.
    pub async fn release(&self, held: Held, act: NewAudit) -> Result<Placed, StoreError> {
        let placed = self.store.release(held, act).await?;
        self.holds().await?;
        Ok(placed)
    }
}

/// Everything that does not change what this process knows goes straight to what is kept.
impl Deref for Operations {
    type Target = dyn OpsStore;

    fn deref(&self) -> &Self::Target {
        &*self.store
    }
}
