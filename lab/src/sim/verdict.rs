//! The verdict over a run at rest: the shared audit over what the databases and the provider say, and what only a
//! simulator can know, because it saw every message and every commit.

use super::client::{Answered as Told, Clients};
use super::effects;
use super::gathered::evidence;
use super::seen::{Answered, Violation};
use super::stage::Stage;
use super::workload::Workload;
use baton_orchestrator::store::Record;
use baton_participant_kit::participant::{CommandKey, Direction};
use baton_query::failure::of_journal;
use baton_sql::value::Row;
use baton_verify::checks::audit;
use baton_verify::report::Report;
use futures_util::FutureExt as _;
use saga_core::definition::Definition;
use saga_core::event::{Entry, Event, JournalRecord, Outcome, Verb};
use saga_core::replay::replay;
use saga_core::saga::{Direction as CoreDirection, SagaId, State};
use std::collections::{BTreeMap, BTreeSet};

/// What the verdict is made from.
pub struct Ground<'a> {
    /// Databases, store and world.
    pub stage: &'a Stage,
    /// What was ordered.
    pub workload: &'a Workload,
    /// What clients were told.
    pub clients: &'a Clients,
    /// Every saga.
    pub records: &'a [Record],
    /// Whether the run came to rest in time.
    pub rested: bool,
    /// How many unreadable messages were put in.
    pub corrupt: u64,
}

/// Every check.
#[must_use]
pub fn judge(ground: &Ground<'_>) -> (Report, Vec<Violation>) {
    let mut failures = Vec::new();
    let report = match evidence(ground) {
        Ok(evidence) => audit(&evidence),
        Err(why) => {
            failures.push(Violation { invariant: "SIM", what: format!("the evidence cannot be read: {why}") });
            Report { findings: Vec::new() }
        }
    };
    for finding in report.findings.iter().filter(|finding| !finding.passed()) {
        for offender in &finding.offenders {
            failures.push(Violation { invariant: finding.id, what: format!("{}: {offender}", finding.name) });
        }
    }
    liveness(ground, &mut failures);
    histories(ground.stage, ground.records, &mut failures);
    ledgers(ground.stage, ground.records, &mut failures);
    effects::judge(ground.stage, ground.records, &mut failures);
    told(ground, &mut failures);
    quarantine(ground, &mut failures);
    (report, failures)
}

/// I17: at rest within the bound, and nothing left in queues or outboxes.
fn liveness(ground: &Ground<'_>, failures: &mut Vec<Violation>) {
    let mut add = |what: String| failures.push(Violation { invariant: "I17", what });
    if !ground.rested {
        let open: Vec<String> = ground
            .records
            .iter()
            .filter(|record| !record.saga.has_ended())
            .take(5)
            .map(|record| format!("saga {} is {:?}", record.saga.id, record.saga.state))
            .collect();
        add(format!("not at rest in time after the heal: {}", open.join("; ")));
    }
    let left = ground.stage.world.lock().broker.len();
    if left > 0 {
        add(format!("{left} messages are left in the queues"));
    }
    let rows = ground.stage.store.unconfirmed(std::time::Duration::ZERO, None, 10).now_or_never();
    if rows.is_none_or(|rows| rows.map_or(true, |rows| !rows.is_empty())) {
        add("rows are left in the outbox".to_owned());
    }
}

/// I12: the journal folds to the row; I15: every reply in it was given; I1: nothing committed is gone.
pub fn histories(stage: &Stage, records: &[Record], failures: &mut Vec<Violation>) {
    let registry = stage.registry();
    let inner = stage.world.lock();
    let found: BTreeSet<SagaId> = records.iter().map(|record| record.saga.id).collect();
    for (saga, version) in inner.seen.sagas() {
        if !found.contains(&saga) {
            failures.push(Violation { invariant: "I1", what: format!("saga {saga} of version {version} is gone") });
        }
    }
    drop(inner);
    for record in records {
        let id = record.saga.id;
        let journal = stage.store.journal(id, 0, 100_000).now_or_never().and_then(Result::ok).unwrap_or_default();
        let Some(saga_type) = registry.pinned(&record.saga.definition) else { continue };
        match replay(saga_type.definition(), &journal) {
            Ok(saga) if saga == record.saga => {}
            Ok(saga) => failures.push(Violation {
                invariant: "I12",
                what: format!("saga {id} is {:?}, its journal says {:?}", record.saga.state, saga.state),
            }),
            Err(error) => failures.push(Violation { invariant: "I12", what: format!("journal of saga {id}: {error}") }),
        }
        if of_journal(saga_type.definition(), &journal).is_ok_and(|failure| failure != record.last_failure) {
            let what = format!("saga {id} keeps another last failure than its journal: {:?}", record.last_failure);
            failures.push(Violation { invariant: "I12", what });
        }
        let inner = stage.world.lock();
        if inner.seen.newest(id).is_some_and(|newest| newest != record.saga.version) {
            let what =
                format!("saga {id} is at version {}, {:?} was committed", record.saga.version, inner.seen.newest(id));
            failures.push(Violation { invariant: "I12", what });
        }
        for entry in &journal {
            if let Some(what) = unanswered(entry, |key, how, attempt| inner.seen.was_answered(key, how, attempt)) {
                failures.push(Violation { invariant: "I15", what });
            }
        }
    }
}

fn unanswered(entry: &Entry, was_answered: impl Fn(CommandKey, Answered, u32) -> bool) -> Option<String> {
    let JournalRecord::Moved(Event::Reply(reply)) = &entry.record else { return None };
    let how = match &reply.outcome {
        Outcome::Succeeded { .. } => Answered::Done,
        // The orchestrator's own word for a command that it could not build.
        Outcome::Rejected { reason, .. } | Outcome::Unavailable { reason, .. } if reason == "PAYLOAD_REFUSED" => {
            return None;
        }
        Outcome::Rejected { .. } => Answered::Refused,
        Outcome::Unavailable { .. } => Answered::Not,
    };
    let direction = match reply.direction {
        CoreDirection::Action => Direction::Action,
        CoreDirection::Undo => Direction::Undo,
    };
    let key = CommandKey { saga: entry.saga.0, step: reply.step, direction };
    let given = was_answered(key, how, reply.attempt);
    (!given).then(|| format!("saga {} version {}: nobody gave this answer: {reply:?}", entry.saga, entry.version))
}

/// A ledger's rows: whether the command was done.
pub type Ledger = BTreeMap<CommandKey, bool>;

/// I6 to I10 by the participants' ledgers, for any definition.
pub fn ledgers(stage: &Stage, records: &[Record], failures: &mut Vec<Violation>) {
    let mut ledger = Ledger::new();
    for (name, database) in &stage.databases {
        let sql = "SELECT saga_id, step, direction, outcome FROM ledger";
        let rows = database.query(sql, Vec::new()).now_or_never().and_then(Result::ok).unwrap_or_default();
        for row in &rows {
            match ledger_row(row) {
                Some((key, done)) => {
                    ledger.insert(key, done);
                }
                None => {
                    failures.push(Violation { invariant: "I6", what: format!("{name}: a ledger row is unreadable") })
                }
            }
        }
    }
    let registry = stage.registry();
    for record in records {
        let Some(saga_type) = registry.pinned(&record.saga.definition) else { continue };
        let journal = stage.store.journal(record.saga.id, 0, 100_000).now_or_never();
        let by_hand = journal.and_then(Result::ok).unwrap_or_default().iter().any(|entry| {
            matches!(&entry.record, JournalRecord::Moved(Event::Action(order))
                if matches!(order.verb, Verb::Skip | Verb::ResolveDone | Verb::ResolveUndone))
        });
        if !by_hand {
            all_or_nothing(saga_type.definition(), record, &ledger, failures);
        }
    }
}

fn ledger_row(row: &Row) -> Option<(CommandKey, bool)> {
    let direction = match row.int(2).ok()? {
        1 => Direction::Action,
        2 => Direction::Undo,
        _ => return None,
    };
    let step = u8::try_from(row.int(1).ok()?).ok()?;
    Some((CommandKey { saga: row.array(0).ok()?, step, direction }, row.int(3).ok()? == 1))
}

/// I10, and I9 where the ledgers show it.
fn all_or_nothing(definition: &Definition, record: &Record, ledger: &Ledger, failures: &mut Vec<Violation>) {
    let saga = &record.saga;
    let done = |step: usize, direction: Direction| {
        let step = u8::try_from(step).unwrap_or(u8::MAX);
        ledger.get(&CommandKey { saga: saga.id.0, step, direction }).copied()
    };
    let mut add = |invariant, what: String| failures.push(Violation { invariant, what });
    for (index, step) in definition.steps().iter().enumerate() {
        let action = done(index, Direction::Action) == Some(true);
        let undone = done(index, Direction::Undo) == Some(true);
        match &saga.state {
            State::Completed => {
                if step.action.is_some() && !action {
                    add("I10", format!("saga {} completed, {} was never done", saga.id, step.name));
                }
                if undone {
                    add("I9", format!("saga {} completed, {} was undone", saga.id, step.name));
                }
            }
            State::Compensated { .. } => {
                let must = step.undo.is_some() && (step.action.is_none() || action);
                if must && !undone {
                    add("I10", format!("saga {} is compensated, {} was not undone", saga.id, step.name));
                }
                if action && definition.is_past_pivot(u8::try_from(index).unwrap_or(u8::MAX)) {
                    add("I9", format!("saga {} is compensated, {} past the pivot was done", saga.id, step.name));
                }
            }
            _ => {}
        }
    }
}

/// I2, I22: what clients were told is true.
fn told(ground: &Ground<'_>, failures: &mut Vec<Violation>) {
    let sagas: BTreeSet<SagaId> = ground.records.iter().map(|record| record.saga.id).collect();
    let mut add = |invariant, what: String| failures.push(Violation { invariant, what });
    for (number, call) in ground.clients.calls.iter().enumerate() {
        let order = &ground.workload.orders[call.order].number;
        match &call.outcome {
            Some(Told::NotStarted(why)) if sagas.contains(&call.saga) => {
                add(
                    "I22",
                    format!("call {number}: told {why}, nothing started; saga {} of order {order} is there", call.saga),
                );
            }
            Some(Told::Conflict(why)) if sagas.contains(&call.saga) => {
                add("I2", format!("call {number}: told {why}; saga {} of order {order} is there", call.saga));
            }
            Some(Told::Internal(why)) => add("I18", format!("call {number} of order {order}: {why}")),
            Some(Told::Ok(saga, _)) if !sagas.contains(saga) => {
                add("I1", format!("call {number}: acknowledged saga {saga} of order {order} does not exist"));
            }
            _ => {}
        }
        if call.purpose == super::client::Purpose::OtherContent && matches!(call.outcome, Some(Told::Ok(..))) {
            add("I2", format!("call {number}: other content under order {order}'s request id was accepted"));
        }
    }
}

/// I19: only what is broken is quarantined.
fn quarantine(ground: &Ground<'_>, failures: &mut Vec<Violation>) {
    let inner = ground.stage.world.lock();
    let dead = inner.broker.dead.iter().filter(|(_, reason)| reason != "DELIVERY_LIMIT").count() as u64;
    if dead > ground.corrupt {
        let reasons: BTreeSet<&str> = inner.broker.dead.iter().map(|(_, reason)| reason.as_str()).collect();
        let what = format!("{dead} messages were quarantined, {} were broken: {reasons:?}", ground.corrupt);
        failures.push(Violation { invariant: "I19", what });
    }
}
