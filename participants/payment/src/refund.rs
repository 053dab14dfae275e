//! What `payment.cancel` does before its transaction. The only place that moves money, and only back to the customer.
//!
//! Close the saga, look up, take the payment in our own table, then cancel at the provider with the balance it must have.
//! Whatever dies in between, the same steps run again and find what was done: the provider compares the balance, so money
//! goes back once. The saga is closed *before* the look-up: a verification that still gets through has seen the payment
//! paid before we look, so that "there is nothing to send back" cannot become untrue. The payment is taken *before* the
//! provider is asked to cancel, so that no other saga can verify it while it is on its way back.

use crate::claim::{Book, Claimant};
use crate::gateway::{Cancelled, LIST_MAX, Lookup, PaymentGateway, ProviderPayment, ProviderState};
use crate::money::Money;
use crate::{crash_points, reason};
use baton_crash_point::hit;
use baton_participant_kit::participant::Answer;
use baton_participant_kit::reason::STORE_UNAVAILABLE;
use baton_rpc::reason::Reason;
use baton_sql::database::{Database, Verdict};
use baton_sql::error::SqlError;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use shop_domain::identifier::PaymentId;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Lists asked for at once for one batch.
const LISTS: usize = 8;

/// Calls to the provider begun at once for one batch; the gateway has a bound of its own.
const CONCURRENCY: usize = 64;

/// No call of a batch begins later than this after the batch; what is left is answered `Unavailable` and comes again. As
/// long as one exchange may take: whoever waits behind a provider that hangs is told before its step times out (5 s), or
/// soon after, and a batch ends within this time and one call.
const BUDGET: Duration = Duration::from_secs(3);

/// How often the rows of a batch are read again because another worker wrote one of them meanwhile.
const BOOK_ATTEMPTS: usize = 3;

/// A payment to be sent back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Who asks, and for which payment.
    pub claimant: Claimant,
    /// Why, for the provider.
    pub reason: String,
}

/// How that went, as far as it can go outside the transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing of the customer's money is left at the provider.
    SentBack,
    /// It is not ours to send back, or there is nothing; why. Our own book may know better: see [`Book::owes`].
    NothingToDo(Nothing),
    /// It cannot be said now.
    Unanswered(Answer),
}

/// Why there is nothing to send back, as far as the provider and our own book say today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nothing {
    /// The provider knows no such payment. It may know it later.
    Unknown,
    /// The customer has not paid, and may still do so.
    NotPaid,
    /// The payment was made under another order's number; what the provider holds of it.
    OtherOrder(Money),
    /// Another saga or order has the payment; what the provider holds of it.
    OtherSaga(Money),
}

impl Nothing {
    /// The word for it.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::Unknown => reason::PAYMENT_UNKNOWN,
            Self::NotPaid => reason::PAYMENT_NOT_PAID,
            Self::OtherOrder(_) => reason::PAYMENT_OF_OTHER_ORDER,
            Self::OtherSaga(_) => reason::PAYMENT_ALREADY_CLAIMED,
        }
    }

    /// What the provider holds of the payment, if it has shown one that was paid.
    #[must_use]
    pub fn held(self) -> Option<Money> {
        match self {
            Self::Unknown | Self::NotPaid => None,
            Self::OtherOrder(held) | Self::OtherSaga(held) => Some(held),
        }
    }
}

/// The time in which a batch may begin calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget(Instant);

impl Budget {
    /// The time of a batch that began then.
    pub(crate) fn since(begun: Instant) -> Self {
        Self(begun + BUDGET)
    }

    fn is_spent(self) -> bool {
        Instant::now() >= self.0
    }
}

/// Looks up one payment per item, in order: many in one exchange, and alone what that did not tell.
pub(crate) async fn look_up_all<'a>(
    gateway: &dyn PaymentGateway,
    payments: impl Iterator<Item = &'a Claimant> + Send,
    budget: Budget,
) -> Vec<Lookup> {
    let ids: Vec<PaymentId> = payments.map(|claimant| claimant.payment_id.clone()).collect();
    let mut found: Vec<Option<Lookup>> = Vec::with_capacity(ids.len());
    if ids.len() > 1 {
        let lists = ids.chunks(LIST_MAX).map(|ids| async move {
            // Alone they would not be asked either.
            if budget.is_spent() { vec![None; ids.len()] } else { gateway.lookup_many(ids).await }
        });
        let lists: Vec<_> = lists.collect();
        found.extend(stream::iter(lists).buffered(LISTS).collect::<Vec<_>>().await.into_iter().flatten());
    }
    found.resize(ids.len(), None);
    let calls = ids.iter().zip(found).map(|(id, found)| async move {
        match found {
            Some(found) => found,
            None if budget.is_spent() => Lookup::Unavailable("no time left in this batch".to_owned()),
            None => gateway.lookup(id).await,
        }
    });
    // Collected first: a lazy iterator of borrowing futures is not known to be `Send`.
    let calls: Vec<_> = calls.collect();
    stream::iter(calls).buffered(CONCURRENCY).collect().await
}

/// Sends back what belongs to the refunds' orders; one outcome per refund, in order. May be repeated at any time.
pub(crate) async fn send_back_all(
    database: &Database,
    gateway: &Arc<dyn PaymentGateway>,
    refunds: &[Refund],
    now_us: i64,
    budget: Budget,
) -> Vec<Outcome> {
    if let Err(error) = close(database, refunds, now_us).await {
        tracing::warn!(%error, "sagas could not be closed for their refund");
        return refunds.iter().map(|_| Outcome::Unanswered(store_away())).collect();
    }
    let lookups = look_up_all(gateway.as_ref(), refunds.iter().map(|refund| &refund.claimant), budget).await;
    let mut verdicts: Vec<Result<ProviderPayment, Outcome>> =
        refunds.iter().zip(lookups).map(|(refund, found)| candidate(refund, found)).collect();
    let wanted: Vec<(Claimant, ProviderPayment)> = refunds
        .iter()
        .zip(&verdicts)
        .filter_map(|(refund, verdict)| Some((refund.claimant.clone(), verdict.as_ref().ok()?.clone())))
        .collect();
    match take(database, wanted, now_us).await {
        Ok(taken) => {
            for (verdict, taken) in verdicts.iter_mut().filter(|verdict| verdict.is_ok()).zip(taken) {
                if let Ok(payment) = verdict
                    && !taken
                {
                    *verdict = Err(Outcome::NothingToDo(Nothing::OtherSaga(payment.remaining())));
                }
            }
        }
        Err(error) => {
            tracing::warn!(%error, "payments could not be taken for their refund");
            for verdict in verdicts.iter_mut().filter(|verdict| verdict.is_ok()) {
                *verdict = Err(Outcome::Unanswered(store_away()));
            }
        }
    }
    let calls: Vec<_> = refunds
        .iter()
        .zip(verdicts)
        .map(|(refund, verdict)| async move {
            match verdict {
                Ok(payment) => send_back(gateway.as_ref(), refund, payment, budget).await,
                Err(outcome) => outcome,
            }
        })
        .collect();
    stream::iter(calls).buffered(CONCURRENCY).collect().await
}

/// The payment, if it may belong to the order and money was taken; otherwise what that means for the refund.
fn candidate(refund: &Refund, found: Lookup) -> Result<ProviderPayment, Outcome> {
    let payment = match found {
        Lookup::Found(payment) => payment,
        Lookup::Unknown => return Err(Outcome::NothingToDo(Nothing::Unknown)),
        Lookup::Unavailable(why) => return Err(Outcome::Unanswered(unavailable(&why))),
    };
    if payment.merchant_number != refund.claimant.order.to_string() {
        return Err(Outcome::NothingToDo(Nothing::OtherOrder(payment.remaining())));
    }
    match payment.state {
        ProviderState::Ready | ProviderState::Failed => Err(Outcome::NothingToDo(Nothing::NotPaid)),
        ProviderState::Paid | ProviderState::Cancelled => Ok(payment),
    }
}

/// Closes the sagas: from here on they cannot claim. They have given up, so that it does no harm if nothing comes of the
/// refund this time.
async fn close(database: &Database, refunds: &[Refund], now_us: i64) -> Result<(), SqlError> {
    let claimants = refunds.iter().map(|refund| refund.claimant.clone()).collect::<Vec<_>>();
    let sagas = claimants.iter().map(|claimant| claimant.saga).collect::<Vec<_>>();
    in_book(database, claimants, now_us, move |book| sagas.iter().for_each(|saga| book.close(*saga))).await.map(drop)
}

/// Takes the payments in our own table, all in one transaction; says for each whether its saga has it now.
async fn take(
    database: &Database,
    wanted: Vec<(Claimant, ProviderPayment)>,
    now_us: i64,
) -> Result<Vec<bool>, SqlError> {
    let claimants = wanted.iter().map(|(claimant, _)| claimant.clone()).collect();
    let taken = in_book(database, claimants, now_us, move |book| {
        wanted.iter().map(|(claimant, payment)| book.begin_refund(claimant, payment.amount, now_us)).collect()
    });
    Ok(taken.await?.unwrap_or_default())
}

/// Changes the book in a transaction of its own; nothing if it is about nobody.
async fn in_book<T: Send + 'static>(
    database: &Database,
    claimants: Vec<Claimant>,
    now_us: i64,
    change: impl Fn(&mut Book) -> T + Send + Sync + 'static,
) -> Result<Option<T>, SqlError> {
    if claimants.is_empty() {
        return Ok(None);
    }
    let work = Arc::new((claimants, change));
    let mut last = SqlError::Conflict("the payments kept moving".to_owned());
    for _ in 0..BOOK_ATTEMPTS {
        let work = Arc::clone(&work);
        let changed = database.transaction(move |tx| {
            let work = Arc::clone(&work);
            async move {
                let mut book = Book::read(tx, work.0.iter()).await?;
                let changed = (work.1)(&mut book);
                book.write(tx, now_us).await?;
                Ok(Verdict::Commit(Some(changed)))
            }
            .boxed()
        });
        match changed.await {
            // Another worker wrote one of these rows since they were read, or it is not known whether we did: read again.
            Err(error @ (SqlError::Duplicate(_) | SqlError::UnknownOutcome(_))) => last = error,
            ended => return ended,
        }
    }
    Err(last)
}

/// Cancels at the provider, unless nothing is left there, and finds out what a doubtful answer meant.
async fn send_back(gateway: &dyn PaymentGateway, refund: &Refund, payment: ProviderPayment, budget: Budget) -> Outcome {
    let remaining = payment.remaining();
    if remaining.minor_units == 0 {
        return Outcome::SentBack;
    }
    if budget.is_spent() {
        return Outcome::Unanswered(unavailable("no time left in this batch"));
    }
    let payment_id = &refund.claimant.payment_id;
    hit(crash_points::PAYMENT_BEFORE_REFUND);
    let cancelled = gateway.cancel(payment_id, remaining, &refund.reason).await;
    hit(crash_points::PAYMENT_AFTER_REFUND);
    let refused = match cancelled {
        Cancelled::Done(payment) if payment.remaining().minor_units == 0 => return Outcome::SentBack,
        Cancelled::Done(_) => None,
        Cancelled::Refused { message } => Some(message),
        Cancelled::InDoubt(_) => None,
    };
    if budget.is_spent() {
        // The next attempt begins with this look-up.
        return Outcome::Unanswered(unavailable("no time left in this batch"));
    }
    // A refusal may mean that an earlier attempt has worked after all; only the provider knows.
    match (gateway.lookup(payment_id).await, refused) {
        (Lookup::Found(payment), _) if payment.remaining().minor_units == 0 => Outcome::SentBack,
        (Lookup::Found(_), Some(message)) => {
            tracing::warn!(payment_id = payment_id.as_str(), message, "the provider refuses a refund");
            // Not a rejection: stored refusals are for ever, and an operator must be able to try again.
            Outcome::Unanswered(Answer::unavailable(reason::PAYMENT_REFUND_REFUSED, "the provider refuses the refund"))
        }
        (Lookup::Found(_), None) => Outcome::Unanswered(unavailable("the refund has not happened yet")),
        (Lookup::Unknown, _) => Outcome::Unanswered(unavailable("the provider lost sight of the payment")),
        (Lookup::Unavailable(why), _) => Outcome::Unanswered(unavailable(&why)),
    }
}

fn store_away() -> Answer {
    Answer::unavailable(STORE_UNAVAILABLE, "the payment database is unavailable")
}

/// The answer while the provider does not say.
pub(crate) fn unavailable(why: &str) -> Answer {
    Answer::unavailable(reason::PROVIDER_UNAVAILABLE, format!("the payment provider did not answer: {why}"))
}
