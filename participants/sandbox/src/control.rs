//! What the real API does not have: paying in place of a browser, refunds by the merchant's people, faults, and the ledger for
//! audits. All under `/_sandbox`.

use crate::api::{read_cancel, read_money};
use crate::app::App;
use crate::envelope::{Refusal, success};
use crate::faults::Rule;
use crate::fields::{Fields, is_id, json_body};
use crate::guard;
use crate::ledger::{NewPayment, PAGE_MAX, PAY_MAX};
use crate::payment::{Details, Status};
use axum::extract::{DefaultBodyLimit, FromRequest, Query, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use serde::Deserialize;
use serde_json::{Value, json};

/// Largest body of `/_sandbox/pay` in bytes: the largest batch at about 400 bytes a payment.
const PAY_BODY_MAX: usize = 4 * 1024 * 1024;

/// Largest other body in bytes.
const BODY_MAX: usize = 64 * 1024;

/// Lines of a ledger page unless asked otherwise.
const PAGE_DEFAULT: usize = 1_000;

pub(crate) fn routes() -> Router<App> {
    let pay = Router::new().route("/_sandbox/pay", post(pay)).layer(DefaultBodyLimit::max(PAY_BODY_MAX));
    Router::new()
        .route("/_sandbox/faults", post(add_fault).get(list_faults).delete(clear_faults))
        .route("/_sandbox/cancel", post(cancel))
        .route("/_sandbox/ledger", get(ledger))
        .route("/_sandbox/ledger/totals", get(totals))
        .route("/_sandbox/healthz", get(|| async { success(&json!({ "status": "ok" })) }))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .merge(pay)
        .layer(middleware::from_fn(guard::check))
}

/// One payment as JSON or form, or an array of them; answered in kind.
async fn pay(State(app): State<App>, request: Request) -> Response {
    let is_form = request
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let (items, is_batch) = if is_form {
        match Fields::from_request(request, &app).await {
            Ok(fields) => (Ok(vec![fields]), false),
            Err(response) => return response,
        }
    } else {
        match json_body(request, &app).await {
            Ok(Value::Array(items)) => (items.into_iter().map(Fields::from_value).collect(), true),
            Ok(item) => (Fields::from_value(item).map(|fields| vec![fields]), false),
            Err(response) => return response,
        }
    };
    match pay_all(&app, items).await {
        Ok(ids) if is_batch => success(&ids.into_iter().map(|imp_uid| json!({ "imp_uid": imp_uid })).collect()),
        Ok(ids) => success(&json!({ "imp_uid": ids.first() })),
        Err(refusal) => refusal.into_response(),
    }
}

async fn pay_all(app: &App, items: Result<Vec<Fields>, Refusal>) -> Result<Vec<String>, Refusal> {
    let items = items?;
    if items.len() > PAY_MAX {
        return Err(Refusal::bad_request(format!("at most {PAY_MAX} payments a call")));
    }
    let payments = items.iter().map(read_payment).collect::<Result<Vec<_>, _>>()?;
    app.ledger.pay(payments).await
}

fn read_payment(fields: &Fields) -> Result<NewPayment, Refusal> {
    let status = match fields.text("status")?.as_deref() {
        None | Some("paid") => Status::Paid,
        Some("ready") => Status::Ready,
        Some("failed") => Status::Failed,
        Some(_) => return Err(Refusal::bad_request("status: one of paid, ready, failed")),
    };
    let (currency, amount) = read_money(fields)?;
    Ok(NewPayment {
        imp_uid: fields.id("imp_uid")?,
        merchant_uid: fields.required_id("merchant_uid")?,
        currency,
        amount,
        status,
        details: Details {
            name: fields.text("name")?,
            pay_method: fields.text("pay_method")?,
            buyer_name: fields.text("buyer_name")?,
            buyer_email: fields.text("buyer_email")?,
            buyer_tel: fields.text("buyer_tel")?,
            buyer_addr: fields.text("buyer_addr")?,
            buyer_postcode: fields.text("buyer_postcode")?,
            custom_data: fields.text("custom_data")?,
            fail_reason: fields.text("fail_reason")?,
        },
    })
}

/// The merchant's people send money back, all of it or a part, past every client and every fault.
async fn cancel(State(app): State<App>, fields: Fields) -> Response {
    let cancelled = async { app.ledger.cancel(read_cancel(&fields)?).await };
    match cancelled.await {
        Ok(payment) => success(&payment.to_api()),
        Err(refusal) => refusal.into_response(),
    }
}

async fn add_fault(State(app): State<App>, request: Request) -> Response {
    let body = match json_body(request, &app).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let rule: Rule = match serde_json::from_value(body) {
        Ok(rule) => rule,
        Err(error) => return Refusal::bad_request(format!("not a fault: {error}")).into_response(),
    };
    if let Some(defect) = rule.defect() {
        return Refusal::bad_request(defect).into_response();
    }
    if !app.faults.add(rule) {
        return Refusal::conflict("too many faults; DELETE them first").into_response();
    }
    success(&json!(app.faults.list()))
}

async fn list_faults(State(app): State<App>) -> Response {
    success(&json!(app.faults.list()))
}

async fn clear_faults(State(app): State<App>) -> Response {
    app.faults.clear();
    success(&json!([]))
}

#[derive(Debug, Deserialize)]
struct Page {
    after: Option<String>,
    limit: Option<usize>,
}

async fn ledger(State(app): State<App>, Query(page): Query<Page>) -> Response {
    let after = page.after.unwrap_or_default();
    if !after.is_empty() && !is_id(&after) {
        return Refusal::bad_request("after: an imp_uid is expected").into_response();
    }
    let limit = page.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    match app.ledger.page(&after, limit).await {
        Ok(lines) => {
            let next = (lines.len() == limit).then(|| lines.last().map(|line| line.imp_uid.clone())).flatten();
            success(&json!({ "payments": lines, "next": next }))
        }
        Err(error) => Refusal::from(error).into_response(),
    }
}

async fn totals(State(app): State<App>) -> Response {
    match app.ledger.totals().await {
        Ok(totals) => {
            let consistent =
                totals.iter().all(|sum| sum.paid_minor_units - sum.cancelled_minor_units == sum.entries_minor_units);
            success(&json!({ "currencies": totals, "consistent": consistent }))
        }
        Err(error) => Refusal::from(error).into_response(),
    }
}
