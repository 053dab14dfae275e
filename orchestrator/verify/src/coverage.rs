//! What a source of evidence can give, and when it looks.

use std::collections::BTreeSet;

/// When an audit happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Nothing moves any more: everything is checked.
    #[default]
    AtRest,
    /// Sagas are moving: only what holds at any moment is checked.
    Live,
    /// At rest after a run in which every client is known and no operator is needed: what is parked has not ended.
    Finished,
}

/// A kind of evidence that a source can give or not, worded as a report names it where it is missing. Whoever adds evidence
/// of its own adds parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part(pub &'static str);

/// Which sagas there are, and where each stands.
pub const SAGAS: Part = Part("the sagas");
/// Their rows as stored, and their journals.
pub const JOURNALS: Part = Part("the journals");
/// The ledger of at least one participant.
pub const LEDGERS: Part = Part("the participants' ledgers");
/// Who holds which start key.
pub const START_KEYS: Part = Part("the start keys");
/// The depths of the broker's queues.
pub const QUEUES: Part = Part("the depths of the broker's queues");
/// Messages in quarantine.
pub const DEAD_LETTERS: Part = Part("the dead letters");
/// What processes wrote.
pub const LOGS: Part = Part("logs");
/// What clients asked and were told.
pub const HISTORY: Part = Part("a history of what clients were told");
/// Nothing writes one: whoever can write to the database can rewrite a journal.
pub const HASH_CHAIN: Part = Part("journals that are chained by hashes, which none are yet");
/// Of an upgrade.
pub const TWO_BUILDS: Part = Part("two builds; one installation cannot tell");

/// What a source gives: what is not covered is not known, which is not the same as missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The parts that were read.
    pub parts: BTreeSet<Part>,
    /// Participants whose ledgers were read.
    pub ledgers: BTreeSet<String>,
}

impl Coverage {
    /// Of these parts and these participants' ledgers.
    #[must_use]
    pub fn of(parts: &[Part], ledgers: impl IntoIterator<Item = String>) -> Self {
        let ledgers: BTreeSet<String> = ledgers.into_iter().collect();
        let parts = parts.iter().copied().chain((!ledgers.is_empty()).then_some(LEDGERS));
        Self { parts: parts.collect(), ledgers }
    }

    /// True if this part was read.
    #[must_use]
    pub fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    /// True if this participant's ledger was read.
    #[must_use]
    pub fn has_ledger(&self, participant: &str) -> bool {
        self.ledgers.contains(participant)
    }
}
