//! The invariants as laws over the dossier of one saga: pure, each in a few lines, each shown to fail by a planted lie.
//!
//! A law looks at what was read in the order [`super::databases`] tells, so that what it demands holds at any moment of a
//! running installation; laws that hold only at rest say so. Nothing here is a heuristic: a law that cannot decide says
//! nothing, and what it has looked at is counted.

pub mod effects;
pub mod end;
pub mod existence;
pub mod history;
pub mod journal;
pub mod money;
pub mod outbox;
pub mod rest;

use crate::databases::dossier::Dossier;
use crate::databases::pages::Coverage;
use crate::story::Story;
use saga_core::definition::Definition;
use saga_core::saga::Saga;

/// When an audit happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing moves any more: everything is checked.
    AtRest,
    /// Orders are moving: only what holds at any moment is checked.
    Live,
}

/// One saga with all that is known of it.
#[derive(Debug)]
pub struct Case<'a> {
    /// What the databases hold.
    pub dossier: &'a Dossier,
    /// Its definition, if this build knows it.
    pub definition: Option<&'a Definition>,
    /// What its journal tells.
    pub story: &'a Story,
    /// Which databases were read.
    pub coverage: &'a Coverage,
    /// When.
    pub mode: Mode,
    /// The orchestrator database's clock when the page was read, microseconds; `None` where no clock can be trusted.
    pub now_us: Option<i64>,
}

impl<'a> Case<'a> {
    /// The row, if it can be read.
    #[must_use]
    pub fn saga(&self) -> Option<&'a Saga> {
        self.dossier.saga.row().map(|record| &record.saga)
    }

    /// The row of a saga that has ended.
    #[must_use]
    pub fn ended(&self) -> Option<&'a Saga> {
        self.saga().filter(|saga| saga.has_ended())
    }

    /// How findings name it: saga, and its order if it has one.
    #[must_use]
    pub fn name(&self) -> String {
        match self.dossier.saga.row() {
            Some(record) if !record.business_key.is_empty() => {
                format!("saga {} (order {})", self.dossier.id, record.business_key)
            }
            _ => format!("saga {}", self.dossier.id),
        }
    }
}

/// What laws found in one case, and how much they looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Things looked at.
    pub looked: usize,
    /// What is broken, in a sentence that names the saga.
    pub broken: Vec<String>,
}

impl Found {
    /// Looks at one more thing; it is broken unless `holds`.
    pub fn expect(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        self.looked += 1;
        if !holds {
            self.broken.push(otherwise());
        }
    }
}

/// One check.
#[derive(Clone, Copy, Debug)]
pub struct Law {
    /// The invariant's id.
    pub id: &'static str,
    /// The promise, in a sentence; unique.
    pub name: &'static str,
    /// What it counts.
    pub unit: &'static str,
    /// True if it holds while orders move.
    pub live: bool,
    /// Looks at one case.
    pub check: fn(&Case<'_>, &mut Found),
}

/// Every law over one saga, in the order of the invariants.
pub const LAWS: &[Law] = &[
    existence::SAGA_EXISTS,
    existence::FORGOTTEN_WHOLE,
    existence::ORDER_EXISTS,
    existence::START_KEY,
    end::STOCK_OF_ORDER,
    money::PAYMENT_OF_ORDER,
    money::REFUND_ONCE,
    effects::ONE_PARTICIPANT,
    effects::EFFECT_AND_LEDGER,
    effects::UNDO_HAS_ACTION,
    effects::NO_LATE_ACTION,
    journal::REVERSE_ORDER,
    journal::NOTHING_PAST_PIVOT,
    end::COMPLETED,
    end::COMPENSATED,
    journal::FINALITY,
    journal::REPLAY,
    journal::ONE_WRITER,
    outbox::ORDERED_BEFORE_SENT,
    outbox::OUTBOX_ADDRESSED,
    journal::REPLY_MATCHES_LEDGER,
    rest::AT_REST,
    rest::NOT_OVERDUE,
    journal::DOUBT_IS_NO_ANSWER,
];

#[cfg(test)]
pub(crate) mod tests;
