//! What a saga's owner adds to the audit: promises that speak of its own things, and how its own databases are read.

use crate::coverage::Part;
use crate::databases::tables::Range;
use crate::databases::{Databases, ReadError, Sagas};
use crate::evidence::Evidence;
use crate::invariant::Invariant;
use crate::own::Own;
use async_trait::async_trait;
use std::collections::BTreeSet;

/// Takes evidence that belongs to no single saga; mode and coverage are added by whoever takes it.
pub type Take<'a> = &'a mut (dyn FnMut(Evidence) + Send);

/// A domain beside the engine. The engine's own evidence is read by the engine; its ledgers too, of any participant.
#[async_trait]
pub trait Domain: Send + Sync {
    /// Its invariants.
    fn invariants(&self) -> Vec<&'static dyn Invariant>;

    /// The parts of evidence that it can read here.
    fn parts(&self) -> Vec<Part>;

    /// Adds to the sagas of a page, whose ids are in `range`, what is known of them. Whatever else names a saga of the range
    /// is added as one more. Read after rows, journals and ledgers.
    async fn of_sagas(&self, range: &Range, sagas: &mut Sagas) -> Result<(), ReadError>;

    /// What belongs to no single saga, page after page; which sagas it names, by [`crate::databases::keys::references`].
    async fn at_large(&self, databases: &Databases, take: Take<'_>) -> Result<(), ReadError>;

    /// What is known of the business keys that clients spoke of.
    async fn of_keys(&self, keys: &BTreeSet<&str>, own: &mut Own) -> Result<(), ReadError>;
}
