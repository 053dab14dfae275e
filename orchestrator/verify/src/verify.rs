//! The whole audit: reads page by page, applies every law, counts what each looked at.

use super::books::{self, DeadLetter, Queue, Sums};
use super::databases::dossier::Dossier;
use super::databases::letters::letters;
use super::databases::outbox::{Outbox, outbox};
use super::databases::pages::{Coverage, Pages, of_sagas};
use super::databases::shop::{self, Walk};
use super::databases::{Databases, PAYMENT, ReadError};
use super::history::Call;
use super::laws::history::{HISTORY_LAWS, Memory};
use super::laws::{Case, Found, LAWS, Mode, money};
use super::logs::Scan;
use super::report::Report;
use super::story::Story;
use super::tally::Tally;
use baton_orchestrator::sagas::Registry;
use saga_core::saga::{SagaId, State};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often what looks broken is read again while orders move.
const READINGS: usize = 3;

/// Pause between two readings: longer than any statement of a healthy installation.
const PAUSE: Duration = Duration::from_millis(300);

/// What else there is to look at.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// What clients asked and were told.
    pub history: Option<Vec<Call>>,
    /// Depths of the broker's queues.
    pub queues: Option<Vec<Queue>>,
    /// Messages in the broker's quarantine, beside those that an orchestrator has collected from it.
    pub dead_letters: Option<Vec<DeadLetter>>,
    /// Logs, scanned.
    pub logs: Option<Scan>,
}

/// Audits what `databases` hold. `progress` is told how many sagas were looked at so far. Changes nothing; memory stays
/// within one page of sagas, the outbox and the history.
///
/// In [`Mode::Live`] what looks broken is read again, three times in all: only what is broken in every reading is reported.
///
/// # Errors
/// If anything cannot be read: half an audit would be worse than none.
pub async fn verify(
    databases: &Databases,
    registry: &Registry,
    mode: Mode,
    extras: &Extras,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<Report, ReadError> {
    let coverage = Coverage::of(databases);
    let mut tally = Tally::new(mode);
    let mut sums = Sums::new();
    let mut strangers = BTreeSet::new();
    let waiting = outbox(databases).await?;
    let mut pages = Pages::new(databases);
    let mut done = 0;
    loop {
        let now_us = match (&databases.orchestrator, mode) {
            (Some(store), Mode::Live) => store.now_us().await.ok(),
            _ => None,
        };
        let Some(page) = pages.next(&waiting).await? else { break };
        let view = View { registry, coverage: &coverage, mode, now_us };
        let mut suspects = Vec::new();
        for dossier in &page {
            let seen = view.judge(dossier, &mut strangers);
            view.add_money(dossier, &mut sums);
            if mode == Mode::Live && seen.iter().any(|found| !found.broken.is_empty()) {
                suspects.push((dossier.id, seen));
            } else {
                tally.add(LAWS.iter().map(|law| law.name).zip(seen));
            }
        }
        confirm(databases, &view, suspects, &mut tally).await?;
        done += page.len() as u64;
        progress(done);
    }
    tally.book(books::MONEY, |found| books::money(&sums, found));
    read_books(databases, &waiting, &mut tally).await?;
    read_history(databases, extras, mode, &mut tally).await?;
    let letters = letters(databases).await?;
    surroundings(extras, letters, &mut tally);
    Ok(tally.report(&coverage, extras, &strangers))
}

/// What laws are applied with.
#[derive(Debug)]
struct View<'a> {
    registry: &'a Registry,
    coverage: &'a Coverage,
    mode: Mode,
    now_us: Option<i64>,
}

impl View<'_> {
    /// What each law of [`LAWS`] finds. Sagas of definitions this build does not know are noted.
    fn judge(&self, dossier: &Dossier, strangers: &mut BTreeSet<String>) -> Vec<Found> {
        self.with_case(dossier, |case| {
            if let (Some(saga), None) = (case.saga(), case.definition) {
                strangers.insert(saga.definition.to_string());
            }
            let found = LAWS.iter().map(|law| {
                let mut found = Found::default();
                if law.live || self.mode == Mode::AtRest {
                    (law.check)(case, &mut found);
                }
                found
            });
            found.collect()
        })
    }

    fn add_money(&self, dossier: &Dossier, sums: &mut Sums) {
        self.with_case(dossier, |case| {
            let (Some(saga), Some(input)) = (case.ended(), dossier.order_input()) else { return };
            if !self.coverage.provider || super::laws::end::payment_by_hand(case) {
                return;
            }
            if let Some(payment) = money::named(case, &input) {
                let kept = i128::from(payment.paid) - i128::from(payment.refunded);
                sums.entry(payment.currency.clone()).or_default().0 += kept;
            }
            if saga.state == State::Completed {
                let total = dossier.order.row().map(|order| i128::from(order.total));
                sums.entry(input.currency_code.clone()).or_default().1 += total.unwrap_or_else(|| money::worth(&input));
            }
        });
    }

    fn with_case<T>(&self, dossier: &Dossier, look: impl FnOnce(&Case<'_>) -> T) -> T {
        let saga = dossier.saga.row().map(|record| &record.saga);
        let known = saga.and_then(|saga| self.registry.pinned(&saga.definition));
        let definition = known.map(|known| known.definition());
        let story = match (definition, saga) {
            (Some(definition), Some(saga)) => Story::of(definition, dossier.id, &dossier.journal, saga.version),
            _ => Story::default(),
        };
        let (coverage, mode, now_us) = (self.coverage, self.mode, self.now_us);
        look(&Case { dossier, definition, story: &story, coverage, mode, now_us })
    }
}

/// Reads suspects again and keeps what is broken in every reading.
async fn confirm(
    databases: &Databases,
    view: &View<'_>,
    suspects: Vec<(SagaId, Vec<Found>)>,
    tally: &mut Tally,
) -> Result<(), ReadError> {
    let mut suspects: BTreeMap<SagaId, Vec<Found>> = suspects.into_iter().collect();
    for _ in 1..READINGS {
        let doubtful = |found: &Found| !found.broken.is_empty();
        let ids: Vec<SagaId> =
            suspects.iter().filter(|(_, seen)| seen.iter().any(doubtful)).map(|(id, _)| *id).collect();
        if ids.is_empty() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        let waiting = outbox(databases).await?;
        let again: BTreeMap<SagaId, Vec<Found>> = of_sagas(databases, &ids, &waiting)
            .await?
            .iter()
            .map(|dossier| (dossier.id, view.judge(dossier, &mut BTreeSet::new())))
            .collect();
        for (id, seen) in suspects.iter_mut().filter(|(id, _)| ids.contains(id)) {
            for (index, found) in seen.iter_mut().enumerate() {
                let now = again.get(id).map(|again| &again[index].broken);
                found.broken.retain(|broken| now.is_some_and(|now| now.contains(broken)));
            }
        }
    }
    for seen in suspects.into_values() {
        tally.add(LAWS.iter().map(|law| law.name).zip(seen));
    }
    Ok(())
}

/// What belongs to no single saga. Each side is read before the one that must hold it: see [`super::databases`].
async fn read_books(databases: &Databases, waiting: &Outbox, tally: &mut Tally) -> Result<(), ReadError> {
    let covered = |walk: &Walk<'_>| walk.is_covered();
    let mut items = shop::items(databases);
    if covered(&items) {
        let homeless = shop::homeless_holds(databases).await?;
        tally.book(books::STOCK, |found| books::stock(&[], &homeless, found));
        loop {
            let page = items.next_items().await?;
            if page.is_empty() {
                break;
            }
            tally.book(books::STOCK, |found| books::stock(&page, &[], found));
        }
    }
    let store = databases.orchestrator.is_some();
    let mut orders = shop::orders(databases);
    while store && covered(&orders) {
        let page = orders.next_orders().await?;
        if page.is_empty() {
            break;
        }
        let sagas: Vec<SagaId> = page.iter().filter_map(|order| order.saga).collect();
        let existing = shop::existing(databases, &sagas).await?;
        tally.book(books::NAMED_SAGAS, |found| books::orders(&page, &existing, found));
    }
    let mut claims = shop::claims(databases);
    while covered(&claims) {
        let page = claims.next_claims().await?;
        if page.is_empty() {
            break;
        }
        if store {
            let sagas: Vec<SagaId> = page.iter().map(|claim| claim.saga).collect();
            let existing = shop::existing(databases, &sagas).await?;
            tally.book(books::NAMED_SAGAS, |found| books::claimants(&page, &existing, found));
        }
        if databases.provider.is_some() {
            let ids: Vec<&str> = page.iter().map(|claim| claim.payment.as_str()).collect();
            let payments = shop::payments_of(databases, &ids).await?;
            tally.book(books::CLAIMS, |found| books::claims(&page, &payments, found));
        }
    }
    let mut payments = shop::payments(databases);
    while covered(&payments) && databases.participant(PAYMENT).is_some() {
        let page = payments.next_payments().await?;
        if page.is_empty() {
            break;
        }
        let ids: Vec<&str> = page.iter().filter(|paid| paid.refunds > 0).map(|paid| paid.imp_uid.as_str()).collect();
        let taken = shop::claims_on(databases, &ids).await?;
        tally.book(books::REFUNDS, |found| books::refunds(&page, &taken, found));
    }
    if store {
        let keys = shop::keys(databases).await?;
        tally.book(books::NAMED_SAGAS, |found| books::keys_exist(&keys, found));
        tally.book(books::ONE_SAGA, |found| books::one_saga(&keys, found));
        tally.book(books::OUTBOX, |found| books::outbox(waiting, found));
        tally.book(books::OUTBOX_EMPTY, |found| books::outbox_empty(waiting, found));
    }
    Ok(())
}

async fn read_history(databases: &Databases, extras: &Extras, mode: Mode, tally: &mut Tally) -> Result<(), ReadError> {
    let Some(history) = extras.history.as_ref().filter(|_| databases.orchestrator.is_some()) else { return Ok(()) };
    let orders: BTreeSet<&str> = history.iter().map(|call| call.order.as_str()).filter(|it| !it.is_empty()).collect();
    let memory: Memory = shop::memory(databases, &orders).await?;
    for law in HISTORY_LAWS.iter().filter(|law| law.live || mode == Mode::AtRest) {
        let mut found = Found::default();
        (law.check)(history, &memory, mode, &mut found);
        tally.add([(law.name, found)]);
    }
    Ok(())
}

/// Beside the sagas: queues, dead letters that were collected and those that were not, logs.
fn surroundings(extras: &Extras, mut letters: Vec<DeadLetter>, tally: &mut Tally) {
    if let Some(queues) = &extras.queues {
        tally.book(books::QUEUES_EMPTY, |found| books::queues_empty(queues, found));
    }
    letters.extend(extras.dead_letters.iter().flatten().cloned());
    if extras.dead_letters.is_some() || !letters.is_empty() {
        tally.book(books::QUARANTINE, |found| books::quarantine(&letters, found));
    }
    if let Some(logs) = &extras.logs {
        tally.book(books::LEAKS, |found| books::leaks(logs, found));
    }
}
