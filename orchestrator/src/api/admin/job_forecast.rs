//! What a job would do to each of its sagas, if it was started now: told before it is, and asked of the machine as an explanation is.

use crate::api::view;
use baton_engine::hold_policy::{Standing, barrier};
use baton_engine::sagas::Registry;
use baton_engine::store::{Record, StateCode};
use baton_operations::reason::SagaReason;
use baton_operations::refusal;
use baton_proto::baton::saga::v1 as wire;
use baton_query::acts;
use baton_query::step_position::position;
use saga_core::event::Verb;
use saga_core::machine;
use saga_core::saga::Direction;
use saga_core::time::Micros;
use saga_core::transition::Refused;
use std::collections::BTreeMap;

/// Sagas of a group that are named.
const NAMED: usize = 10;

/// Sagas at one place, and what becomes of them there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fate {
    /// Those that are acted on come first, then those that have ended, then what is refused.
    order: u8,
    /// Empty if the action would be taken.
    rule: &'static str,
    why: String,
    state: StateCode,
    step: String,
    direction: Option<Direction>,
}

/// What `verb` would do to each of these, sorted into groups.
pub(super) fn forecast(
    registry: &Registry,
    holds: &Standing,
    verb: Verb,
    records: &[Record],
    now: Micros,
) -> Vec<wire::JobForecast> {
    let mut groups: BTreeMap<Fate, Vec<&Record>> = BTreeMap::new();
    for record in records {
        groups.entry(fate(registry, holds, verb, record, now)).or_default().push(record);
    }
    groups.into_iter().map(|(fate, records)| group(verb, fate, &records)).collect()
}

fn fate(registry: &Registry, holds: &Standing, verb: Verb, record: &Record, now: Micros) -> Fate {
    let saga = &record.saga;
    let at = position(&saga.state);
    let (rule, why) = match refused(registry, holds, verb, record, now) {
        Some((rule, why)) => (rule, why),
        None => ("", String::new()),
    };
    let order = match rule {
        "" => 0,
        rule if rule == refusal::rule(Refused::Ended) => 1,
        _ => 2,
    };
    Fate {
        order,
        rule,
        why,
        state: StateCode::of(&saga.state),
        step: at.map(|(step, ..)| view::step_name(registry, saga, step)).unwrap_or_default(),
        direction: at.map(|(_, direction, _)| direction),
    }
}

/// The rule that the action would break, and the same for people.
fn refused(
    registry: &Registry,
    holds: &Standing,
    verb: Verb,
    record: &Record,
    now: Micros,
) -> Option<(&'static str, String)> {
    let saga = &record.saga;
    let unreadable = |why: &str| Some((SagaReason::SagaUnreadable.as_str(), why.to_owned()));
    let Some(pinned) = registry.pinned(&saga.definition) else {
        return unreadable("this build does not know their definition");
    };
    let definition = pinned.definition();
    if machine::check(definition, saga).is_err() {
        return unreadable("their rows cannot be right");
    }
    if let Err(rule) = acts::ask(definition, saga, verb, now.max(saga.updated_at)) {
        return Some((refusal::rule(rule), rule.to_string()));
    }
    let (step, ..) = position(&saga.state)?;
    let sends_again = matches!(verb, Verb::Retry | Verb::Resume);
    let held = sends_again.then(|| barrier(holds, definition, [step])).flatten()?;
    Some((refusal::HELD, format!("{} must be released first", held.held.name())))
}

fn group(verb: Verb, fate: Fate, records: &[&Record]) -> wire::JobForecast {
    let Fate { order, rule, why, state, step, direction } = fate;
    let count = records.len();
    let place = match direction {
        Some(Direction::Action) => format!("{} at {step}", state_name(state)),
        Some(Direction::Undo) => format!("{} at the undo of {step}", state_name(state)),
        None => state_name(state).to_owned(),
    };
    let sentence = match (order, count) {
        (0, _) => format!("{count} would be {}: {place}", done(verb)),
        (1, 1) => format!("1 has ended and is left alone: {place}"),
        (1, _) => format!("{count} have ended and are left alone: {place}"),
        (_, _) => format!("{count} would refuse, {why}: {place}"),
    };
    wire::JobForecast {
        state: view::code(state).into(),
        step,
        direction: direction.map(|direction| direction.as_str().to_owned()).unwrap_or_default(),
        rule: rule.to_owned(),
        count: count as u64,
        sagas: records.iter().take(NAMED).map(|record| view::saga_name(&record.saga)).collect(),
        sentence,
    }
}

fn state_name(state: StateCode) -> &'static str {
    match state {
        StateCode::Running => "running",
        StateCode::Compensating => "compensating",
        StateCode::Stuck => "stuck",
        StateCode::Paused => "paused",
        StateCode::Completed => "completed",
        StateCode::Compensated => "compensated",
    }
}

/// `cancelled`, as in `5 would be cancelled`.
fn done(verb: Verb) -> &'static str {
    match verb {
        Verb::Cancel => "cancelled",
        Verb::Retry => "retried",
        Verb::Skip => "moved on without what they are stuck at",
        Verb::ResolveDone => "resolved as done",
        Verb::ResolveUndone => "resolved as undone",
        Verb::Pause => "paused",
        Verb::Resume => "resumed",
    }
}
