//! All that is known of one saga.

use crate::own::Own;
use crate::story::{JournalRow, Story};
use baton_orchestrator::sagas::{Registry, SagaType};
use baton_orchestrator::store::{Holder, Record};
use baton_query::filter::StateKind;
use saga_core::saga::{Direction, SagaId};
use saga_core::time::Micros;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A row as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Read<T> {
    /// There is none.
    #[default]
    Missing,
    /// There is one that cannot be read, and why.
    Damaged(String),
    /// There is one.
    Row(T),
}

impl<T> Read<T> {
    /// The row, if it is there and readable.
    #[must_use]
    pub fn row(&self) -> Option<&T> {
        match self {
            Self::Row(row) => Some(row),
            Self::Missing | Self::Damaged(_) => None,
        }
    }
}

/// One row of a participant's ledger: a command answered for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The step, as stored.
    pub step: i64,
    /// 1 for an action, 2 for an undo.
    pub direction: i64,
    /// 1 for succeeded, 2 for rejected.
    pub outcome: i64,
    /// The attempt that brought the answer; 0 for a tombstone.
    pub attempt: i64,
    /// Why it was rejected, or empty.
    pub reason: String,
    /// When, microseconds by the participant's clock.
    pub created_at: i64,
}

impl Effect {
    /// The half it answers, if it is one.
    #[must_use]
    pub fn half(&self) -> Option<Direction> {
        match self.direction {
            1 => Some(Direction::Action),
            2 => Some(Direction::Undo),
            _ => None,
        }
    }

    /// True if the command was done.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.outcome == 1
    }
}

/// A saga as any client may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Where it stands.
    pub state: StateKind,
    /// Its business key, or empty.
    pub business_key: String,
}

/// All that is known of one saga. Parts that the source does not give are empty: see [`crate::coverage::Coverage`].
#[derive(Debug)]
pub struct SagaEvidence {
    /// Which saga.
    pub id: SagaId,
    /// Its row.
    pub saga: Read<Record>,
    /// When it is to be looked at, if ever; read with its row.
    pub look_at: Option<Micros>,
    /// What is seen of it from outside, where no row is read.
    pub outline: Option<Outline>,
    /// The state, as stored, in which retention met it and deleted it.
    pub forgotten: Option<i64>,
    /// Its journal, by version.
    pub journal: Vec<JournalRow>,
    /// Its rows in each participant's ledger.
    pub effects: BTreeMap<String, Vec<Effect>>,
    /// Who holds the start key that its business key is, if anybody does.
    pub start_key: Option<Holder>,
    /// What its owner's services hold about it; the name of whoever holds anything stands in `witnesses`.
    pub own: Own,
    /// What else speaks of it, in words: "reservations".
    pub witnesses: Vec<&'static str>,
    /// What the registry knows of its definition.
    pub saga_type: Option<Arc<dyn SagaType>>,
    /// What its journal tells.
    pub story: Story,
}

impl SagaEvidence {
    /// One about which nothing is known yet.
    #[must_use]
    pub fn new(id: SagaId) -> Self {
        Self {
            id,
            saga: Read::Missing,
            look_at: None,
            outline: None,
            forgotten: None,
            journal: Vec::new(),
            effects: BTreeMap::new(),
            start_key: None,
            own: Own::default(),
            witnesses: Vec::new(),
            saga_type: None,
            story: Story::default(),
        }
    }

    /// Its business key, or empty.
    #[must_use]
    pub fn business_key(&self) -> &str {
        let outline = || self.outline.as_ref().map(|outline| outline.business_key.as_str());
        self.saga.row().map(|record| record.business_key.as_str()).or_else(outline).unwrap_or_default()
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> Option<StateKind> {
        let row = self.saga.row().map(|record| StateKind::of(&record.saga.state));
        row.or_else(|| self.outline.as_ref().map(|outline| outline.state))
    }

    /// All ledger rows of one half-step, with the participants that hold them.
    pub fn effects_of(&self, step: u8, direction: Direction) -> impl Iterator<Item = (&str, &Effect)> {
        self.effects.iter().flat_map(move |(name, effects)| {
            let wanted = move |effect: &&Effect| effect.step == i64::from(step) && effect.half() == Some(direction);
            effects.iter().filter(wanted).map(move |effect| (name.as_str(), effect))
        })
    }

    /// Follows the journal by the definition that `registry` has for this saga.
    pub fn replay(&mut self, registry: &Registry) {
        let Some(saga) = self.saga.row().map(|record| &record.saga) else { return };
        self.saga_type = registry.pinned(&saga.definition).cloned();
        if let Some(known) = &self.saga_type {
            self.story = Story::of(known.definition(), self.id, &self.journal, saga.version);
        }
    }
}
