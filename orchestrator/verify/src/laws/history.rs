//! Laws over what clients were told: an answer is a promise, a refusal left nothing, and no read goes back in time.

use crate::coverage::{HISTORY, Mode};
use crate::evidence::Evidence;
use crate::history::{Call, Kind, Outcome};
use crate::invariant::{Findings, Law};
use baton_query::filter::StateKind;
use std::collections::{BTreeMap, BTreeSet};

const fn law(id: &'static str, what: &'static str, unit: &'static str, check: fn(&Evidence, &mut Findings)) -> Law {
    Law::whole(id, what, unit, &[HISTORY], check)
}

pub const KEPT_PROMISES: Law = law(
    "I1",
    "every start a client was promised has its saga, or had it until it was forgotten; at rest it has ended",
    "promises",
    kept_promises,
);
pub const ONE_SAGA_A_REQUEST: Law =
    law("I2", "all answers to one request name one saga", "requests", one_saga_a_request);
pub const READS_GO_FORWARD: Law =
    law("I16", "what one client reads of a saga never goes back", "reads", reads_go_forward);
pub const REFUSALS_LEFT_NOTHING: Law = law(
    "I18",
    "a start refused for overload, and never otherwise answered, left nothing",
    "refused starts",
    refusals_left_nothing,
);
pub const DOUBT_WAS_TOLD: Law = law(
    "I22",
    "a start that was only ever refused left no saga: doubt is told as doubt",
    "starts refused or in doubt",
    doubt_was_told,
);

/// The code of a refusal for overload.
const OVERLOAD: &str = "RESOURCE_EXHAUSTED";

fn kept_promises(evidence: &Evidence, found: &mut Findings) {
    for (call, saga, _) in answered(&evidence.history).filter(|(call, ..)| call.kind == Kind::Place) {
        let kept = evidence.memory.sagas_of(&call.key).iter().find(|kept| kept.id == saga);
        let forgotten = evidence.memory.forgotten.get(&call.key).is_some_and(|id| id == saga);
        found.expect(kept.is_some() || forgotten, || format!("{}: promised as saga {saga}, which is gone", call.key));
        let state = kept.and_then(|kept| kept.state);
        let has_ended = match (evidence.mode, state) {
            (Mode::Live, _) | (_, None | Some(StateKind::Completed | StateKind::Compensated)) => true,
            // Parked, it waits for an operator.
            (Mode::AtRest, Some(StateKind::Stuck | StateKind::Paused)) => true,
            (Mode::AtRest | Mode::Finished, Some(_)) => false,
        };
        if !has_ended {
            found.broken.push(format!("{}: saga {saga} has not ended", call.key));
        }
    }
}

fn one_saga_a_request(evidence: &Evidence, found: &mut Findings) {
    let mut named: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for call in evidence.history.iter().filter(|call| call.kind == Kind::Place) {
        if let Outcome::Ok { saga, .. } = &call.outcome {
            named.entry(&call.request).or_default().extend(saga.as_deref());
        }
    }
    for (request, sagas) in &named {
        found.expect(sagas.len() == 1, || format!("request {request} was answered with {} sagas", sagas.len()));
    }
}

fn reads_go_forward(evidence: &Evidence, found: &mut Findings) {
    let mut order: Vec<&Call> = evidence.history.iter().filter(|call| call.ended.is_some()).collect();
    order.sort_by_key(|call| call.ended);
    // For each client and saga: reads in the order they ended, with the newest version among all that had.
    let mut newest: BTreeMap<(&str, &str), Vec<(u64, u64)>> = BTreeMap::new();
    for call in order {
        let Outcome::Ok { saga: Some(saga), version: Some(version), .. } = &call.outcome else { continue };
        let (Some(ended), seen) = (call.ended, newest.entry((&call.client, saga)).or_default()) else { continue };
        // Reads that overlap may see either order of things: only those that had ended when this one began count.
        let before = seen.partition_point(|(at, _)| *at < call.begun);
        let known = before.checked_sub(1).map_or(0, |index| seen[index].1);
        found.expect(*version >= known, || {
            format!("client {} read version {version} of saga {saga} after version {known}", call.client)
        });
        let most = seen.last().map_or(0, |(_, most)| *most).max(*version);
        seen.push((ended, most));
    }
}

fn refusals_left_nothing(evidence: &Evidence, found: &mut Findings) {
    for (key, starts) in starts(&evidence.history) {
        let overloaded = |call: &&Call| matches!(&call.outcome, Outcome::Fail { code } if code == OVERLOAD);
        if starts.iter().all(overloaded) {
            let left = !evidence.memory.ever_of(key).is_empty();
            found.expect(!left, || format!("{key} was refused for overload, and has a saga"));
        }
    }
}

fn doubt_was_told(evidence: &Evidence, found: &mut Findings) {
    for (key, starts) in starts(&evidence.history) {
        if starts.iter().any(|call| matches!(call.outcome, Outcome::Ok { .. })) {
            continue;
        }
        let refused = starts.iter().all(|call| matches!(call.outcome, Outcome::Fail { .. }));
        let left = !evidence.memory.ever_of(key).is_empty();
        found.expect(!refused || !left, || format!("{key}: every answer was a refusal, yet it has a saga"));
    }
}

fn starts(calls: &[Call]) -> BTreeMap<&str, Vec<&Call>> {
    let mut by_key: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.kind == Kind::Place) {
        by_key.entry(&call.key).or_default().push(call);
    }
    by_key
}

/// Calls that were answered, with the saga and the state they name.
pub fn answered(calls: &[Call]) -> impl Iterator<Item = (&Call, &str, Option<&str>)> {
    calls.iter().filter_map(|call| match &call.outcome {
        Outcome::Ok { saga: Some(saga), state, .. } => Some((call, saga.as_str(), state.as_deref())),
        Outcome::Ok { .. } | Outcome::Fail { .. } | Outcome::Unknown => None,
    })
}
