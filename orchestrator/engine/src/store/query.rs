//! What people ask of the sagas: lists, searches, counts, and what is left of a saga that is gone. No saga is driven by it.

use crate::sagas::Registry;
use crate::search::Search;
use crate::store::indexing::Indexed;
use crate::store::purge::Forgotten;
use crate::store::{Record, SagaStore, StateCode, StoreError};
use async_trait::async_trait;
use baton_query::sort::{Cursor, OrderBy};
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::fmt;

/// Which sagas to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Only these states, by stored code; empty means all.
    pub states: Vec<StateCode>,
    /// Only this business key.
    pub business_key: Option<String>,
    /// Only sagas older than this id (ids are time-ordered): the keyset.
    pub before: Option<SagaId>,
    /// At most this many, newest first.
    pub limit: u32,
}

/// A page of a search.
#[derive(Clone, Debug)]
pub struct SearchQuery {
    /// Which sagas.
    pub search: Search,
    /// In which order.
    pub order: OrderBy,
    /// Only sagas behind this place in it: the keyset.
    pub after: Option<Cursor>,
    /// At most this many, at least one.
    pub limit: u32,
    /// At most so many rows are read, at least one: a page may be short, or empty, before the end.
    pub max_rows: u32,
}

/// What a page of a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The sagas, in the order that was asked for.
    pub records: Vec<Record>,
    /// Sagas that the page came across and whose rows do not decode: they never hide the others.
    pub unreadable: Vec<SagaId>,
    /// Where to go on: behind this place. `None` at the end, and only there.
    pub next: Option<Cursor>,
    /// Where an index led to them: when the oldest saga was created that it had not reached, so that it and younger ones
    /// were looked at one by one. `None` if there is none, or no index.
    pub indexed_until: Option<Micros>,
}

/// How many sagas a search selects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// So many, of those that were looked at.
    pub count: u64,
    /// False if there may be more: counting stopped at a bound.
    pub exact: bool,
}

/// Answers about sagas as they are committed; all it writes is the index that searches go by. Every implementation passes
/// the suite in `baton_store::conformance`.
#[async_trait]
pub trait SagaQuery: Send + Sync + fmt::Debug + 'static {
    /// A page of sagas, newest first.
    async fn list(&self, query: ListQuery) -> Result<Vec<Record>, StoreError>;

    /// A page of the sagas that a search selects, in order: all of them in the end, whatever the bounds, if the caller
    /// goes on from [`Found::next`] until there is none.
    async fn search(&self, query: SearchQuery) -> Result<Found, StoreError>;

    /// How many sagas a search selects: counts no further than `limit`, and reads no more than `max_rows` rows where each
    /// has to be looked at. Rows that do not decode count only where the database decides alone.
    async fn count(&self, search: Search, limit: u32, max_rows: u32) -> Result<Counted, StoreError>;

    /// One step of the index of attributes: looks at the next at most `limit` sagas in id order, that were there about a
    /// second ago, and writes down what they are found by, as the registry reads it from their inputs, and by their traces.
    /// Searches are complete however far it is: what it has not reached, they look at one by one. Any number of callers may
    /// do this at once; after a crash the step was done as a whole or not at all. `Ok(None)` of a store that needs no index.
    async fn index(&self, registry: &Registry, limit: u32) -> Result<Option<Indexed>, StoreError>;

    /// What is left of a forgotten saga; `Ok(None)` for one that is still there or never was.
    async fn forgotten(&self, id: SagaId) -> Result<Option<Forgotten>, StoreError>;
}

/// A store that is asked as well as written to: what every implementation is.
pub trait WholeStore: SagaStore + SagaQuery {}

impl<S: SagaStore + SagaQuery> WholeStore for S {}
