//! Laws of existence: what speaks of a saga finds it, with its start key.

use crate::coverage::{JOURNALS, START_KEYS};
use crate::evidence::{Case, Evidence};
use crate::invariant::{Findings, Law};
use crate::saga_evidence::Read;
use baton_orchestrator::api::start::fingerprint_of;
use baton_query::filter::StateKind;

pub const SAGA_EXISTS: Law = Law::of_saga(
    "I1",
    "every journal, ledger row and business row belongs to a saga that exists or was forgotten",
    "sagas",
    &[JOURNALS],
    saga_exists,
);
pub const FORGOTTEN_WHOLE: Law = Law::of_saga(
    "I1",
    "what was forgotten had ended, and is gone with its journal",
    "forgotten sagas",
    &[JOURNALS],
    forgotten_whole,
);
pub const NAMED_SAGAS: Law = Law::whole(
    "I1",
    "every saga that a start key or a business row names exists or was forgotten",
    "references",
    &[START_KEYS],
    named_sagas,
);
pub const START_KEY: Law = Law::of_saga(
    "I2",
    "every saga whose business key is exclusive holds its start key, with the fingerprint of its own input",
    "sagas with an exclusive key",
    &[JOURNALS, START_KEYS],
    start_key,
);
pub const ONE_SAGA: Law =
    Law::whole("I2", "no two sagas share an exclusive business key", "start keys", &[START_KEYS], one_saga);

fn saga_exists(case: &Case<'_>, found: &mut Findings) {
    let evidence = case.evidence;
    found.expect(evidence.saga != Read::Missing || evidence.forgotten.is_some(), || {
        let mut witnesses = Vec::new();
        if !evidence.journal.is_empty() {
            witnesses.push("a journal".to_owned());
        }
        witnesses.extend(evidence.effects.keys().map(|participant| format!("rows in {participant}'s ledger")));
        witnesses.extend(evidence.witnesses.iter().map(|witness| (*witness).to_owned()));
        format!("{} does not exist, but has {}", case.name(), witnesses.join(", "))
    });
}

/// Forgetting is one transaction: half of it is nobody's, and so is forgetting what may still move.
fn forgotten_whole(case: &Case<'_>, found: &mut Findings) {
    let Some(state) = case.evidence.forgotten else { return };
    let ended = [StateKind::Completed, StateKind::Compensated].iter().any(|kind| kind.code() == state);
    let mut problems = Vec::new();
    if !ended {
        problems.push(format!("had not ended (state {state})"));
    }
    if case.evidence.saga != Read::Missing {
        problems.push("still has its row".to_owned());
    }
    if !case.evidence.journal.is_empty() {
        problems.push("still has a journal".to_owned());
    }
    found.expect(problems.is_empty(), || format!("{} was forgotten, but {}", case.name(), problems.join(", ")));
}

fn named_sagas(evidence: &Evidence, found: &mut Findings) {
    found.looked += evidence.start_keys;
    for reference in &evidence.references {
        let (by, saga) = (&reference.by, reference.saga);
        found.expect(reference.is_there, || format!("{by} names saga {saga}, which does not exist"));
    }
}

fn start_key(case: &Case<'_>, found: &mut Findings) {
    let (Some(saga), Some(known)) = (case.saga(), &case.evidence.saga_type) else { return };
    // What the registry would not start it cannot judge either.
    if !known.accept(&saga.input).is_ok_and(|accepted| accepted.exclusive) {
        return;
    }
    let problem = match &case.evidence.start_key {
        None => Some("nobody holds its start key".to_owned()),
        Some(holder) if holder.saga != saga.id => Some(format!("saga {} holds its start key", holder.saga)),
        Some(holder) if holder.fingerprint != fingerprint_of(&saga.definition.name, &saga.input) => {
            Some("its start key is that of another input".to_owned())
        }
        Some(_) => None,
    };
    found.unless(|| case.name(), problem);
}

fn one_saga(evidence: &Evidence, found: &mut Findings) {
    found.looked += evidence.start_keys;
    found.broken.extend(evidence.shared_keys.iter().map(|(key, count)| format!("{key} has {count} sagas")));
}
