//! How `payment.verify` and `payment.cancel` are answered.

use crate::claim::{Book, ClaimRefusal, Claimant};
use crate::command::{self, CANCEL, Payload, VERIFY, Verify};
use crate::gateway::{Lookup, PaymentGateway, ProviderPayment, ProviderState};
use crate::holdup::Holdup;
use crate::reason;
use crate::refund::{self, Budget, Outcome};
use crate::schema::MIGRATIONS;
use async_trait::async_trait;
use baton_participant_kit::clock::Clock;
use baton_participant_kit::participant::{Answer, Command, Participant};
use baton_sql::database::{Database, Tx};
use baton_sql::error::SqlError;
use baton_sql::migration::Migration;
use std::sync::Arc;
use tokio::time::Instant;

/// The participant. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PaymentParticipant {
    database: Database,
    gateway: Arc<dyn PaymentGateway>,
    clock: Clock,
}

impl PaymentParticipant {
    /// `database` is the participant's own, the one its commands are answered in.
    #[must_use]
    pub fn new(database: Database, gateway: Arc<dyn PaymentGateway>, clock: Clock) -> Self {
        Self { database, gateway, clock }
    }
}

/// The participant's own tables, for those who have no gateway to make one with.
#[must_use]
pub fn migrations() -> &'static [Migration] {
    MIGRATIONS
}

/// What was found out about a command before its transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// What the provider says about a payment to be verified.
    Verify(Verify, Lookup),
    /// What became of a payment to be sent back.
    Cancel(Claimant, Outcome),
    /// The command says nothing that could be done.
    Answered(Answer),
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
        let mut book = Book::read(tx, claimants.into_iter()).await?;
        let now_us = self.clock.now_us();
        let answers = batch
            .iter()
            .map(|(_, prepared)| match prepared {
                Prepared::Verify(verify, found) => verified(&mut book, verify, found, now_us),
                Prepared::Cancel(claimant, outcome) => cancelled(&mut book, claimant, outcome, now_us),
                Prepared::Answered(answer) => answer.clone(),
            })
            .collect();
        book.write(tx, now_us).await?;
        Ok(answers)
    }
}

/// Books what became of a refund, and answers it.
fn cancelled(book: &mut Book, claimant: &Claimant, outcome: &Outcome, now_us: i64) -> Answer {
    match outcome {
        Outcome::SentBack => {
            book.finish_refund(claimant, now_us);
            Answer::done()
        }
        // The provider has shown this payment paid before, so that it contradicts itself. "Done" would close the refund for
        // ever with the money still there; so it comes again, and at last a person is called.
        Outcome::NothingToDo(why) if book.owes(claimant) => {
            tracing::warn!(
                payment_id = claimant.payment_id.as_str(),
                why,
                "a payment that was there cannot be refunded"
            );
            refund::unavailable("the provider lost sight of the payment")
        }
        Outcome::NothingToDo(why) => {
            tracing::info!(payment_id = claimant.payment_id.as_str(), why, "nothing to refund");
            Answer::done()
        }
        // Changes nothing: the command comes again.
        Outcome::Unanswered(answer) => answer.clone(),
    }
}
/// Compares, then claims.
fn verified(book: &mut Book, verify: &Verify, found: &Lookup, now_us: i64) -> Answer {
    let payment = match found {
        Lookup::Found(payment) => payment,
        Lookup::Unknown => return Answer::rejected(reason::PAYMENT_UNKNOWN, "the provider knows no such payment"),
        Lookup::Unavailable(why) => return refund::unavailable(why),
    };
    if let Some(refusal) = mismatch(verify, payment) {
        return refusal;
    }
    match book.claim(&verify.claimant, payment.amount, now_us) {
        Ok(()) => Answer::done(),
        Err(ClaimRefusal::Closed) => Answer::rejected(reason::PAYMENT_CANCELLED, "the saga has cancelled the payment"),
        Err(ClaimRefusal::Taken) => {
            Answer::rejected(reason::PAYMENT_ALREADY_CLAIMED, "the payment is taken or was refunded")
        }
    }
}

/// Why a payment is not the one that the order needs. Whose it is comes first: its amount is nobody else's business.
fn mismatch(verify: &Verify, payment: &ProviderPayment) -> Option<Answer> {
    if payment.merchant_number != verify.claimant.order.to_string() {
        return Some(Answer::rejected(reason::PAYMENT_OF_OTHER_ORDER, "the payment was made under another number"));
    }
    match payment.state {
        ProviderState::Ready | ProviderState::Failed => {
            return Some(Answer::rejected(reason::PAYMENT_NOT_PAID, "the customer has not paid"));
        }
        ProviderState::Cancelled => {
            return Some(Answer::rejected(reason::PAYMENT_CANCELLED, "the payment was cancelled"));
        }
        ProviderState::Paid if payment.cancelled_minor_units != 0 => {
            return Some(Answer::rejected(reason::PAYMENT_CANCELLED, "a part of the payment was cancelled"));
        }
        ProviderState::Paid => {}
    }
    let (wanted, paid) = (verify.money, payment.amount);
    if paid.currency != wanted.currency {
        let message = format!("the order is in {}, the payment in {}", wanted.currency, paid.currency);
        return Some(Answer::rejected(reason::PAYMENT_CURRENCY_MISMATCH, message));
    }
    if paid.minor_units != wanted.minor_units {
        return Some(Answer::rejected(
            reason::PAYMENT_AMOUNT_MISMATCH,
            format!("the order costs {wanted}, paid were {paid}"),
        ));
    }
    None
}
