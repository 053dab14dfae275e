//! The verdict over operators' work: the audit, jobs, holds, dead letters and incidents, against journals and what was seen.

use super::operators::{Ask, Asked, Operators};
use super::seen::{Told, Violation};
use super::stage::Stage;
use baton_orchestrator::operations::OpsStore;
use baton_orchestrator::operations::audit::NewAudit;
use baton_orchestrator::operations::jobs::{Job, JobState};
use baton_orchestrator::operations::letters::LetterState;
use baton_orchestrator::store::Record;
use baton_orchestrator::store::audit::{AuditRow, Head, JournalDigest, NOTHING_BEFORE};
use baton_orchestrator::store::row::journal::encode;
use baton_orchestrator::store::row::version_value;
use baton_verify::acts::{Journal, Judge};
use futures_util::FutureExt as _;
use saga_core::event::{Entry, Event, JournalRecord, OperatorAction, Verb};
use saga_core::replay::replay;
use saga_core::saga::{SagaId, State};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// A saga that is so much older than a job by their clocks was committed before it: processes disagree about the time.
const SURELY_BEFORE: Duration = Duration::from_secs(5);

/// Rows of each kind that are looked at: many more than a run makes.
const ALL: u32 = 100_000;

/// What is judged.
struct OperationsGround<'a> {
    stage: &'a Stage,
    operations: Arc<dyn OpsStore>,
    asked: &'a [Asked],
    /// Every saga with its journal.
    sagas: BTreeMap<SagaId, (&'a Record, Vec<Entry>)>,
    audit: Vec<AuditRow>,
}

/// Every check.
pub fn judge(stage: &Stage, operators: &Operators, records: &[Record], failures: &mut Vec<Violation>) {
    let operations = stage.operations();
    let sagas = records.iter().map(|record| {
        let journal = stage.store.journal(record.saga.id, 0, ALL).now_or_never().and_then(Result::ok);
        (record.saga.id, (record, journal.unwrap_or_default()))
    });
    let audit = operations.audit_page(None, None, None, ALL).now_or_never().and_then(Result::ok);
    let mut audit = audit.unwrap_or_default();
    audit.reverse();
    let ground = OperationsGround { stage, asked: &operators.asked, sagas: sagas.collect(), audit, operations };
    let mut add = |invariant, what: String| failures.push(Violation { invariant, what });
    ground.chain(&mut add);
    ground.acts(&mut add);
    ground.jobs(&mut add);
    ground.holds(&mut add);
    ground.letters(&mut add);
    ground.incidents(&mut add);
}

fn action(entry: &Entry) -> Option<&OperatorAction> {
    match &entry.record {
        JournalRecord::Moved(Event::Action(action)) => Some(action),
        JournalRecord::Moved(Event::Reply(_) | Event::Wake) | JournalRecord::Started { .. } => None,
    }
}

impl OperationsGround<'_> {
    /// I23: the audit is one chain, and binds each saga's journal.
    fn chain(&self, add: &mut impl FnMut(&'static str, String)) {
        let head = self.audit.last().map_or((0, NOTHING_BEFORE), |row| (row.number, row.hash));
        let head = Some(Head { number: head.0, hash: head.1 });
        let mut judge = Judge::new(head, None);
        for row in &self.audit {
            judge.entry(row, row.audit.saga.map(|saga| self.bound(saga, row.audit.version)));
        }
        judge.finish(head).flaws.into_iter().for_each(|flaw| add("I23", flaw));
    }

    /// The journal that an entry of the audit binds.
    fn bound(&self, saga: SagaId, version: u64) -> Journal {
        let Some((record, journal)) = self.sagas.get(&saga) else { return Journal::Gone };
        let mut digest = JournalDigest::new(saga);
        for entry in journal.iter().take_while(|entry| entry.version <= version) {
            digest.add(version_value(entry.version), entry.at.0, &encode(&entry.record, &record.saga.input));
        }
        Journal::There(digest.value())
    }

    /// I24: each act has its entry, and each entry its act.
    fn acts(&self, add: &mut impl FnMut(&'static str, String)) {
        let mut written: BTreeMap<(SagaId, u64), &NewAudit> = BTreeMap::new();
        for row in &self.audit {
            let act = &row.audit;
            if let Some(saga) = act.saga
                && written.insert((saga, act.version), act).is_some()
            {
                add("I24", format!("version {} of saga {saga} is written down twice", act.version));
            }
        }
        for (saga, (_, journal)) in &self.sagas {
            for (entry, action) in journal.iter().filter_map(|entry| Some((entry, action(entry)?))) {
                let told = written.remove(&(*saga, entry.version));
                let is_told = told.is_some_and(|act| {
                    (act.act.as_str(), &act.actor, &act.reason) == (action.verb.as_str(), &action.actor, &action.reason)
                });
                if !is_told {
                    add("I24", format!("saga {saga}: the action at version {} is not written down", entry.version));
                }
            }
        }
        for ((saga, version), _) in written {
            add("I24", format!("saga {saga}: what is written down of version {version} was not done"));
        }
        for Asked { ask, request, told } in self.asked {
            if let Some(Told::Internal(why)) = told {
                add("I22", format!("{ask:?}: {why}"));
            }
            let entries = self.audit.iter().filter(|row| row.audit.request == Some(*request)).count();
            // Holding what is held and releasing what is released does nothing, and so does a control of what is so already.
            let must = matches!(ask, Ask::CreateJob(..) | Ask::Replay(_) | Ask::Drop(_));
            match told {
                Some(Told::Done(_)) if must && entries != 1 => add("I24", format!("{ask:?}: {entries} entries")),
                Some(Told::Refused(why)) if entries != 0 => {
                    add("I22", format!("{ask:?} was refused ({why}), and is written down as done"));
                }
                _ => {}
            }
        }
    }

    /// I25: a job ends, has acted on each saga once, and has told no other number.
    fn jobs(&self, add: &mut impl FnMut(&'static str, String)) {
        let jobs = self.operations.jobs(None, ALL).now_or_never().and_then(Result::ok).unwrap_or_default();
        for job in &jobs {
            let name = format!("jobs/{}", job.id);
            if !job.state.has_ended() || !job.pending.is_empty() {
                add("I25", format!("{name} has not ended: {:?}, {} pending", job.state, job.pending.len()));
            }
            let own = format!("by {name}: ");
            let mut moved: BTreeSet<SagaId> = BTreeSet::new();
            for (saga, (_, journal)) in &self.sagas {
                let times = journal.iter().filter_map(action).filter(|action| action.reason.starts_with(&own)).count();
                if times > 1 {
                    add("I25", format!("{name} has moved saga {saga} {times} times"));
                }
                if times > 0 {
                    moved.insert(*saga);
                }
            }
            if job.done != moved.len() as u64 {
                add("I25", format!("{name} counts {} done, {} sagas were moved by it", job.done, moved.len()));
            }
            let failures = self.operations.job_failures(job.id, 0, ALL).now_or_never().and_then(Result::ok);
            let failures = failures.unwrap_or_default();
            if job.failed != failures.len() as u64 {
                add("I25", format!("{name} counts {} failed, {} are kept", job.failed, failures.len()));
            }
            moved.extend(failures.iter().map(|failure| failure.saga));
            if let Some(saga) = self.passed_over(job, &moved) {
                add("I25", format!("{name} is done and has passed saga {saga} over"));
            }
        }
    }

    /// A saga that a job surely selects, whatever happens to it, and that it has not told.
    fn passed_over(&self, job: &Job, told: &BTreeSet<SagaId>) -> Option<SagaId> {
        let definition = job.filter.strip_prefix("definition = ").filter(|_| job.state == JobState::Done)?;
        let mut selected = self.sagas.iter().filter(|(id, (record, _))| {
            record.saga.definition.name == definition
                && record.saga.created_at.plus(SURELY_BEFORE) < job.created_at
                && id.0 < *job.id.as_bytes()
        });
        selected.find(|(id, _)| !told.contains(id)).map(|(id, _)| *id)
    }

    /// I26: what a hold has paused goes on once it is released.
    fn holds(&self, add: &mut impl FnMut(&'static str, String)) {
        let standing = self.operations.holds().now_or_never().and_then(Result::ok).unwrap_or_default();
        for (saga, (record, journal)) in &self.sagas {
            let newest = journal.iter().rev().find_map(action);
            let Some(pause) = newest.filter(|action| action.verb == Verb::Pause) else { continue };
            let is_held = standing.iter().any(|hold| pause.reason.starts_with(&hold.held.mark()));
            if matches!(record.saga.state, State::Paused { .. }) && is_of_a_hold(pause) && !is_held {
                add("I26", format!("saga {saga} is paused, {}; nothing holds it any more", pause.reason));
            }
        }
    }

    /// I19: every dead letter is accounted for.
    fn letters(&self, add: &mut impl FnMut(&'static str, String)) {
        let letters = self.operations.letters(None, None, ALL).now_or_never().and_then(Result::ok).unwrap_or_default();
        let kept: Vec<_> =
            letters.iter().filter_map(|letter| self.operations.letter(letter.id).now_or_never()?.ok()?).collect();
        let inner = self.stage.world.lock();
        for buried in inner.broker.dead.iter().filter(|buried| !buried.is_lost) {
            let is_kept = kept.iter().any(|(letter, body)| {
                letter.destination == buried.queue && letter.message_id == Some(buried.id) && *body == buried.body
            });
            if !is_kept {
                add("I19", format!("message {} died of {} and is kept nowhere", buried.id, buried.reason));
            }
        }
        for (letter, body) in &kept {
            let same =
                inner.broker.dead.iter().filter(|buried| buried.queue == letter.destination && buried.body == *body);
            let resent: Option<u64> = same.map(|buried| buried.resent).max();
            match (resent, letter.state) {
                (None, _) => add("I19", format!("letter {} is of no message that died", letter.id)),
                (Some(0), LetterState::Replayed) => {
                    add("I19", format!("letter {} is marked as sent again, and was not", letter.id));
                }
                _ => {}
            }
        }
    }

    /// I27: whoever is told of a stuck saga is told the truth.
    fn incidents(&self, add: &mut impl FnMut(&'static str, String)) {
        let told: Vec<String> = self.stage.world.lock().incidents.keys().cloned().collect();
        for id in told {
            if !self.was_stuck(&id).unwrap_or(false) {
                add("I27", format!("{id} was told, and was none"));
            }
        }
    }

    fn was_stuck(&self, id: &str) -> Option<bool> {
        let (saga, version) = id.strip_prefix("incident-")?.rsplit_once('-')?;
        let (saga, version) = (SagaId(Uuid::parse_str(saga).ok()?.into_bytes()), version.parse::<usize>().ok()?);
        let (record, journal) = self.sagas.get(&saga)?;
        let definition = self.stage.registry().pinned(&record.saga.definition)?;
        let then = replay(definition.definition(), journal.get(..version)?).ok()?;
        Some(matches!(then.state, State::Stuck { .. }))
    }
}

/// Whether an action is a hold's own pause.
#[must_use]
pub fn is_of_a_hold(action: &OperatorAction) -> bool {
    action.verb == Verb::Pause && action.reason.starts_with("held by holds/")
}
