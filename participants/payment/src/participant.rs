//! How `payment.verify` and `payment.cancel` are answered.

use crate::claim::{Book, Claimant};
use crate::command::{self, CANCEL, Payload, VERIFY};
pub use crate::desk::Prepared;
use crate::desk::{Desk, watched};
use crate::gateway::{Lookup, PaymentGateway};
use crate::holdup::Holdup;
use crate::refund::{self, Budget, Outcome};
use crate::schema::MIGRATIONS;
use crate::watch::Watchlist;
use async_trait::async_trait;
use baton_participant_kit::clock::Clock;
use baton_participant_kit::participant::{Answer, Command, Participant};
use baton_sql::database::{Database, Tx};
use baton_sql::error::SqlError;
use baton_sql::migration::Migration;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a verification waits for a payment that is not there or not paid, unless told otherwise. Below the pauses of a step
/// before the pivot (eight attempts, 11 to 23 s), so that it is the participant who says at last what was missing.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The participant. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PaymentParticipant {
    database: Database,
    gateway: Arc<dyn PaymentGateway>,
    clock: Clock,
    patience: Duration,
}

impl PaymentParticipant {
    /// `database` is the participant's own, the one its commands are answered in. It waits for payments for [`PATIENCE`].
    #[must_use]
    pub fn new(database: Database, gateway: Arc<dyn PaymentGateway>, clock: Clock) -> Self {
        Self { database, gateway, clock, patience: PATIENCE }
    }

    /// The same with another patience: how long from the first time it was asked a verification answers `PAYMENT_NOT_YET`
    /// before it rejects. Zero rejects at once. More than a step's attempts last has no effect.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }
}

/// The participant's own tables, for those who have no gateway to make one with.
#[must_use]
pub fn migrations() -> &'static [Migration] {
    MIGRATIONS
}

#[async_trait]
impl Participant for PaymentParticipant {
    type Prepared = Prepared;

    const PREPARES: bool = true;

    fn name(&self) -> &'static str {
        "payment"
    }

    fn commands(&self) -> &'static [&'static str] {
        &[VERIFY, CANCEL]
    }

    fn undos(&self) -> &'static [&'static str] {
        &[CANCEL]
    }

    fn only_looks_up(&self) -> &'static [&'static str] {
        &[VERIFY]
    }

    fn migrations(&self) -> &'static [Migration] {
        MIGRATIONS
    }

    /// Refunds happen here. A crash afterwards leaves a closed saga, money sent back and a payment marked as on its way
    /// back: the repeated command finds all of it.
    async fn prepare(&self, commands: &[Command]) -> Vec<Prepared> {
        let begun = Instant::now();
        let (budget, holdup) = (Budget::since(begun), Holdup(begun));
        let payloads: Vec<Result<Payload, Answer>> = commands.iter().map(command::parse).collect();
        let (mut verifies, mut refunds) = (Vec::new(), Vec::new());
        for payload in payloads.iter().flatten() {
            match payload {
                Payload::Verify(verify) => verifies.push(verify.claimant.clone()),
                Payload::Cancel(refund) => refunds.push(refund.clone()),
            }
        }
        holdup.before_calls(self.gateway.as_ref()).await;
        let now_us = self.clock.now_us();
        let (lookups, outcomes) = tokio::join!(
            refund::look_up_all(self.gateway.as_ref(), verifies.iter(), budget),
            refund::send_back_all(&self.database, &self.gateway, &refunds, now_us, budget),
        );
        let is_unanswered = lookups.iter().any(|found| matches!(found, Lookup::Unavailable(_)))
            || outcomes.iter().any(|outcome| matches!(outcome, Outcome::Unanswered(_)));
        holdup.before_answers(self.gateway.as_ref(), is_unanswered).await;
        let (mut lookups, mut outcomes) = (lookups.into_iter(), outcomes.into_iter());
        // Both lists have one entry per request of their kind, in order.
        let missing = || refund::unavailable("no answer");
        payloads
            .into_iter()
            .map(|payload| match payload {
                Ok(Payload::Verify(verify)) => match lookups.next() {
                    Some(found) => Prepared::Verify(verify, found),
                    None => Prepared::Answered(missing()),
                },
                Ok(Payload::Cancel(refund)) => match outcomes.next() {
                    Some(outcome) => Prepared::Cancel(refund.claimant, outcome),
                    None => Prepared::Answered(missing()),
                },
                Err(answer) => Prepared::Answered(answer),
            })
            .collect()
    }

    async fn handle(&self, tx: &mut Tx, batch: &[(Command, Prepared)]) -> Result<Vec<Answer>, SqlError> {
        let claimants: Vec<&Claimant> = batch
            .iter()
            .filter_map(|(_, prepared)| match prepared {
                Prepared::Verify(verify, _) => Some(&verify.claimant),
                Prepared::Cancel(claimant, _) => Some(claimant),
                Prepared::Answered(_) => None,
            })
            .collect();
        let book = Book::read(tx, claimants.into_iter()).await?;
        let watchlist = Watchlist::read(tx, &watched(batch)).await?;
        let mut desk = Desk { book, watchlist, patience: self.patience, now_us: self.clock.now_us() };
        let answers = batch.iter().map(|(_, prepared)| desk.answer(prepared)).collect();
        let Desk { book, watchlist, now_us, .. } = desk;
        book.write(tx, now_us).await?;
        watchlist.write(tx).await?;
        Ok(answers)
    }
}
