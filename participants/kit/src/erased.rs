//! A participant whose type is forgotten: worker, batches and transactions are compiled once, here, and not once for each
//! participant in the crate that starts it. A batch costs one allocation for that.

use crate::participant::{Answer, Command, CommandKey, Participant};
use async_trait::async_trait;
use baton_sql::database::Tx;
use baton_sql::error::SqlError;
use std::any::Any;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// Commands, each with what its participant found out about it.
pub(crate) trait Prepared: Any + Send + Sync {
    /// Puts those of `wanted` first, in the order of the batch, and says how many there are.
    fn put_first(&mut self, wanted: &HashSet<CommandKey>) -> usize;

    /// The keys of the first so many.
    fn keys(&self, first: usize) -> Vec<CommandKey>;

    /// Those of these keys, and the others.
    fn parted(self: Box<Self>, keys: &HashSet<CommandKey>) -> [Box<dyn Prepared>; 2];
}

impl<T: Send + Sync + 'static> Prepared for Vec<(Command, T)> {
    fn put_first(&mut self, wanted: &HashSet<CommandKey>) -> usize {
        // Stable.
        self.sort_by_key(|(command, _)| !wanted.contains(&command.key));
        self.iter().filter(|(command, _)| wanted.contains(&command.key)).count()
    }

    fn keys(&self, first: usize) -> Vec<CommandKey> {
        self.iter().take(first).map(|(command, _)| command.key).collect()
    }

    fn parted(self: Box<Self>, keys: &HashSet<CommandKey>) -> [Box<dyn Prepared>; 2] {
        let (those, others): (Self, Self) = self.into_iter().partition(|(command, _)| keys.contains(&command.key));
        [Box::new(those), Box::new(others)]
    }
}

/// [`Participant`] without its type.
#[async_trait]
pub(crate) trait Erased: Send + Sync + fmt::Debug {
    fn name(&self) -> &'static str;
    fn prepares(&self) -> bool;
    fn commands(&self) -> &'static [&'static str];
    fn undos(&self) -> &'static [&'static str];
    fn undoes_without_action(&self) -> &'static [&'static str];
    fn only_looks_up(&self) -> &'static [&'static str];

    /// No commands.
    fn nothing(&self) -> Box<dyn Prepared>;

    /// The commands with what was found out; nothing if the participant did not say it of each.
    async fn prepare(&self, commands: Vec<Command>) -> Option<Box<dyn Prepared>>;

    /// Handles the first so many.
    async fn handle(&self, tx: &mut Tx, prepared: &dyn Prepared, first: usize) -> Result<Vec<Answer>, SqlError>;
}

/// A participant with its type.
#[derive(Debug)]
pub(crate) struct Typed<P>(pub(crate) Arc<P>);

#[async_trait]
impl<P: Participant> Erased for Typed<P> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn prepares(&self) -> bool {
        P::PREPARES
    }

    fn commands(&self) -> &'static [&'static str] {
        self.0.commands()
    }

    fn undos(&self) -> &'static [&'static str] {
        self.0.undos()
    }

    fn undoes_without_action(&self) -> &'static [&'static str] {
        self.0.undoes_without_action()
    }

    fn only_looks_up(&self) -> &'static [&'static str] {
        self.0.only_looks_up()
    }

    fn nothing(&self) -> Box<dyn Prepared> {
        Box::new(Vec::<(Command, P::Prepared)>::new())
    }

    async fn prepare(&self, commands: Vec<Command>) -> Option<Box<dyn Prepared>> {
        let found = self.0.prepare(&commands).await;
        let is_whole = found.len() == commands.len();
        is_whole.then(|| Box::new(commands.into_iter().zip(found).collect::<Vec<_>>()) as Box<dyn Prepared>)
    }

    async fn handle(&self, tx: &mut Tx, prepared: &dyn Prepared, first: usize) -> Result<Vec<Answer>, SqlError> {
        let prepared: &dyn Any = prepared;
        match prepared.downcast_ref::<Vec<(Command, P::Prepared)>>() {
            Some(batch) => self.0.handle(tx, &batch[..first.min(batch.len())]).await,
            // Nobody else prepares for it; the kit says so of an answer too few.
            None => Ok(Vec::new()),
        }
    }
}
