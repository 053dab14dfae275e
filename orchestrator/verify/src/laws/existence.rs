//! Laws of existence: what speaks of a saga finds it, with its order and its start key.

use super::{Case, Found, Law};
use crate::databases::ORDER;
use crate::databases::dossier::Found as Read;
use baton_orchestrator::api::start::fingerprint_of;
use baton_orchestrator::store::row::StateCode;
use saga_core::saga::Direction;

/// The step of the order saga that finds or creates its order.
const OPEN: &str = "order.open";

/// I1.
pub const SAGA_EXISTS: Law = Law {
    id: "I1",
    name: "every journal, ledger row, reservation and waiting command belongs to a saga that exists or was forgotten",
    unit: "sagas",
    live: true,
    check: saga_exists,
};

/// I1.
pub const FORGOTTEN_WHOLE: Law = Law {
    id: "I1",
    name: "what was forgotten had ended, and is gone with its journal",
    unit: "forgotten sagas",
    live: true,
    check: forgotten_whole,
};

/// I1.
pub const ORDER_EXISTS: Law = Law {
    id: "I1",
    name: "the order of every saga that opened it exists and names that saga",
    unit: "opened orders",
    live: true,
    check: order_exists,
};

/// I2.
pub const START_KEY: Law = Law {
    id: "I2",
    name: "every order saga holds its order's start key, with the fingerprint of its own content",
    unit: "order sagas",
    live: true,
    check: start_key,
};

fn saga_exists(case: &Case<'_>, found: &mut Found) {
    if !case.coverage.orchestrator {
        return;
    }
    let dossier = case.dossier;
    found.expect(dossier.saga != Read::Missing || dossier.forgotten.is_some(), || {
        let mut witnesses = Vec::new();
        if !dossier.journal.is_empty() {
            witnesses.push("a journal".to_owned());
        }
        witnesses.extend(dossier.effects.keys().map(|participant| format!("rows in {participant}'s ledger")));
        if !dossier.holds.is_empty() {
            witnesses.push("reservations".to_owned());
        }
        if !dossier.pending.is_empty() {
            witnesses.push("commands in the outbox".to_owned());
        }
        if dossier.closed {
            witnesses.push("a closed payment".to_owned());
        }
        format!("{} does not exist, but has {}", case.name(), witnesses.join(", "))
    });
}

/// Forgetting is one transaction: half of it is nobody's, and so is forgetting what may still move.
fn forgotten_whole(case: &Case<'_>, found: &mut Found) {
    let Some(state) = case.dossier.forgotten else { return };
    let ended = [StateCode::Completed, StateCode::Compensated].iter().any(|code| i64::from(*code as u8) == state);
    let mut problems = Vec::new();
    if !ended {
        problems.push(format!("had not ended (state {state})"));
    }
    if case.dossier.saga != Read::Missing {
        problems.push("still has its row".to_owned());
    }
    if !case.dossier.journal.is_empty() {
        problems.push("still has a journal".to_owned());
    }
    found.expect(problems.is_empty(), || format!("{} was forgotten, but {}", case.name(), problems.join(", ")));
}

fn order_exists(case: &Case<'_>, found: &mut Found) {
    let Some(step) = case.definition.and_then(|definition| definition.position(OPEN)) else { return };
    if !case.coverage.has(ORDER) || !case.story.succeeded((step, Direction::Action)) {
        return;
    }
    let problem = match &case.dossier.order {
        Read::Missing => Some("its order does not exist".to_owned()),
        Read::Damaged(why) => Some(format!("its order cannot be read: {why}")),
        Read::Row(order) if order.saga != Some(case.dossier.id.0) => Some("its order names another saga".to_owned()),
        Read::Row(_) => None,
    };
    found.expect(problem.is_none(), || format!("{}: {}", case.name(), problem.unwrap_or_default()));
}

fn start_key(case: &Case<'_>, found: &mut Found) {
    let Some(record) = case.dossier.saga.row() else { return };
    let saga = &record.saga;
    if saga.definition.name != baton_shop::saga::NAME {
        return;
    }
    let problem = match &case.dossier.start_key {
        None => Some("nobody holds its order's start key".to_owned()),
        Some(holder) if holder.saga != saga.id => Some(format!("saga {} holds its order's start key", holder.saga)),
        Some(holder) if holder.fingerprint != fingerprint_of(&saga.definition.name, &saga.input) => {
            Some("its start key is that of another content".to_owned())
        }
        Some(_) => None,
    };
    found.expect(problem.is_none(), || format!("{}: {}", case.name(), problem.unwrap_or_default()));
}
