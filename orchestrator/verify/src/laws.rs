//! The engine's invariants, for any saga: pure, each in a few lines, each shown to fail by a planted lie.

pub mod effects;
pub mod end;
pub mod existence;
pub mod history;
pub mod journal;
pub mod rest;
pub mod sending;
pub mod surroundings;

use crate::invariant::Law;

/// Every one of them, in the order of the invariants.
pub const LAWS: &[Law] = &[
    existence::SAGA_EXISTS,
    existence::FORGOTTEN_WHOLE,
    existence::NAMED_SAGAS,
    history::KEPT_PROMISES,
    existence::START_KEY,
    existence::ONE_SAGA,
    history::ONE_SAGA_A_REQUEST,
    effects::ONE_PARTICIPANT,
    effects::UNDO_HAS_ACTION,
    journal::REVERSE_ORDER,
    journal::NOTHING_PAST_PIVOT,
    end::COMPLETED,
    end::COMPENSATED,
    journal::FINALITY,
    journal::REPLAY,
    surroundings::CHAIN,
    journal::ONE_WRITER,
    sending::ORDERED_BEFORE_SENT,
    sending::LOOKED_AT,
    sending::SENT_AGAIN,
    journal::REPLY_MATCHES_LEDGER,
    history::READS_GO_FORWARD,
    rest::AT_REST,
    rest::NOT_OVERDUE,
    surroundings::LETTERS_SENT,
    surroundings::QUEUES_EMPTY,
    history::REFUSALS_LEFT_NOTHING,
    surroundings::QUARANTINE,
    surroundings::LEAKS,
    surroundings::UPGRADE,
    journal::DOUBT_IS_NO_ANSWER,
    history::DOUBT_WAS_TOLD,
];
