//! The verdict over a run at rest: the shared audit over what the databases and the provider say, and what only a
//! simulator can know, because it saw every message and every commit.

use super::answer::ClientAnswer;
use super::effects;
use super::finished_run::FinishedRun;
use super::gathered::evidence;
use super::seen::{Answered, Violation};
use super::stage::Stage;
use baton_orchestrator::store::Record;
use baton_participant_kit::participant::{CommandDirection, CommandKey};
use baton_query::failure::of_journal;
use baton_verify::evidence::Evidence;
use baton_verify::invariant::Invariant;
use baton_verify::report::Report;
use baton_verify::tally::audit;
use futures_util::FutureExt as _;
use saga_core::event::{Entry, Event, JournalRecord, Outcome};
use saga_core::saga::{Direction, SagaId};
use shop_audit::laws;
use std::collections::BTreeSet;

/// Every check.
#[must_use]
pub fn judge(run: &FinishedRun<'_>) -> (Report, Vec<Violation>) {
    let mut failures = Vec::new();
    let report = audited(run.stage, evidence(run), &laws::invariants(), &mut failures);
    liveness(run, &mut failures);
    histories(run.stage, run.records, &mut failures);
    effects::judge(run.stage, run.records, &mut failures);
    told(run, &mut failures);
    quarantine(run, &mut failures);
    (report, failures)
}

/// The shared audit, what it found among the failures.
pub fn audited(
    stage: &Stage,
    evidence: Result<Evidence, String>,
    further: &[&dyn Invariant],
    failures: &mut Vec<Violation>,
) -> Report {
    let report = match evidence {
        Ok(evidence) => audit(evidence, stage.registry(), further),
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
    report
}

/// I17: at rest within the bound.
fn liveness(run: &FinishedRun<'_>, failures: &mut Vec<Violation>) {
    if run.rested {
        return;
    }
    let open = run.records.iter().filter(|record| !record.saga.has_ended()).take(5);
    let open: Vec<String> = open.map(|record| format!("saga {} is {:?}", record.saga.id, record.saga.state)).collect();
    let what = format!("not at rest in time after the heal: {}", open.join("; "));
    failures.push(Violation { invariant: "I17", what });
}

/// I12: the row is what was committed last, and keeps the journal's last failure; I15: every reply in the journal was given;
/// I1: nothing committed is gone.
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
        Direction::Action => CommandDirection::Action,
        Direction::Undo => CommandDirection::Undo,
    };
    let key = CommandKey { saga: entry.saga.0, step: reply.step, direction };
    let given = was_answered(key, how, reply.attempt);
    (!given).then(|| format!("saga {} version {}: nobody gave this answer: {reply:?}", entry.saga, entry.version))
}

/// I2, I22: what clients were told is true.
fn told(run: &FinishedRun<'_>, failures: &mut Vec<Violation>) {
    let sagas: BTreeSet<SagaId> = run.records.iter().map(|record| record.saga.id).collect();
    let mut add = |invariant, what: String| failures.push(Violation { invariant, what });
    for (number, call) in run.clients.calls.iter().enumerate() {
        let order = &run.workload.orders[call.order].number;
        match &call.outcome {
            Some(ClientAnswer::NotStarted(why)) if sagas.contains(&call.saga) => {
                add(
                    "I22",
                    format!("call {number}: told {why}, nothing started; saga {} of order {order} is there", call.saga),
                );
            }
            Some(ClientAnswer::Conflict(why)) if sagas.contains(&call.saga) => {
                add("I2", format!("call {number}: told {why}; saga {} of order {order} is there", call.saga));
            }
            Some(ClientAnswer::Internal(why)) => add("I18", format!("call {number} of order {order}: {why}")),
            _ => {}
        }
        if call.purpose == super::client::Purpose::OtherContent && matches!(call.outcome, Some(ClientAnswer::Ok(..))) {
            add("I2", format!("call {number}: other content under order {order}'s request id was accepted"));
        }
    }
}

/// I19: only what is broken is quarantined.
fn quarantine(run: &FinishedRun<'_>, failures: &mut Vec<Violation>) {
    let inner = run.stage.world.lock();
    // One that an operator sends again dies again, in as many copies as arrive.
    let dead = inner.broker.dead.iter().map(|buried| (&buried.queue, &buried.body));
    let dead = dead.collect::<BTreeSet<_>>().len() as u64;
    if dead > run.corrupt {
        let reasons: BTreeSet<&str> = inner.broker.dead.iter().map(|buried| buried.reason.as_str()).collect();
        let what = format!("{dead} messages were quarantined, {} were broken: {reasons:?}", run.corrupt);
        failures.push(Violation { invariant: "I19", what });
    }
}
