//! Looks again at the payments on the watch list, and sends back what has turned up: on the same way as `payment.cancel`, so
//! exactly once, whoever else is at it.
//!
//! A round takes rows that are due and puts them off in one transaction, so that no two instances look at one at the same time;
//! one that dies costs its rows that pause. Then it looks, and notes what it found in another transaction.

use crate::claim::{Book, Claimant};
use crate::gateway::{LIST_MAX, Lookup, PaymentGateway};
use crate::metrics::PaymentMetrics;
use crate::outcome::{Booked, looked, looked_only};
use crate::refund::{self, Budget, Outcome, Refund};
use crate::schedule;
use crate::tally::WatchTally;
use crate::watch::{WATCH_COLUMNS, Watch, WatchState, Watchlist};
use baton_participant_kit::clock::Clock;
use baton_sql::database::{Database, Verdict};
use baton_sql::error::SqlError;
use baton_sql::value::Value;
use futures_util::FutureExt as _;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Payments of one round: one list of the provider.
const ROUND: usize = LIST_MAX;

/// Between two rounds. With a full list in each that is fifty payments a second, more than orders are undone.
const PAUSE: Duration = Duration::from_secs(2);

/// Between two counts: the watch list may hold a day's unpaid orders.
const COUNT_EVERY: Duration = Duration::from_secs(15);

/// Rows that are being looked at are nobody else's for so long: many times what a round takes (3 s and one call).
const LEASE: Duration = Duration::from_secs(60);

/// Clocks of instances may differ by so much. A row that was written later than that from now was written under a clock that was
/// wrong, and what it says of the future is wrong, too.
const SKEW: Duration = Duration::from_secs(60);

/// How often a note is tried again because another worker wrote one of its rows meanwhile.
const NOTE_ATTEMPTS: usize = 3;

/// Why money goes back, for the provider.
const REASON: &str = "PAYMENT_CAME_TOO_LATE";

/// The worker. Any number of them, in any number of processes, share a database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reconciler {
    database: Database,
    gateway: Arc<dyn PaymentGateway>,
    clock: Clock,
    metrics: PaymentMetrics,
}

/// What was found out about one row.
#[derive(Clone, Debug)]
enum Finding {
    /// Of a saga that has given up: what became of the refund.
    Refund(Outcome),
    /// Of a saga that may still claim: what the provider shows.
    Lookup(Lookup),
}

impl Reconciler {
    /// Over the participant's database and its gateway, whose pauses it keeps.
    #[must_use]
    pub fn new(database: Database, gateway: Arc<dyn PaymentGateway>, clock: Clock, metrics: PaymentMetrics) -> Self {
        Self { database, gateway, clock, metrics }
    }

    /// Works until `stop`, after the round in hand.
    pub async fn run(&self, stop: CancellationToken) {
        let mut counted = None::<Instant>;
        let mut is_well = true;
        loop {
            let mut round = self.run_once().await.map(drop);
            if counted.is_none_or(|counted| counted.elapsed() >= COUNT_EVERY) {
                counted = Some(Instant::now());
                round = round.and(self.mend_times().await).and(self.count().await);
            }
            if let Err(error) = &round
                && is_well
            {
                tracing::warn!(%error, "payments that came late cannot be looked at");
            }
            is_well = round.is_ok();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// One round: at most 100 payments that are due. Returns how many were looked at; none while the provider wants to be left
    /// alone.
    ///
    /// # Errors
    /// As [`Database::transaction`]. What was sent back is found at the next look.
    pub async fn run_once(&self) -> Result<usize, SqlError> {
        if self.gateway.pause().is_some() {
            return Ok(0);
        }
        let now_us = self.clock.now_us();
        let due = self.take(now_us).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let (awaited, given_up): (Vec<Watch>, Vec<Watch>) =
            due.into_iter().partition(|watch| watch.state == WatchState::Awaited);
        let refunds: Vec<Refund> = given_up
            .iter()
            .map(|watch| Refund { claimant: watch.claimant.clone(), reason: REASON.to_owned() })
            .collect();
        let budget = Budget::since(Instant::now());
        let outcomes = refund::send_back_all(&self.database, &self.gateway, &refunds, now_us, budget).await;
        let lookups = refund::look_up_all(self.gateway.as_ref(), awaited.iter().map(|it| &it.claimant), budget).await;
        let found = given_up.into_iter().zip(outcomes.into_iter().map(Finding::Refund));
        let found = found.chain(awaited.into_iter().zip(lookups.into_iter().map(Finding::Lookup)));
        self.note(found.collect()).await
    }

    /// Sets the gauges to what the database holds.
    ///
    /// # Errors
    /// As [`Database::query`].
    pub async fn count(&self) -> Result<(), SqlError> {
        self.metrics.counted(&WatchTally::read(&self.database).await?);
        Ok(())
    }

    /// Rows from the future are due now: a clock that was set back by an hour must not keep money for that hour.
    ///
    /// # Errors
    /// As [`Database::transaction`].
    pub async fn mend_times(&self) -> Result<(), SqlError> {
        let now_us = self.clock.now_us();
        let mended = self.database.transaction(move |tx| {
            async move {
                let of_state = "UPDATE payment_watch SET since = CASE WHEN since > ? THEN ? ELSE since END, look_at = ?, \
                                updated_at = ? WHERE updated_at > ? AND look_at IS NOT NULL AND";
                let limit = schedule::after(now_us, SKEW);
                let awaited = WatchState::Awaited.stored();
                let of_awaited = schedule::after(now_us, schedule::AWAITED_FOR);
                let mut mended = 0;
                for (condition, look_at) in [("state <> ?", now_us), ("state = ?", of_awaited)] {
                    let args = [now_us, now_us, look_at, now_us, limit, awaited].map(Value::Int).to_vec();
                    mended += tx.execute(&format!("{of_state} {condition}"), args).await?;
                }
                Ok(Verdict::Commit(mended))
            }
            .boxed()
        });
        let mended = mended.await?;
        if mended > 0 {
            tracing::warn!(
                payments = mended,
                "payments were to be looked at by a clock that was wrong; they are looked at now"
            );
        }
        Ok(())
    }

    /// What is due, put off.
    async fn take(&self, now_us: i64) -> Result<Vec<Watch>, SqlError> {
        let taken = self.database.transaction(move |tx| {
            async move {
                let sql = format!(
                    "SELECT {WATCH_COLUMNS} FROM payment_watch WHERE look_at <= ? ORDER BY look_at LIMIT ?{}",
                    tx.for_update()
                );
                let limit = i64::try_from(ROUND).unwrap_or(i64::MAX);
                let rows = tx.query(&sql, vec![now_us.into(), limit.into()]).await?;
                let due = rows.iter().map(Watch::from_row).collect::<Result<Vec<_>, _>>()?;
                let sagas = due.iter().map(|watch| watch.claimant.saga).collect::<BTreeSet<_>>();
                let until = schedule::after(now_us, LEASE);
                let sagas = sagas.into_iter().map(Value::from).collect();
                let put_off = "UPDATE payment_watch SET look_at = ?, updated_at = ? WHERE saga_id";
                tx.execute_in(put_off, vec![until.into(), now_us.into()], sagas).await?;
                Ok(Verdict::Commit(due))
            }
            .boxed()
        });
        taken.await
    }

    /// Writes down what was found, of rows that nobody has changed meanwhile.
    async fn note(&self, found: Vec<(Watch, Finding)>) -> Result<usize, SqlError> {
        let (count, found, now_us) = (found.len(), Arc::new(found), self.clock.now_us());
        let mut last = SqlError::Conflict("the payments kept moving".to_owned());
        for _ in 0..NOTE_ATTEMPTS {
            let found = Arc::clone(&found);
            let noted = self.database.transaction(move |tx| {
                let found = Arc::clone(&found);
                async move {
                    let claimants: Vec<Claimant> = found.iter().map(|(watch, _)| watch.claimant.clone()).collect();
                    let mut book = Book::read(tx, claimants.iter()).await?;
                    let sagas = claimants.iter().map(|claimant| claimant.saga).collect();
                    let mut watchlist = Watchlist::read(tx, &sagas).await?;
                    let refunded = settle(&found, &mut book, &mut watchlist, now_us);
                    book.write(tx, now_us).await?;
                    watchlist.write(tx).await?;
                    Ok(Verdict::Commit(refunded))
                }
                .boxed()
            });
            match noted.await {
                Ok(refunded) => {
                    self.metrics.refunded_late(refunded);
                    return Ok(count);
                }
                Err(error @ (SqlError::Duplicate(_) | SqlError::UnknownOutcome(_))) => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }
}

/// Changes both tables in memory; returns how many payments have gone back.
fn settle(found: &[(Watch, Finding)], book: &mut Book, watchlist: &mut Watchlist, now_us: i64) -> usize {
    let mut refunded = 0;
    for (watch, finding) in found {
        let claimant = &watch.claimant;
        // A command of its saga has come in between: it knew better.
        let is_ours = watchlist
            .get(claimant.saga)
            .is_some_and(|row| (row.state, row.looks, row.since_us) == (watch.state, watch.looks, watch.since_us));
        if !is_ours {
            continue;
        }
        let booked = Booked { owed: book.owed(claimant), is_taken: book.is_taken(&claimant.payment_id) };
        let next = match finding {
            Finding::Refund(outcome) => {
                if *outcome == Outcome::SentBack {
                    refunded += usize::from(booked.owed.is_some());
                    book.finish_refund(claimant, now_us);
                }
                looked(watch, outcome, booked, now_us)
            }
            Finding::Lookup(lookup) => looked_only(watch, lookup, booked, now_us),
        };
        tell(watch, next.as_ref(), finding);
        match next {
            Some(next) => watchlist.put(next),
            None => watchlist.remove(claimant.saga),
        }
    }
    refunded
}

/// One line for what a person may want to know; that nothing came is no news.
fn tell(watch: &Watch, next: Option<&Watch>, finding: &Finding) {
    let payment_id = watch.claimant.payment_id.as_str();
    match (next, finding) {
        (None, Finding::Refund(Outcome::SentBack)) => {
            tracing::info!(payment_id, "a payment that came too late has gone back");
        }
        (Some(next), _) if next.state == WatchState::Open && watch.state != WatchState::Open => {
            tracing::warn!(payment_id, reason = next.reason, "a payment waits for a person's decision");
        }
        _ => tracing::debug!(payment_id, "nothing new of a payment that was given up"),
    }
}
