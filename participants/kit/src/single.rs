//! For a participant that handles one command at a time: batching by savepoints, so that neighbours do not suffer.

use crate::participant::{Answer, Command, Participant};
use crate::reason::HANDLER_FAILED;
use async_trait::async_trait;
use baton_sql::database::Tx;
use baton_sql::error::SqlError;
use baton_sql::migration::Migration;
use futures_util::{FutureExt as _, StreamExt as _};
use std::fmt;
use std::panic::AssertUnwindSafe;

/// Commands prepared at once: enough to hide a provider's latency, few enough not to storm it.
const MAX_PREPARING: usize = 16;

/// A participant that handles one command at a time; the kit batches it. See [`Participant`] for each method's contract.
#[async_trait]
pub trait SingleHandler: Send + Sync + fmt::Debug + 'static {
    /// What [`Self::prepare`] found out.
    type Prepared: Send + Sync + fmt::Debug;

    /// See [`Participant::PREPARES`].
    const PREPARES: bool;

    /// See [`Participant::name`].
    fn name(&self) -> &'static str;

    /// See [`Participant::commands`].
    fn commands(&self) -> &'static [&'static str];

    /// See [`Participant::migrations`].
    fn migrations(&self) -> &'static [Migration];

    /// See [`Participant::prepare`]; runs for up to 16 commands at once.
    async fn prepare(&self, command: &Command) -> Self::Prepared;

    /// Carries out one command. Anything but `Succeeded` undoes what it wrote.
    async fn handle(&self, tx: &mut Tx, command: &Command, prepared: &Self::Prepared) -> Result<Answer, SqlError>;
}

/// Makes a [`Participant`] of a [`SingleHandler`].
#[derive(Debug)]
pub struct OneAtATime<H>(pub H);

#[async_trait]
impl<H: SingleHandler> Participant for OneAtATime<H> {
    type Prepared = H::Prepared;

    const PREPARES: bool = H::PREPARES;

    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn commands(&self) -> &'static [&'static str] {
        self.0.commands()
    }

    fn migrations(&self) -> &'static [Migration] {
        self.0.migrations()
    }

    async fn prepare(&self, commands: &[Command]) -> Vec<Self::Prepared> {
        let prepared = commands.iter().map(|command| self.0.prepare(command));
        futures_util::stream::iter(prepared.collect::<Vec<_>>()).buffered(MAX_PREPARING).collect().await
    }

    async fn handle(&self, tx: &mut Tx, batch: &[(Command, Self::Prepared)]) -> Result<Vec<Answer>, SqlError> {
        let mut answers = Vec::with_capacity(batch.len());
        for (command, prepared) in batch {
            answers.push(one(&self.0, tx, command, prepared).await?);
        }
        Ok(answers)
    }
}

async fn one<H: SingleHandler>(
    handler: &H,
    tx: &mut Tx,
    command: &Command,
    prepared: &H::Prepared,
) -> Result<Answer, SqlError> {
    tx.execute("SAVEPOINT one_command", Vec::new()).await?;
    let outcome = AssertUnwindSafe(handler.handle(tx, command, prepared)).catch_unwind().await;
    let answer = match outcome {
        Ok(Ok(answer @ Answer::Succeeded { .. })) => {
            tx.execute("RELEASE SAVEPOINT one_command", Vec::new()).await?;
            return Ok(answer);
        }
        Ok(Ok(answer)) => answer,
        Ok(Err(error @ (SqlError::Duplicate(_) | SqlError::Constraint(_) | SqlError::Decode { .. }))) => {
            tracing::error!(%error, command = command.name, "handler failed");
            failed()
        }
        // The transaction as a whole has ended: the batch decides.
        Ok(Err(error)) => return Err(error),
        Err(_panic) => {
            tracing::error!(command = command.name, "handler panicked");
            failed()
        }
    };
    tx.execute("ROLLBACK TO SAVEPOINT one_command", Vec::new()).await?;
    tx.execute("RELEASE SAVEPOINT one_command", Vec::new()).await?;
    Ok(answer)
}

fn failed() -> Answer {
    Answer::unavailable(HANDLER_FAILED, "the participant failed to handle the command")
}
