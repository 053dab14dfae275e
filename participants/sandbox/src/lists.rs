//! The calls of the real API that answer with pages of payments.

use crate::api::{Caller, run};
use crate::app::App;
use crate::envelope::Refusal;
use crate::faults::Operation;
use crate::fields::is_id;
use crate::ledger::now_us;
use crate::payment::{Payment, Status};
use crate::query::{Parameters, number, sorting_of, status_of};
use crate::search::{Search, Sorting};
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Payments of one page unless asked otherwise.
const LIMIT_DEFAULT: u64 = 20;

/// Payments of one page at most.
const LIMIT_MAX: u64 = 1_000;

/// Longest time a list by status looks over, in seconds.
const SPAN_MAX_S: i64 = 90 * 24 * 3_600;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/payments/status/{status}", get(of_status))
        .route("/payments/findAll/{merchant_uid}", get(of_number))
        .route("/payments/findAll/{merchant_uid}/", get(of_number))
        .route("/payments/findAll/{merchant_uid}/{status}", get(of_number_and_status))
}

async fn of_status(
    State(app): State<App>,
    caller: Caller,
    Path(status): Path<String>,
    Query(query): Query<Parameters>,
) -> Response {
    let search = || {
        let to_s = number(&query, "to", 0, i64::MAX)?.unwrap_or(now_us() / 1_000_000);
        let from_s = number(&query, "from", 0, i64::MAX)?.unwrap_or(to_s.saturating_sub(SPAN_MAX_S));
        if from_s > to_s || to_s - from_s > SPAN_MAX_S {
            return Err(Refusal::bad_request("from, to: at most 90 days, the earlier first"));
        }
        // The last second is included whole.
        let last_us = to_s.saturating_add(1).saturating_mul(1_000_000).saturating_sub(1);
        Ok(Search {
            merchant_uid: None,
            status: status_of(&status)?,
            started_us: Some((from_s.saturating_mul(1_000_000), last_us)),
            sorting: sorting_of(&query)?.unwrap_or(Sorting::NEWEST),
        })
    };
    let limit = number(&query, "limit", 1, LIMIT_MAX).map(|limit| limit.unwrap_or(LIMIT_DEFAULT));
    answer(&app, &caller, search(), limit, &query).await
}

async fn of_number(
    State(app): State<App>,
    caller: Caller,
    Path(merchant_uid): Path<String>,
    Query(query): Query<Parameters>,
) -> Response {
    find_all(&app, &caller, merchant_uid, Ok(None), &query).await
}

async fn of_number_and_status(
    State(app): State<App>,
    caller: Caller,
    Path((merchant_uid, status)): Path<(String, String)>,
    Query(query): Query<Parameters>,
) -> Response {
    find_all(&app, &caller, merchant_uid, status_of(&status), &query).await
}

async fn find_all(
    app: &App,
    caller: &Caller,
    merchant_uid: String,
    status: Result<Option<Status>, Refusal>,
    query: &Parameters,
) -> Response {
    if !is_id(&merchant_uid) {
        return Refusal::not_found().into_response();
    }
    let search = || {
        let sorting = sorting_of(query)?.unwrap_or(Sorting::NEWEST);
        Ok(Search { merchant_uid: Some(merchant_uid), status: status?, started_us: None, sorting })
    };
    answer(app, caller, search(), Ok(LIMIT_DEFAULT), query).await
}

/// One page of what a search finds, under the faults of the call and of each of its payments.
async fn answer(
    app: &App,
    caller: &Caller,
    search: Result<Search, Refusal>,
    limit: Result<u64, Refusal>,
    query: &Parameters,
) -> Response {
    let found = async {
        let (search, limit) = (search?, limit?);
        let page = number(query, "page", 1, u64::MAX)?.unwrap_or(1);
        let (total, ids) = app.ledger.search(&search, (page - 1).saturating_mul(limit), limit).await?;
        if total == 0 && search.merchant_uid.is_some() {
            return Err(Refusal::not_found());
        }
        let last = total.div_ceil(limit).max(1);
        if page > last {
            return Err(Refusal::bad_request("page: beyond the last one"));
        }
        let next = if page < last { page + 1 } else { 0 };
        Ok((total, page - 1, next, ids))
    };
    let (total, previous, next, ids) = match found.await {
        Ok(found) => found,
        Err(refusal) => return refusal.into_response(),
    };
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let (call, each) = app.faults.plan_list(Operation::Lookup, &ids);
    run(app, caller, Operation::Lookup, call, || async {
        let found = app.ledger.find_many(&ids).await?;
        let found: HashMap<&str, &Payment> = found.iter().map(|payment| (payment.imp_uid.as_str(), payment)).collect();
        let shown = ids.iter().zip(&each).filter_map(|(id, plan)| plan.show(found.get(id)?, now_us()));
        let list: Vec<Value> = shown.map(|payment| payment.to_api()).collect();
        Ok(json!({ "total": total, "previous": previous, "next": next, "list": list }))
    })
    .await
}
