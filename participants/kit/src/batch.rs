//! Answers a batch of commands in one transaction, and one by one when the batch fails as a whole.

use crate::carry_out::{Ended, Work, carry_out, handler_failed};
use crate::clock::Clock;
use crate::ledger;
use crate::metrics::Metrics;
use crate::participant::{Answer, Command, Participant};
use crate::plan::{Rules, Stored, plan};
use crate::reason::CommandReason;
use baton_sql::database::Database;
use baton_sql::error::SqlError;
use futures_util::FutureExt as _;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

/// How often a batch is planned again because another worker answered one of its commands meanwhile. Each such race
/// leaves one command fewer to race for, and two workers rarely meet twice.
const MAX_PLANS: usize = 3;

/// Answers commands: the ledger, the participant and one transaction. Cheap to clone.
pub struct Batches<P: Participant> {
    participant: Arc<P>,
    database: Database,
    clock: Clock,
    metrics: Metrics,
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

impl<P: Participant> Batches<P> {
    /// `most` is how many commands one transaction answers.
    pub fn new(
        participant: Arc<P>,
        database: Database,
        clock: Clock,
        metrics: Metrics,
        rules: Rules,
        most: usize,
    ) -> Self {
        Self { participant, database, clock, metrics, rules, most: most.max(1) }
    }

    /// One answer per command, in order; never fails. A key that comes twice is handled once and answered twice. After a
    /// crash a command is done as a whole, ledger row included, or not at all.
    pub async fn answer(&self, commands: &[Command]) -> Vec<Answer> {
        let known = self.participant.commands();
        let mut answers = Stored::new();
        let mut fresh = Vec::with_capacity(commands.len());
        let mut seen = HashSet::with_capacity(commands.len());
        for command in commands {
            if seen.insert(command.key) {
                if known.contains(&command.name.as_str()) {
                    fresh.push(command.clone());
                } else {
                    let text = "this build of the participant does not know the command";
                    answers.insert(command.key, Answer::unavailable(CommandReason::UnknownCommand, text));
                }
            }
        }
        for chunk in fresh.chunks(self.most) {
            answers.extend(self.answer_chunk(chunk).await);
        }
        commands.iter().map(|command| answers.get(&command.key).cloned().unwrap_or_else(handler_failed)).collect()
    }

    /// As a whole, or one by one so that a poisoned command holds up nobody.
    async fn answer_chunk(&self, commands: &[Command]) -> Stored {
        self.metrics.batch(self.participant.name(), commands.len());
        let failure = match self.attempt(commands).await {
            Ok(answers) => return answers,
            Err(failure) => failure,
        };
        if commands.len() == 1 || matches!(failure, Failure::Store(_)) {
            return self.excuse(commands, &failure);
        }
        self.metrics.failed(self.participant.name());
        tracing::warn!(commands = commands.len(), cause = %failure, "batch failed, trying its commands one by one");
        let mut answers = Stored::with_capacity(commands.len());
        for (index, command) in commands.iter().enumerate() {
            match self.attempt(std::slice::from_ref(command)).await {
                Ok(answer) => answers.extend(answer),
                // With the database gone the rest would only wait for it in turn.
                Err(failure @ Failure::Store(_)) => {
                    answers.extend(self.excuse(&commands[index..], &failure));
                    break;
                }
                Err(failure) => answers.extend(self.excuse(std::slice::from_ref(command), &failure)),
            }
        }
        answers
    }

    async fn attempt(&self, commands: &[Command]) -> Result<Stored, Failure> {
        let mut last = SqlError::Conflict("the ledger kept moving".to_owned());
        for _ in 0..MAX_PLANS {
            let now_us = self.clock.now_us();
            let prepared = self.prepare(commands, now_us).await?;
            let work = Arc::new(Work {
                participant: Arc::clone(&self.participant),
                commands: commands.to_vec(),
                prepared: Mutex::new(prepared),
                rules: self.rules,
                now_us,
            });
            let ended = self.database.transaction(move |tx| {
                let work = Arc::clone(&work);
                async move { carry_out(&work, tx).await }.boxed()
            });
            match ended.await {
                Ok(Ended::Answered(answers, repeated)) => {
                    repeated.iter().for_each(|_| self.metrics.repeated(self.participant.name()));
                    return Ok(answers);
                }
                Ok(Ended::Failed(what)) => return Err(Failure::Participant(what)),
                Ok(Ended::PlanAgain) => {}
                // Another worker has answered one of these commands: its answer is in the ledger now.
                Err(error @ SqlError::Duplicate(_)) => last = error,
                Err(error) => return Err(Failure::from(error)),
            }
        }
        // Still racing, or a unique key of the participant's own that it did not foresee.
        Err(Failure::Participant(last.to_string()))
    }

    /// What the participant finds out beforehand, in a task of its own so that a panic ends nothing else.
    async fn prepare(&self, commands: &[Command], now_us: i64) -> Result<Vec<(Command, P::Prepared)>, Failure> {
        let wanted = if P::PREPARES {
            let stored = ledger::read(&self.database, commands.iter().map(|command| command.key)).await?;
            let always = self.participant.undoes_without_action();
            let decisions = plan(self.rules, always, commands, &stored, now_us);
            let handled = commands.iter().zip(decisions).filter(|(_, decision)| decision.is_handled());
            handled.map(|(command, _)| command.clone()).collect()
        } else {
            commands.to_vec()
        };
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let participant = Arc::clone(&self.participant);
        let task = tokio::spawn(async move {
            let prepared = participant.prepare(&wanted).await;
            (wanted, prepared)
        });
        let (wanted, prepared) =
            task.await.map_err(|error| Failure::Participant(format!("prepare ended early: {}", error.is_panic())))?;
        if wanted.len() != prepared.len() {
            return Err(Failure::Participant("prepare returned another number of entries".to_owned()));
        }
        Ok(wanted.into_iter().zip(prepared).collect())
    }

    /// The answers to commands that have none: their cause goes to the log, not onto the wire.
    fn excuse(&self, commands: &[Command], failure: &Failure) -> Stored {
        let answer = match failure {
            Failure::Store(error) => {
                tracing::warn!(commands = commands.len(), %error, "store unavailable");
                Answer::unavailable(CommandReason::StoreBusy, "the participant's store is unavailable")
            }
            Failure::Conflict(error) => {
                tracing::warn!(commands = commands.len(), %error, "store conflict");
                Answer::unavailable(CommandReason::StoreConflict, "the participant's store is busy")
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

impl<P: Participant> Clone for Batches<P> {
    fn clone(&self) -> Self {
        Self {
            participant: Arc::clone(&self.participant),
            database: self.database.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            rules: self.rules,
            most: self.most,
        }
    }
}

impl<P: Participant> std::fmt::Debug for Batches<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batches").field("participant", &self.participant.name()).finish_non_exhaustive()
    }
}
