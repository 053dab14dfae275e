//! Filter and preset parsed, pages, counts.

use crate::api::lookup::Lookup;
use crate::api::view;
use baton_engine::sagas::Registry;
use baton_engine::search::Search;
use baton_engine::store::query::SearchQuery;
use baton_operations::reason::of_store;
use baton_proto::baton::saga::v1 as wire;
use baton_query::filter::{self, Expr, FilterError, Preset};
use baton_query::sort::{Cursor, OrderBy, SortError};
use baton_rpc::errors::{Flaw, Violations};
use baton_rpc::page;
use baton_rpc::reason::Reason;
use saga_core::saga::SagaId;
use std::collections::HashMap;
use tonic::Status;

/// Rows that one call reads at most where the database cannot decide alone: a fraction of a second's work.
const MAX_ROWS: u32 = 10_000;

/// How far is counted. Beyond it nobody needs the number, and a database would be busy for long.
const MAX_COUNT: u32 = 100_000;

/// Finds and counts sagas.
pub struct Finder<'a> {
    pub(in crate::api) lookup: Lookup<'a>,
}

impl Finder<'_> {
    pub(super) async fn search(&self, request: wire::SearchSagasRequest) -> Result<wire::SearchSagasResponse, Status> {
        let mut violations = Violations::new();
        let order = violations.keep("order_by", OrderBy::parse(&request.order_by).map_err(order_flaw));
        // Presets and orders hold no line break, so that no two of these make one text.
        let by = order.map(|order| (order.field.name(), order.descending));
        let query = format!("search {}\n{by:?}\n{}", request.preset, request.filter);
        let size = violations.keep("page_size", page::page_size(request.page_size));
        let after = violations.keep("page_token", page::key(&query, &request.page_token).and_then(cursor));
        let filter = filter(self.lookup.registry, &request.filter, &request.preset, &mut violations)?;
        let (Some(limit), Some(after), Some(filter), Some(order)) = (size, after, filter, order) else {
            return Err(violations.into_status());
        };
        let search = Search::new(filter, self.lookup.registry.clone(), self.lookup.store.now());
        let asked = SearchQuery { search, order, after, limit, max_rows: MAX_ROWS };
        let found = self.lookup.query.search(asked).await.map_err(|error| of_store(&error))?;
        Ok(wire::SearchSagasResponse {
            sagas: found.records.iter().map(|record| view::saga(self.lookup.registry, record)).collect(),
            next_page_token: found.next.map(|cursor| page::token(&query, &cursor_key(cursor))).unwrap_or_default(),
            unreadable: found.unreadable.into_iter().map(view::name_of).collect(),
            indexed_until: found.indexed_until.map(view::timestamp),
            attributes: self.lookup.registry.attribute_names().into_iter().map(str::to_owned).collect(),
        })
    }

    pub(super) async fn count(&self, request: &wire::CountSagasRequest) -> Result<wire::CountSagasResponse, Status> {
        let mut violations = Violations::new();
        let Some(filter) = filter(self.lookup.registry, &request.filter, &request.preset, &mut violations)? else {
            return Err(violations.into_status());
        };
        let search = Search::new(filter, self.lookup.registry.clone(), self.lookup.store.now());
        let counted = self.lookup.query.count(search, MAX_COUNT, MAX_ROWS).await.map_err(|error| of_store(&error))?;
        Ok(wire::CountSagasResponse { count: counted.count, exact: counted.exact })
    }
}

/// A cursor as a token carries it: its time, then its id.
fn cursor_key(cursor: Cursor) -> Vec<u8> {
    [cursor.at.to_be_bytes().as_slice(), &cursor.id.0].concat()
}

fn cursor(key: Option<Vec<u8>>) -> Result<Option<Cursor>, Flaw> {
    let Some(key) = key else { return Ok(None) };
    let split = key.split_first_chunk::<8>().and_then(|(at, id)| Some((i64::from_be_bytes(*at), id.try_into().ok()?)));
    let cursor = split.map(|(at, id)| Cursor { at, id: SagaId(id) });
    cursor.map(Some).ok_or_else(|| Flaw::new(Reason::PAGE_TOKEN_INVALID, "must be a token of this list"))
}

fn order_flaw(error: SortError) -> Flaw {
    Flaw::new(Reason::ORDER_BY_INVALID, error.to_string())
}

/// Both must hold. A flaw of the filter is told at once, with what a program needs to point at it.
pub(super) fn filter(
    registry: &Registry,
    filter: &str,
    preset: &str,
    violations: &mut Violations,
) -> Result<Option<Expr>, Status> {
    let expr = filter::parse(filter, &registry.attribute_names()).map_err(|error| refused(&error))?;
    if preset.is_empty() {
        return Ok(Some(expr));
    }
    let Some(preset) = violations.keep("preset", named(preset)) else { return Ok(None) };
    Ok(Some(match expr {
        Expr::All(parts) if parts.is_empty() => preset.expr(),
        expr => Expr::All(vec![expr, preset.expr()]),
    }))
}

fn named(preset: &str) -> Result<Preset, Flaw> {
    let names = || Preset::ALL.map(Preset::name).join(", ");
    Preset::named(preset)
        .ok_or_else(|| Flaw::new(Reason::PRESET_UNKNOWN, format!("must be empty or one of {}", names())))
}

fn refused(error: &FilterError) -> Status {
    let mut violations = Violations::new();
    violations.add("filter", Flaw::new(Reason::FILTER_INVALID, error.to_string()));
    // As people count, and as the sentence says.
    let mut metadata = HashMap::from([("byte".to_owned(), (error.at + 1).to_string())]);
    if let filter::Flaw::UnknownField { nearest: Some(field), .. } = &error.flaw {
        metadata.insert("nearest_field".to_owned(), field.name().to_owned());
    }
    violations.into_status_with(metadata)
}
