//! Defects put in on purpose, so that the tests can show that they would catch them. Compiled in for tests only.

use crate::input::{Input, QueueEntry};
use crate::plan::Apply;
use crate::store::Record;
use baton_courier::bus::{CommandBus, Delivery};
use saga_core::event::{Outcome, Reply};
use saga_core::transition::Command;
use std::fmt;
use std::sync::Arc;

/// Makes a defect of an engine that sends by this bus.
pub type Plant = fn(&Arc<dyn CommandBus>) -> EngineBug;

/// One defect of the engine.
#[derive(Clone)]
pub enum EngineBug {
    /// Commands go out before the state that orders them is durable.
    SendBeforeCommit(Arc<dyn CommandBus>),
    /// Replies are acknowledged before they are applied.
    AckBeforeCommit,
    /// What was sent once is never sent again.
    NeverSendAgain,
    /// The clock of an attempt runs while the couriers are away.
    ClockRunsWhileAway,
    /// To send a command again is to give the attempt up.
    SendingAgainIsAnAttempt,
    /// Another table in place of the machine's.
    Machine(Apply),
}

impl fmt::Debug for EngineBug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SendBeforeCommit(_) => "SendBeforeCommit",
            Self::AckBeforeCommit => "AckBeforeCommit",
            Self::NeverSendAgain => "NeverSendAgain",
            Self::ClockRunsWhileAway => "ClockRunsWhileAway",
            Self::SendingAgainIsAnAttempt => "SendingAgainIsAnAttempt",
            Self::Machine(_) => "Machine",
        })
    }
}

/// [`EngineBug::AckBeforeCommit`]: acknowledges every delivery of the batch and puts a stand-in in its place.
pub(crate) async fn ack_before_commit(planted: Option<&EngineBug>, entries: Vec<QueueEntry>) -> Vec<QueueEntry> {
    if !matches!(planted, Some(EngineBug::AckBeforeCommit)) {
        return entries;
    }
    let mut kept = Vec::with_capacity(entries.len());
    for entry in entries {
        kept.push(match entry {
            QueueEntry::Delivery(replies, delivery) => {
                let stand_in = Delivery::new(delivery.body.clone(), None, false, Box::new(AlreadySettled));
                delivery.ack().await;
                QueueEntry::Delivery(replies, stand_in)
            }
            entry @ (QueueEntry::Start(..) | QueueEntry::Act(..) | QueueEntry::Many(..)) => entry,
        });
    }
    kept
}

/// [`EngineBug::SendingAgainIsAnAttempt`]: bad news of every attempt that nobody has answered yet.
pub(crate) fn given_up(unanswered: &[&Record]) -> Vec<Input> {
    let awaited = unanswered.iter().filter_map(|record| Command::awaited_by(&record.saga));
    let given_up = awaited.map(|Command { id, attempt, .. }| {
        let outcome = Outcome::Unavailable { reason: "NOT_ANSWERED".to_owned(), message: String::new() };
        Input::Reply(id.saga, Reply { step: id.step, direction: id.direction, attempt, outcome })
    });
    given_up.collect()
}

/// A delivery that was settled before.
#[derive(Debug)]
struct AlreadySettled;

#[async_trait::async_trait]
impl baton_courier::bus::Settle for AlreadySettled {
    async fn ack(self: Box<Self>) {}
    async fn dead_letter(self: Box<Self>, _body: bytes::Bytes, _reason: &str) {}
    async fn release(self: Box<Self>) {}
}
