//! The simulator's source of evidence: rows, journals and messages straight from the stage, the shop's tables from the
//! databases in memory, money from the provider's ledger, and what clients were told from the clients.

use super::answer::ClientAnswer;
use super::client::{self, Purpose};
use super::finished_run::FinishedRun;
use super::life::at_first_poll;
use super::provider;
use super::stage::Stage;
use baton_orchestrator::api::start::business_start_key;
use baton_orchestrator::store::{Holder, Record};
use baton_verify::coverage::{Coverage, DEAD_LETTERS, HISTORY, JOURNALS, Mode, Part, QUEUES, SAGAS, START_KEYS};
use baton_verify::databases::domain::Domain as _;
use baton_verify::databases::tables::{Range, ledger};
use baton_verify::databases::{Databases, Sagas};
use baton_verify::evidence::{DeadLetter, Evidence, Queue, Reference};
use baton_verify::history::{Call, Kind, Outcome};
use baton_verify::memory::Memory;
use baton_verify::own::Own;
use baton_verify::saga_evidence::{Read, SagaEvidence};
use baton_verify::story::JournalRow;
use shop_audit::databases::Shop;
use shop_audit::evidence::{
    BYSTANDERS, Bystander, CLAIMS, ITEMS, ORDERS, OrderStates, PAYMENTS, Payment, ShopAtLarge, ShopSaga,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// Journal entries and letters read at most; no run comes near.
const MOST: u32 = 100_000;

/// What the engine can give.
const OF_ENGINE: [Part; 5] = [SAGAS, JOURNALS, START_KEYS, QUEUES, DEAD_LETTERS];

/// What the engine and its participants' ledgers say, of any saga.
pub fn of_engine(stage: &Stage, records: &[Record], mode: Mode) -> Result<Evidence, String> {
    let (sagas, evidence) = engine(stage, records, mode)?;
    Ok(Evidence { sagas: sagas.into_values().collect(), ..evidence })
}

fn engine(stage: &Stage, records: &[Record], mode: Mode) -> Result<(Sagas, Evidence), String> {
    let coverage = Coverage::of(&OF_ENGINE, stage.databases.keys().cloned());
    let mut evidence = Evidence::new(mode, &Arc::new(coverage));
    let looks = stage.kept.looks()?;
    let mut sagas = Sagas::new();
    for record in records {
        let id = record.saga.id;
        let journal = at_first_poll(stage.store.journal(id, 0, MOST))?.into_iter().map(|entry| JournalRow {
            version: i64::try_from(entry.version).unwrap_or(i64::MAX),
            at: entry.at.0,
            record: Ok(entry.record),
        });
        let (saga, journal, look_at) = (Read::Row(record.clone()), journal.collect(), looks.get(&id).copied());
        sagas.insert(id, SagaEvidence { saga, journal, look_at, ..SagaEvidence::new(id) });
    }
    start_keys(stage, &mut sagas, &mut evidence)?;
    for (name, database) in &stage.databases {
        at_first_poll(ledger(database, name, &Range::default(), &mut sagas))?;
    }
    let letter = |id: Uuid, reason: &str, unsent| {
        let (queue, message, reason) = ("quarantine".to_owned(), id.to_string(), Some(reason.to_owned()));
        DeadLetter { queue, message, reason, unsent }
    };
    let unsent = at_first_poll(stage.operations().unsent_letters(MOST))?;
    evidence.dead_letters = unsent.iter().map(|(unsent, _)| letter(unsent.id, &unsent.reason, true)).collect();
    let inner = stage.world.lock();
    evidence.queues = vec![Queue { name: "all".to_owned(), messages: inner.broker.waiting() as u64 }];
    evidence.dead_letters.extend(inner.broker.dead.iter().map(|buried| letter(buried.id, &buried.reason, false)));
    drop(inner);
    Ok((sagas, evidence))
}

/// Who holds the business keys that sagas have.
fn start_keys(stage: &Stage, sagas: &mut Sagas, evidence: &mut Evidence) -> Result<(), String> {
    let mut keys: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for saga in sagas.values().filter(|saga| !saga.business_key().is_empty()) {
        let Some(record) = saga.saga.row() else { continue };
        let key = business_start_key(&record.saga.definition.name, &record.business_key);
        keys.entry(key).or_default().push(saga.id);
    }
    for holder in at_first_poll(stage.store.find_keys(keys.keys().copied().collect()))? {
        let Holder { key, saga, .. } = holder;
        evidence.start_keys += 1;
        if !sagas.contains_key(&saga) {
            evidence.references.push(Reference { by: "a start key".to_owned(), saga, is_there: false });
        }
        for id in &keys[&key] {
            if let Some(saga) = sagas.get_mut(id) {
                saga.start_key = Some(holder);
            }
        }
        if let [first, _, ..] = keys[&key].as_slice() {
            let count = i64::try_from(keys[&key].len()).unwrap_or(i64::MAX);
            evidence.shared_keys.push((sagas[first].business_key().to_owned(), count));
        }
    }
    Ok(())
}

/// The whole of it, the shop included.
pub fn evidence(run: &FinishedRun<'_>) -> Result<Evidence, String> {
    let stage = run.stage;
    let (mut sagas, evidence) = engine(stage, run.records, Mode::Finished)?;
    let database = |name: &str| stage.databases.get(name).cloned();
    let shop =
        Shop { order: database("order"), payment: database("payment"), stock: database("stock"), provider: None };
    at_first_poll(shop.of_sagas(&Range::default(), &mut sagas))?;
    let mut at_large = ShopAtLarge::default();
    let collect = &mut |page: Evidence| {
        if let Some(own) = page.own.get::<ShopAtLarge>() {
            at_large.shelves.extend(own.shelves.iter().cloned());
            at_large.homeless.extend(own.homeless.iter().cloned());
            at_large.claims.extend(own.claims.iter().cloned());
        }
    };
    at_first_poll(shop.at_large(&Databases::default(), collect))?;
    money(run, &mut sagas, &mut at_large);
    let history: Vec<Call> = run.clients.calls.iter().map(|asked| call(run, asked)).collect();
    let keys: BTreeSet<&str> = history.iter().map(|call| call.key.as_str()).collect();
    let mut own = Own::default().with(at_large).with(OrderStates::default());
    at_first_poll(shop.of_keys(&keys, &mut own))?;
    let mut coverage = Coverage::clone(&evidence.coverage);
    coverage.parts.extend([HISTORY, ORDERS, ITEMS, CLAIMS, PAYMENTS, BYSTANDERS]);
    let sagas: Vec<SagaEvidence> = sagas.into_values().collect();
    let (memory, coverage) = (Memory::of(&sagas), Arc::new(coverage));
    Ok(Evidence { sagas, history, memory, own, coverage, ..evidence })
}

/// What the provider's ledger holds, beside what it is about.
fn money(run: &FinishedRun<'_>, sagas: &mut Sagas, at_large: &mut ShopAtLarge) {
    let inner = run.stage.world.lock();
    let payments = inner.provider.payments.iter().map(|(id, paid)| payment(id, paid));
    let mut by_order: BTreeMap<String, Vec<Payment>> = BTreeMap::new();
    for payment in payments {
        if payment.refunds > 0 || payment.refunded > 0 {
            let claim = at_large.claims.iter().map(|(claim, _)| claim).find(|claim| claim.payment == payment.imp_uid);
            at_large.refunds.push((payment.clone(), claim.cloned()));
        }
        by_order.entry(payment.merchant_uid.clone()).or_default().push(payment);
    }
    for (claim, on) in &mut at_large.claims {
        *on = inner.provider.payments.get(&claim.payment).map(|paid| payment(&claim.payment, paid));
    }
    for saga in sagas.values_mut().filter(|saga| saga.own.get::<ShopSaga>().is_some()) {
        let payments = by_order.remove(saga.business_key()).unwrap_or_default();
        saga.own.entry::<ShopSaga>().payments = payments;
    }
    // What is left was paid for orders that no saga is about.
    let others = by_order.into_values().flatten().filter(|payment| payment.paid > 0);
    at_large.bystanders = others.map(|payment| Bystander { payment, refunded: 0 }).collect();
}

fn payment(id: &str, paid: &provider::Payment) -> Payment {
    Payment {
        imp_uid: id.to_owned(),
        merchant_uid: paid.merchant.clone(),
        currency: paid.currency.to_string(),
        paid: paid.paid,
        refunded: paid.refunded,
        refunds: paid.refunds,
    }
}

/// A call in the auditor's words. The other request's id is the order's number with another end.
fn call(run: &FinishedRun<'_>, asked: &client::Call) -> Call {
    let key = run.workload.orders[asked.order].number.to_string();
    let request = format!("{key}{}", if asked.purpose == Purpose::OtherRequest { " again" } else { "" });
    let refused = |code: &str| Outcome::Fail { code: code.to_owned() };
    let outcome = match &asked.outcome {
        Some(ClientAnswer::Ok(saga, end)) => {
            let state = end.map(|end| end.as_str_name());
            return Call::started(&request, &key, &saga.to_string(), state);
        }
        Some(ClientAnswer::NotStarted(reason) | ClientAnswer::Conflict(reason)) => refused(reason),
        Some(ClientAnswer::Unknown | ClientAnswer::Internal(_)) | None => Outcome::Unknown,
    };
    Call { kind: Kind::Place, client: String::new(), request, key, begun: 0, ended: Some(1), outcome }
}
