//! The one transaction of a batch: read the ledger, decide, let the participant handle what is new, store the answers.

use crate::erased::{Erased, Prepared};
use crate::ledger::{self, Entry};
use crate::participant::{Answer, Command, CommandDirection, CommandKey, MAX_OUTPUT};
use crate::plan::{Decision, Rules, Stored, plan, tombstone};
use crate::reason::{HANDLER_FAILED, MALFORMED_PAYLOAD};
use baton_crash_point::{Point, hit};
use baton_sql::database::{Tx, Verdict};
use baton_sql::error::SqlError;
use futures_util::FutureExt as _;
use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

/// How a transaction's body ended.
pub(crate) enum Ended {
    /// The answers, and the commands whose answers were known.
    Answered(Stored, Vec<CommandKey>),
    /// A command needs its handler, but was not prepared: the ledger has moved since it was read.
    PlanAgain,
    /// The participant's fault.
    Failed(String),
}

/// What the transaction's body needs; shared, since it may run more than once.
pub(crate) struct Work {
    /// Nobody is expected to have answered any of these commands: the ledger's own key says so if somebody has, and the
    /// transaction fails as `Duplicate`.
    pub trusting: bool,
    pub participant: Arc<dyn Erased>,
    pub commands: Vec<Command>,
    /// Taken out while the handler runs, put back behind it.
    pub prepared: Mutex<Option<Box<dyn Prepared>>>,
    pub rules: Rules,
    pub now_us: i64,
}

/// The transaction's body: read the ledger, decide, handle, store.
pub(crate) async fn execute(work: &Work, tx: &mut Tx) -> Result<Verdict<Ended>, SqlError> {
    let stored = if work.trusting {
        Stored::new()
    } else {
        ledger::read_in(tx, work.commands.iter().map(|command| command.key)).await?
    };
    let always = work.participant.undoes_without_action();
    let decisions = plan(work.rules, always, &work.commands, &stored, work.now_us);
    let wanted = work.commands.iter().zip(&decisions).filter(|(_, decision)| decision.is_handled());
    let wanted = wanted.map(|(command, _)| command.key).collect::<HashSet<_>>();
    let handled = match handle(work, tx, &wanted).await? {
        Ok(handled) => handled,
        Err(ended) => return Ok(Verdict::Rollback(ended)),
    };
    let mut answers = Stored::with_capacity(work.commands.len());
    let mut entries = Vec::with_capacity(work.commands.len());
    let mut repeated = Vec::new();
    for (command, decision) in work.commands.iter().zip(decisions) {
        let buries = decision.buries() && work.rules.leave_tombstones();
        let (answer, store) = match decision {
            Decision::Known(answer) => {
                repeated.push(command.key);
                (answer, false)
            }
            Decision::Pass(answer) => (answer, false),
            Decision::NothingToUndo | Decision::Tombstone => (Answer::done(), true),
            Decision::Handle | Decision::HandleAndBury => {
                let answer = handled.get(&command.key).cloned().unwrap_or_else(handler_failed);
                let answer = undo_may_come_again(command, answer);
                let store = !matches!(answer, Answer::Unavailable { .. });
                let store = store && (work.rules.store_rejections() || !matches!(answer, Answer::Rejected { .. }));
                (answer, store && !stored.contains_key(&command.key))
            }
        };
        if buries && store {
            let key = command.key.with(CommandDirection::Action);
            entries.push(Entry { key, attempt: 0, answer: tombstone() });
        }
        if store {
            entries.push(Entry { key: command.key, attempt: command.attempt, answer: answer.clone() });
        }
        answers.insert(command.key, answer);
    }
    if work.trusting && was_answered(tx, &answers).await? {
        return Ok(Verdict::Rollback(Ended::PlanAgain));
    }
    ledger::insert(tx, entries, work.now_us).await?;
    hit(Point::PARTICIPANT_INSIDE_COMMIT);
    Ok(Verdict::Commit(Ended::Answered(answers, repeated)))
}

/// True if the ledger knows better than an answer that is not stored, and that its key therefore does not check.
async fn was_answered(tx: &mut Tx, answers: &Stored) -> Result<bool, SqlError> {
    let unstored = answers.iter().filter(|(_, answer)| matches!(answer, Answer::Unavailable { .. }));
    let unstored = unstored.map(|(key, _)| *key).collect::<Vec<_>>();
    let stored = ledger::read_in(tx, unstored.iter().copied()).await?;
    Ok(unstored.iter().any(|key| stored.contains_key(key)))
}

/// Runs the participant's handler for the wanted commands; `Ok(Err(_))` is how the body ends instead.
async fn handle(work: &Work, tx: &mut Tx, wanted: &HashSet<CommandKey>) -> Result<Result<Stored, Ended>, SqlError> {
    if wanted.is_empty() {
        return Ok(Ok(Stored::new()));
    }
    let taken = work.prepared.lock().unwrap_or_else(PoisonError::into_inner).take();
    let mut prepared = taken.unwrap_or_else(|| work.participant.nothing());
    let ready = prepared.put_first(wanted);
    let outcome = if ready < wanted.len() {
        None
    } else {
        Some(AssertUnwindSafe(work.participant.handle(tx, &*prepared, ready)).catch_unwind().await)
    };
    let keys = prepared.keys(ready);
    *work.prepared.lock().unwrap_or_else(PoisonError::into_inner) = Some(prepared);
    let answers = match outcome {
        None => return Ok(Err(Ended::PlanAgain)),
        Some(Err(_panic)) => return Ok(Err(Ended::Failed("the handler panicked".to_owned()))),
        Some(Ok(result)) => result?,
    };
    if answers.len() != keys.len() {
        return Ok(Err(Ended::Failed("the handler returned another number of answers".to_owned())));
    }
    if answers.iter().any(|answer| matches!(answer, Answer::Succeeded { output } if output.len() > MAX_OUTPUT)) {
        return Ok(Err(Ended::Failed("an output is longer than 16 KiB".to_owned())));
    }
    Ok(Ok(keys.into_iter().zip(answers.into_iter().map(Answer::bounded)).collect::<HashMap<_, _>>()))
}

/// An undo whose payload cannot be understood is not refused: stored, the refusal would answer a better payload for ever.
fn undo_may_come_again(command: &Command, answer: Answer) -> Answer {
    match answer {
        Answer::Rejected { reason, message }
            if command.key.direction == CommandDirection::Undo && reason == MALFORMED_PAYLOAD.as_str() =>
        {
            Answer::Unavailable { reason, message }
        }
        answer => answer,
    }
}

/// The answer whose cause only the log knows.
pub(crate) fn handler_failed() -> Answer {
    Answer::unavailable(HANDLER_FAILED, "the participant failed to handle the command")
}
