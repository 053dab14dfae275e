//! One history, carried out by a store and by the model: the same answers, and the same contents after each commit.

use super::model::{Model, Verdict};
use super::step::{self, KEYS, SAGAS, Step, id};
use baton_orchestrator::search::Search;
use baton_orchestrator::store::conformance::sample::{self, Labelled};
use baton_orchestrator::store::query::{ListQuery, SearchQuery, WholeStore};
use baton_orchestrator::store::{Loaded, StoreError};
use baton_query::filter::parse;
use baton_query::sort::OrderBy;
use proptest::prelude::*;
use saga_core::saga::DefinitionId;
use saga_core::time::Micros;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A clock that the history turns.
#[derive(Clone, Debug)]
pub struct Time(Arc<AtomicI64>);

impl Time {
    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(sample::START.0)))
    }

    /// For a store.
    pub fn clock(&self) -> Arc<dyn Fn() -> Micros + Send + Sync> {
        let time = Arc::clone(&self.0);
        Arc::new(move || Micros(time.load(Ordering::SeqCst)))
    }
}

/// Fails where the store, which is empty, differs from the model.
pub async fn compare(store: &dyn WholeStore, time: &Time, history: Vec<Step>) -> Result<(), TestCaseError> {
    time.0.store(sample::START.0, Ordering::SeqCst);
    let mut model = Model::at(sample::START);
    for step in history {
        match step {
            Step::Pass(us) => model.now.0 = time.0.fetch_add(us, Ordering::SeqCst) + us,
            Step::Commit(batch) => {
                commit(store, &mut model, &batch).await?;
                same_contents(store, &model).await?;
            }
            Step::Get(saga) => prop_assert_eq!(store.get(id(saga)).await.unwrap(), model.get(id(saga))),
            Step::FindKeys(keys) => {
                let keys: Vec<_> = keys.into_iter().map(|key| sample::key(1, key)).collect();
                prop_assert_eq!(store.find_keys(keys.clone()).await.unwrap(), model.find_keys(&keys));
            }
            Step::List(query) => prop_assert_eq!(store.list(query.clone()).await.unwrap(), model.list(&query)),
            Step::Journal(saga, after, limit) => {
                let journal = store.journal(id(saga), after, limit).await.unwrap();
                prop_assert_eq!(journal, model.journal(id(saga), after, limit));
            }
            Step::Look(known, limit, put_off) => look(store, &mut model, known, limit, put_off).await?,
            Step::Forget(us, after, limit) => {
                let (before, after) = (Micros(model.now.0 - us), after.map(id));
                let sweep = store.forget(before, after, limit).await.unwrap();
                prop_assert_eq!((sweep.forgotten, sweep.reached), model.forget(before, after, limit));
                same_contents(store, &model).await?;
            }
            Step::Index(limit) => {
                store.index(&step::labelled().registry(), limit).await.unwrap();
                same_contents(store, &model).await?;
            }
        }
    }
    // At last everything that is under way is due.
    model.now.0 = time.0.fetch_add(AFTER_ALL, Ordering::SeqCst) + AFTER_ALL;
    look(store, &mut model, step::definitions(), SAGAS, 1).await?;
    same_contents(store, &model).await
}

/// Longer than any deadline of a history lies ahead, and than any look puts off.
const AFTER_ALL: i64 = 1_000_000;

/// Puts off to a moment that every store can name: some know no finer ones.
async fn look(
    store: &dyn WholeStore,
    model: &mut Model,
    known: Vec<DefinitionId>,
    limit: u32,
    put_off: i64,
) -> Result<(), TestCaseError> {
    const GRAIN: i64 = 50_000;
    let next = Micros((model.now.0 / GRAIN + put_off) * GRAIN);
    let page = store.look(known.clone(), limit, Duration::MAX, Arc::new(move |_, _| next)).await.unwrap();
    prop_assert!(model.looked_at(&known, limit, &page, next), "{:?} of {:?}", page, known);
    Ok(())
}

async fn commit(store: &dyn WholeStore, model: &mut Model, batch: &step::Batch) -> Result<(), TestCaseError> {
    let batch = batch.without(|saga| model.forgotten(saga).is_some());
    let seen = Arc::new(Mutex::new(None));
    let (slot, decided) = (Arc::clone(&seen), batch.clone());
    let decide = move |loaded: &Loaded| {
        *slot.lock().unwrap() = Some(loaded.clone());
        decided.decide(loaded)
    };
    let answer = store.commit(batch.asked(), Box::new(decide)).await;
    let seen = seen.lock().unwrap().take().expect("a decision was asked for");
    let loaded = model.load(&batch.asked());
    prop_assert_eq!((&seen.records, &seen.broken, seen.now), (&loaded.records, &loaded.broken, loaded.now));
    let changes = batch.decide(&loaded);
    let verdict = model.commit(&changes);
    match answer {
        Ok(written) => prop_assert_eq!((verdict, written), (Verdict::Committed, changes)),
        Err(error) => prop_assert_eq!(verdict_of(&error), Some(verdict), "{:?} for {:?}", error, changes),
    }
    Ok(())
}

fn verdict_of(error: &StoreError) -> Option<Verdict> {
    match error {
        StoreError::Conflict(_) => Some(Verdict::Conflict),
        StoreError::DuplicateKey => Some(Verdict::DuplicateKey),
        StoreError::Refused(_) => Some(Verdict::Refused),
        StoreError::Unavailable(_)
        | StoreError::UnknownOutcome(_)
        | StoreError::Unreadable(_)
        | StoreError::HoldLifted(_)
        | StoreError::RequestTaken => None,
    }
}

/// Everything there is, by every way to read it.
async fn same_contents(store: &dyn WholeStore, model: &Model) -> Result<(), TestCaseError> {
    for saga in (0..SAGAS).map(id) {
        prop_assert_eq!(store.get(saga).await.unwrap(), model.get(saga));
        prop_assert_eq!(store.journal(saga, 0, 100).await.unwrap(), model.journal(saga, 0, 100));
        prop_assert_eq!(store.forgotten(saga).await.unwrap(), model.forgotten(saga));
    }
    let keys: Vec<_> = (0..KEYS).map(|key| sample::key(1, key)).collect();
    prop_assert_eq!(store.find_keys(keys.clone()).await.unwrap(), model.find_keys(&keys));
    for business_key in std::iter::once(None).chain(step::business_keys().map(Some)) {
        let query = ListQuery { business_key, limit: SAGAS, ..ListQuery::default() };
        prop_assert_eq!(store.list(query.clone()).await.unwrap(), model.list(&query));
    }
    for limit in [2, SAGAS] {
        prop_assert_eq!(store.under_way(limit).await.unwrap(), model.under_way(limit));
    }
    for (name, value) in step::ATTRIBUTES {
        let filter = parse(&format!("{name} = {value:?}"), &Labelled::NAMES).unwrap();
        let search = Search::new(filter, step::labelled().registry(), store.now());
        let query = SearchQuery { search, order: OrderBy::default(), after: None, limit: SAGAS, max_rows: 1_000 };
        prop_assert_eq!(
            store.search(query).await.unwrap().records,
            model.found_by(name, value),
            "{} = {}",
            name,
            value
        );
    }
    Ok(())
}
