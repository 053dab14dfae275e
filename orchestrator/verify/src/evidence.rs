//! What an audit looks at: plain values, no sockets, so that a test can plant any lie.
//!
//! A source reads as much as it can and says in its [`Coverage`] what that is. What belongs to one saga is its
//! [`SagaEvidence`]; a saga's owner puts what its own services hold beside it, as [`Own`] values.

use crate::coverage::{Coverage, Mode};
use crate::history::Call;
use crate::logs::Scan;
use crate::memory::Memory;
use crate::own::Own;
use crate::saga_evidence::SagaEvidence;
use crate::story::Story;
use baton_orchestrator::sagas::Registry;
use baton_query::filter::StateKind;
use saga_core::definition::Definition;
use saga_core::saga::{Saga, SagaId};
use std::any::Any;
use std::sync::Arc;

/// Evidence, whole or a page of it.
#[derive(Debug, Default)]
pub struct Evidence {
    /// When.
    pub mode: Mode,
    /// What its source gives.
    pub coverage: Arc<Coverage>,
    /// The orchestrators' clock when it was read, microseconds; `None` where no clock can be trusted.
    pub now_us: Option<i64>,
    /// Sagas.
    pub sagas: Vec<SagaEvidence>,
    /// Business keys of which at most one saga may be, and that more than one has, with how many.
    pub shared_keys: Vec<(String, i64)>,
    /// Start keys that were looked at for that, and for the sagas they name.
    pub start_keys: usize,
    /// Where sagas are named elsewhere; of start keys, only those whose saga is not there.
    pub references: Vec<Reference>,
    /// Depths of the broker's queues.
    pub queues: Vec<Queue>,
    /// Messages in quarantine.
    pub dead_letters: Vec<DeadLetter>,
    /// Logs, scanned.
    pub logs: Option<Scan>,
    /// What clients asked and were told.
    pub history: Vec<Call>,
    /// What is stored of what they asked for.
    pub memory: Memory,
    /// What owners of sagas know beside.
    pub own: Own,
}

impl Evidence {
    /// Nothing yet.
    #[must_use]
    pub fn new(mode: Mode, coverage: &Arc<Coverage>) -> Self {
        Self { mode, coverage: coverage.clone(), ..Self::default() }
    }

    /// Replays each saga's journal against the definition that `registry` has for it.
    #[must_use]
    pub fn replayed(mut self, registry: &Registry) -> Self {
        self.sagas.iter_mut().for_each(|saga| saga.replay(registry));
        self
    }

    /// One case for each saga.
    pub fn cases(&self) -> impl Iterator<Item = Case<'_>> {
        self.sagas.iter().map(|saga| Case {
            evidence: saga,
            definition: saga.saga_type.as_ref().map(|known| known.definition()),
            story: &saga.story,
            coverage: &self.coverage,
            mode: self.mode,
            now_us: self.now_us,
        })
    }
}

/// One saga with all that is known of it.
#[derive(Debug)]
pub struct Case<'a> {
    /// What was read.
    pub evidence: &'a SagaEvidence,
    /// Its definition, if the registry knows it.
    pub definition: Option<&'a Definition>,
    /// What its journal tells.
    pub story: &'a Story,
    /// What the source gives.
    pub coverage: &'a Coverage,
    /// When.
    pub mode: Mode,
    /// The orchestrators' clock when it was read, microseconds.
    pub now_us: Option<i64>,
}

impl<'a> Case<'a> {
    /// The row, if it was read and can be.
    #[must_use]
    pub fn saga(&self) -> Option<&'a Saga> {
        self.evidence.saga.row().map(|record| &record.saga)
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> Option<StateKind> {
        self.evidence.state()
    }

    /// Which of the two ends it has come to.
    #[must_use]
    pub fn ended(&self) -> Option<StateKind> {
        self.state().filter(|state| matches!(state, StateKind::Completed | StateKind::Compensated))
    }

    /// What the owner of this saga knows of it.
    #[must_use]
    pub fn own<T: Any>(&self) -> Option<&'a T> {
        self.evidence.own.get()
    }

    /// How findings name it: saga, and its business key if it has one.
    #[must_use]
    pub fn name(&self) -> String {
        match self.evidence.business_key() {
            "" => format!("saga {}", self.evidence.id),
            key => format!("saga {} ({key})", self.evidence.id),
        }
    }
}

/// A place outside the sagas that names one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// What names it, for example "a start key".
    pub by: String,
    /// Which saga.
    pub saga: SagaId,
    /// True if that saga exists or was forgotten.
    pub is_there: bool,
}

/// A queue of the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Messages in it, ready or unacknowledged.
    pub messages: u64,
}

/// A message in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Which queue it stands in.
    pub queue: String,
    /// Its message id, or empty.
    pub message: String,
    /// Why, if it says so.
    pub reason: Option<String>,
    /// True if somebody has decided to send it again, and it is not sent yet.
    pub unsent: bool,
}
