//! Answers a batch of commands in one transaction, and in halves when the batch fails as a whole.

use crate::clock::Clock;
use crate::erased::{Erased, Prepared, Typed};
use crate::execute::{Ended, Work, execute, handler_failed};
use crate::ledger;
use crate::metrics::ParticipantMetrics;
use crate::participant::{Answer, Command, CommandDirection, CommandKey, Participant};
use crate::plan::{Rules, Stored, plan};
use crate::reason::{STORE_CONFLICT, STORE_UNAVAILABLE, UNKNOWN_COMMAND};
use baton_crash_point::{Point, hit};
use baton_sql::database::Database;
use baton_sql::error::SqlError;
use futures_util::FutureExt as _;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// How often a batch is planned again because another worker answered one of its commands meanwhile. Each such race
/// leaves one command fewer to race for, and two workers rarely meet twice.
const MAX_PLANS: usize = 3;

/// Answers commands: the ledger, the participant and one transaction. Cheap to clone.
#[derive(Clone)]
pub struct Batches {
    participant: Arc<dyn Erased>,
    database: Database,
    clock: Clock,
    metrics: ParticipantMetrics,
    rules: Rules,
    most: usize,
}

/// Why a batch has no answers.
#[derive(Debug)]
enum Failure {
    /// The database is away, or nobody knows whether it committed. The ledger decides at the next attempt.
    Store(SqlError),
    /// The database stayed locked by others.
    Conflict(SqlError),
    /// The participant failed or panicked, or answered out of bounds: `what`.
    Participant(String),
}

/// Commands that share a transaction.
struct Part {
    commands: Vec<Command>,
    /// What was found out about those that a transaction failed with; none before the first.
    prepared: Option<Box<dyn Prepared>>,
}

impl Part {
    /// Both halves, the first one last. Neither is empty if there are two commands.
    fn halves(mut self) -> [Self; 2] {
        let second = self.commands.split_off(self.commands.len() / 2);
        let in_first = self.commands.iter().map(|command| command.key).collect::<HashSet<_>>();
        let (first_prepared, second_prepared) = match self.prepared {
            Some(all) => {
                let [first, second] = all.parted(&in_first);
                (Some(first), Some(second))
            }
            None => (None, None),
        };
        let first = Self { commands: self.commands, prepared: first_prepared };
        [Self { commands: second, prepared: second_prepared }, first]
    }
}

impl Batches {
    /// `most` is how many commands one transaction answers.
    pub fn new<P: Participant>(
        participant: Arc<P>,
        database: Database,
        clock: Clock,
        metrics: ParticipantMetrics,
        rules: Rules,
        most: usize,
    ) -> Self {
        let participant = Arc::new(Typed(participant));
        Self { participant, database, clock, metrics, rules, most: most.max(1) }
    }

    /// One answer per command, in order; never fails. A key that comes twice is handled once, as its newest attempt asks,
    /// and answered twice. After a crash a command is done as a whole, ledger row included, or not at all.
    pub async fn answer(&self, commands: &[Command]) -> Vec<Answer> {
        let undos = self.participant.undos();
        let known = |command: &Command| {
            let name = command.name.as_str();
            let is_undo = command.key.direction == CommandDirection::Undo;
            self.participant.commands().contains(&name) && (undos.is_empty() || undos.contains(&name) == is_undo)
        };
        let (mut fresh, unknown): (Vec<_>, Vec<_>) = newest(commands, known).into_iter().partition(known);
        let text = "this build of the participant does not know the command, or not in this direction";
        let refusal = || Answer::unavailable(UNKNOWN_COMMAND, text);
        let mut answers = unknown.into_iter().map(|command| (command.key, refusal())).collect::<Stored>();
        while !fresh.is_empty() {
            let rest = fresh.split_off(self.most.min(fresh.len()));
            answers.extend(self.answer_chunk(std::mem::replace(&mut fresh, rest)).await);
        }
        commands.iter().map(|command| answers.get(&command.key).cloned().unwrap_or_else(handler_failed)).collect()
    }

    /// What the ledger holds for these keys.
    ///
    /// # Errors
    /// As [`Database::query_in`].
    pub(crate) async fn known(&self, keys: impl Iterator<Item = CommandKey>) -> Result<Stored, SqlError> {
        ledger::read(&self.database, keys).await
    }

    /// As a whole, or in ever smaller halves, so that a poisoned command holds up nobody and costs a few rounds more than
    /// the logarithm of the batch.
    async fn answer_chunk(&self, commands: Vec<Command>) -> Stored {
        let count = commands.len();
        self.metrics.batch(self.participant.name(), count);
        let mut answers = Stored::with_capacity(count);
        let mut parts = vec![Part { commands, prepared: None }];
        while let Some(mut part) = parts.pop() {
            match self.attempt(&mut part).await {
                Ok(answered) => answers.extend(answered),
                // With the database gone the rest would only wait for it in turn.
                Err(failure @ Failure::Store(_)) => {
                    parts.push(part);
                    let left = parts.drain(..).flat_map(|part| part.commands).collect::<Vec<_>>();
                    answers.extend(self.excuse(&left, &failure));
                }
                Err(failure) if part.commands.len() == 1 => answers.extend(self.excuse(&part.commands, &failure)),
                Err(failure) => {
                    if part.commands.len() == count {
                        self.metrics.failed(self.participant.name());
                        tracing::warn!(commands = count, cause = %failure, "batch failed, trying its halves");
                    }
                    parts.extend(part.halves());
                }
            }
        }
        answers
    }

    /// One transaction, planned again if the ledger moved. What was prepared is left in the part if it failed otherwise.
    async fn attempt(&self, part: &mut Part) -> Result<Stored, Failure> {
        let mut last = SqlError::Conflict("the ledger kept moving".to_owned());
        let fresh = self.rules.check_ledger() && part.commands.iter().all(Command::is_first_action);
        for turn in 0..=MAX_PLANS {
            // A first attempt of an action has rarely been answered before: then the ledger's key is asked by the insert
            // alone, and a batch in which one has been runs once more, with the ledger read.
            let trusting = fresh && turn == 0;
            let now_us = self.clock.now_us();
            let prepared = match part.prepared.take() {
                Some(prepared) => prepared,
                None => self.prepare(&part.commands, now_us).await?,
            };
            let work = Arc::new(Work {
                trusting,
                participant: Arc::clone(&self.participant),
                commands: part.commands.clone(),
                prepared: Mutex::new(Some(prepared)),
                rules: self.rules,
                now_us,
            });
            let shared = Arc::clone(&work);
            hit(Point::PARTICIPANT_BEFORE_COMMIT);
            let ended = self.database.transaction(move |tx| {
                let work = Arc::clone(&shared);
                async move { execute(&work, tx).await }.boxed()
            });
            let failure = match ended.await {
                Ok(Ended::Answered(answers, repeated)) => {
                    hit(Point::PARTICIPANT_AFTER_COMMIT);
                    repeated.iter().for_each(|_| self.metrics.repeated(self.participant.name()));
                    return Ok(answers);
                }
                Ok(Ended::Failed(what)) => Failure::Participant(what),
                // Prepared anew: what was found out belongs to a ledger that has moved.
                Ok(Ended::PlanAgain) => continue,
                // Another worker has answered one of these commands: its answer is in the ledger now.
                Err(error @ SqlError::Duplicate(_)) => {
                    last = error;
                    continue;
                }
                Err(error) => Failure::from(error),
            };
            part.prepared = work.prepared.lock().unwrap_or_else(PoisonError::into_inner).take();
            return Err(failure);
        }
        // Still racing, or a unique key of the participant's own that it did not foresee.
        Err(Failure::Participant(last.to_string()))
    }

    /// What the participant finds out beforehand; if it asks anybody, in a task of its own so that a panic ends nothing else.
    async fn prepare(&self, commands: &[Command], now_us: i64) -> Result<Box<dyn Prepared>, Failure> {
        let wanted = if self.participant.prepares() {
            let harmless = self.participant.only_looks_up();
            let asked = commands.iter().filter(|command| {
                !(self.rules.check_ledger() && command.is_first_action() && harmless.contains(&command.name.as_str()))
            });
            let stored = ledger::read(&self.database, asked.map(|command| command.key)).await?;
            let always = self.participant.undoes_without_action();
            let decisions = plan(self.rules, always, commands, &stored, now_us);
            let handled = commands.iter().zip(decisions).filter(|(_, decision)| decision.is_handled());
            handled.map(|(command, _)| command.clone()).collect()
        } else {
            commands.to_vec()
        };
        if wanted.is_empty() {
            return Ok(self.participant.nothing());
        }
        let participant = Arc::clone(&self.participant);
        let prepared = if participant.prepares() {
            let task = tokio::spawn(async move { participant.prepare(wanted).await });
            task.await.map_err(|error| Failure::Participant(format!("prepare ended early: {}", error.is_panic())))?
        } else {
            participant.prepare(wanted).await
        };
        prepared.ok_or_else(|| Failure::Participant("prepare returned another number of entries".to_owned()))
    }

    /// The answers to commands that have none: their cause goes to the log, not onto the wire.
    fn excuse(&self, commands: &[Command], failure: &Failure) -> Stored {
        let answer = match failure {
            Failure::Store(error) => {
                tracing::warn!(commands = commands.len(), %error, "store unavailable");
                Answer::unavailable(STORE_UNAVAILABLE, "the participant's store is unavailable")
            }
            Failure::Conflict(error) => {
                tracing::warn!(commands = commands.len(), %error, "store conflict");
                Answer::unavailable(STORE_CONFLICT, "the participant's store is busy")
            }
            Failure::Participant(what) => {
                self.metrics.failed(self.participant.name());
                tracing::error!(commands = commands.len(), cause = what, "handler failed");
                handler_failed()
            }
        };
        commands.iter().map(|command| (command.key, answer.clone())).collect()
    }
}

/// One command per key, in the order in which the keys come: of a name that is known if there is one, then of the highest
/// attempt, then of the latest deadline. Whoever comes back after an outage takes a command and its repetitions at once: the
/// orchestrator waits for the newest, and the deadline of an older one, which has passed, must not answer for it.
fn newest(commands: &[Command], known: impl Fn(&Command) -> bool) -> Vec<Command> {
    // A deadline of 0 never passes.
    let deadline = |command: &Command| if command.deadline_us == 0 { i64::MAX } else { command.deadline_us };
    let rank = |command: &Command| (known(command), command.attempt, deadline(command));
    let mut places = HashMap::with_capacity(commands.len());
    let mut chosen: Vec<&Command> = Vec::with_capacity(commands.len());
    for command in commands {
        let place = *places.entry(command.key).or_insert(chosen.len());
        match chosen.get_mut(place) {
            None => chosen.push(command),
            Some(other) if rank(command) > rank(other) => *other = command,
            Some(_) => {}
        }
    }
    chosen.into_iter().cloned().collect()
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Unavailable(_) | SqlError::UnknownOutcome(_) => Self::Store(error),
            SqlError::Conflict(_) => Self::Conflict(error),
            SqlError::Duplicate(_) | SqlError::Constraint(_) | SqlError::Decode { .. } | SqlError::Refused(_) => {
                Self::Participant(error.to_string())
            }
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(error) | Self::Conflict(error) => error.fmt(f),
            Self::Participant(what) => f.write_str(what),
        }
    }
}

impl std::fmt::Debug for Batches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batches").field("participant", &self.participant.name()).finish_non_exhaustive()
    }
}
