//! The calls of the real API.

use crate::amount::{exponent, to_json};
use crate::app::App;
use crate::envelope::{Refusal, success};
use crate::faults::{Operation, Plan};
use crate::fields::{Fields, is_id};
use crate::ledger::{Cancel, Ledger, Reference, now_us};
use crate::line::Line;
use crate::payment::{Payment, Status};
use crate::query::{Parameters, sorting_of, status_of};
use axum::Router;
use axum::extract::connect_info::ConnectInfo;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, Query, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, RETRY_AFTER};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::time::Duration;

/// Largest request body of the API in bytes.
const BODY_MAX: usize = 64 * 1024;

/// Payments one list shows at most.
const LIST_MAX: usize = 100;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/users/getToken", post(get_token))
        .route("/payments", get(list_payments))
        .route("/payments/{imp_uid}", get(get_payment))
        .route("/payments/{imp_uid}/balance", get(balance))
        .route("/payments/find/{merchant_uid}", get(find_payment))
        .route("/payments/find/{merchant_uid}/", get(find_payment))
        .route("/payments/find/{merchant_uid}/{status}", get(find_payment_of_status))
        .route("/payments/cancel", post(cancel))
        .route("/payments/prepare", post(prepare).put(prepare_again))
        .route("/payments/prepare/{merchant_uid}", get(prepared))
        .layer(DefaultBodyLimit::max(BODY_MAX))
}

/// What the transport knows about a call: its connection and its token.
pub(crate) struct Caller {
    line: Line,
    authorization: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let line = parts.extensions.get::<ConnectInfo<Line>>().map(|ConnectInfo(line)| line.clone());
        let authorization = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or("");
        Ok(Self { line: line.unwrap_or_default(), authorization: authorization.to_owned() })
    }
}

/// Runs one call under the faults that are planned for it.
async fn serve<F>(
    app: &App,
    caller: &Caller,
    operation: Operation,
    imp_uid: Option<&str>,
    effect: impl FnOnce(Plan) -> F,
) -> Response
where
    F: Future<Output = Result<Value, Refusal>>,
{
    let plan = app.faults.plan(operation, imp_uid);
    run(app, caller, operation, plan, || effect(plan)).await
}

/// The same with a plan that is made already.
pub(crate) async fn run<F>(
    app: &App,
    caller: &Caller,
    operation: Operation,
    plan: Plan,
    effect: impl FnOnce() -> F,
) -> Response
where
    F: Future<Output = Result<Value, Refusal>>,
{
    if plan.latency_ms > 0 {
        tokio::time::sleep(Duration::from_millis(plan.latency_ms)).await;
    }
    if let Some(seconds) = plan.retry_after_s {
        let refusal = Refusal { status: 429, code: -1, message: "a pause was asked for".to_owned() };
        return ([(RETRY_AFTER, seconds.to_string())], refusal).into_response();
    }
    if let Some(status) = plan.status {
        return Refusal { status, code: -1, message: "a fault was asked for".to_owned() }.into_response();
    }
    if plan.cut_before {
        return cut(caller);
    }
    if plan.expired_token {
        app.tokens.expire_all();
    }
    if operation != Operation::Token && !app.tokens.accepts(&caller.authorization, now_us() / 1_000_000) {
        return Refusal::unauthorized().into_response();
    }
    let result = effect().await;
    if plan.cut_after {
        return cut(caller);
    }
    match result {
        Ok(response) => success(&response),
        Err(refusal) => refusal.into_response(),
    }
}

/// The status is never sent on a listener of ours; a foreign one shows it instead of a cut.
fn cut(caller: &Caller) -> Response {
    caller.line.cut();
    StatusCode::BAD_GATEWAY.into_response()
}

async fn get_token(State(app): State<App>, caller: Caller, fields: Fields) -> Response {
    serve(&app, &caller, Operation::Token, None, |_| async {
        let key = fields.text("imp_key")?.unwrap_or_default();
        let secret = fields.text("imp_secret")?.unwrap_or_default();
        if key != app.imp_key.expose_secret() || secret != app.imp_secret.expose_secret() {
            return Err(Refusal::unauthorized());
        }
        let now_s = now_us() / 1_000_000;
        let (token, expires_s) = app.tokens.issue(now_s);
        Ok(json!({ "access_token": token, "expired_at": expires_s, "now": now_s }))
    })
    .await
}

async fn get_payment(State(app): State<App>, caller: Caller, Path(imp_uid): Path<String>) -> Response {
    let (app, imp_uid) = (&app, imp_uid.as_str());
    let show = |plan| async move { Ok(lookup(app, imp_uid, plan).await?.to_api()) };
    serve(app, &caller, Operation::Lookup, Some(imp_uid), show).await
}

async fn balance(State(app): State<App>, caller: Caller, Path(imp_uid): Path<String>) -> Response {
    let (app, imp_uid) = (&app, imp_uid.as_str());
    let show = |plan| async move { Ok(lookup(app, imp_uid, plan).await?.balance_to_api()) };
    serve(app, &caller, Operation::Lookup, Some(imp_uid), show).await
}

async fn lookup(app: &App, imp_uid: &str, plan: Plan) -> Result<Payment, Refusal> {
    if !is_id(imp_uid) {
        return Err(Refusal::not_found());
    }
    let payment = app.ledger.find(imp_uid).await?.ok_or_else(Refusal::not_found)?;
    plan.show(&payment, now_us()).ok_or_else(Refusal::not_found)
}

/// The payments among the ids that exist, in any order; those that do not are left out.
async fn list_payments(State(app): State<App>, caller: Caller, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    // Ids need no escapes, so that only the brackets may come escaped.
    let ids = query.split('&').filter_map(|pair| pair.split_once('=')).filter_map(|(key, id)| {
        (matches!(key, "imp_uid[]" | "imp_uid%5B%5D" | "imp_uid%5b%5d") && is_id(id)).then_some(id)
    });
    let ids: Vec<&str> = ids.collect();
    if ids.is_empty() || ids.len() > LIST_MAX {
        return Refusal::bad_request("imp_uid[]: 1 to 100 ids").into_response();
    }
    let (call, each) = app.faults.plan_list(Operation::Lookup, &ids);
    run(&app, &caller, Operation::Lookup, call, || async {
        let found = app.ledger.find_many(&ids).await?;
        let plan_of = |payment: &Payment| ids.iter().position(|id| *id == payment.imp_uid).map(|at| each[at]);
        let shown = found.iter().filter_map(|payment| plan_of(payment)?.show(payment, now_us()));
        Ok(shown.map(|payment| payment.to_api()).collect())
    })
    .await
}

async fn find_payment(
    State(app): State<App>,
    caller: Caller,
    Path(merchant_uid): Path<String>,
    Query(query): Query<Parameters>,
) -> Response {
    find(&app, &caller, &merchant_uid, Ok(None), &query).await
}

async fn find_payment_of_status(
    State(app): State<App>,
    caller: Caller,
    Path((merchant_uid, status)): Path<(String, String)>,
    Query(query): Query<Parameters>,
) -> Response {
    find(&app, &caller, &merchant_uid, status_of(&status), &query).await
}

async fn find(
    app: &App,
    caller: &Caller,
    merchant_uid: &str,
    status: Result<Option<Status>, Refusal>,
    query: &Parameters,
) -> Response {
    if !is_id(merchant_uid) {
        return Refusal::not_found().into_response();
    }
    let found = async {
        let sorting = sorting_of(query)?;
        Ok::<_, Refusal>(app.ledger.find_by_merchant(merchant_uid, status?, sorting).await?)
    };
    let imp_uid = match found.await {
        Ok(imp_uid) => imp_uid,
        Err(refusal) => return refusal.into_response(),
    };
    let imp_uid = imp_uid.as_deref();
    serve(app, caller, Operation::Lookup, imp_uid, |plan| async move {
        Ok(lookup(app, imp_uid.unwrap_or(""), plan).await?.to_api())
    })
    .await
}

async fn cancel(State(app): State<App>, caller: Caller, fields: Fields) -> Response {
    let cancel = match read_cancel(&fields) {
        Ok(cancel) => cancel,
        Err(refusal) => return refusal.into_response(),
    };
    let imp_uid = match &cancel.payment {
        Reference::ImpUid(imp_uid) => Some(imp_uid.clone()),
        Reference::MerchantUid(number) => app.ledger.find_by_merchant(number, None, None).await.ok().flatten(),
    };
    let ledger = &app.ledger;
    serve(&app, &caller, Operation::Cancel, imp_uid.as_deref(), |plan| async move {
        if plan.unknown_id || (plan.late_ms > 0 && is_hidden(ledger, &cancel.payment, plan).await?) {
            return Err(Refusal::not_found());
        }
        if plan.cancel_refused {
            return Err(Refusal::business("the payment gateway refuses this cancellation"));
        }
        let payment = ledger.cancel(cancel).await?;
        Ok(plan.show(&payment, now_us()).unwrap_or(payment).to_api())
    })
    .await
}

/// True if the call is to say that there is no such payment yet.
async fn is_hidden(ledger: &Ledger, payment: &Reference, plan: Plan) -> Result<bool, Refusal> {
    let imp_uid = match payment {
        Reference::ImpUid(imp_uid) => Some(imp_uid.clone()),
        Reference::MerchantUid(number) => ledger.find_by_merchant(number, None, None).await?,
    };
    let found = ledger.find(imp_uid.as_deref().unwrap_or("")).await?;
    Ok(found.is_none_or(|payment| plan.show(&payment, now_us()).is_none()))
}

pub(crate) fn read_cancel(fields: &Fields) -> Result<Cancel, Refusal> {
    let payment = match (fields.id("imp_uid")?, fields.id("merchant_uid")?) {
        (Some(imp_uid), _) => Reference::ImpUid(imp_uid),
        (None, Some(merchant_uid)) => Reference::MerchantUid(merchant_uid),
        (None, None) => return Err(Refusal::bad_request("imp_uid or merchant_uid is missing")),
    };
    Ok(Cancel {
        payment,
        amount: fields.amount("amount")?,
        checksum: fields.amount("checksum")?,
        reason: fields.text("reason")?.unwrap_or_default(),
    })
}

async fn prepare(State(app): State<App>, caller: Caller, fields: Fields) -> Response {
    fix_amount(&app, &caller, &fields, false).await
}

async fn prepare_again(State(app): State<App>, caller: Caller, fields: Fields) -> Response {
    fix_amount(&app, &caller, &fields, true).await
}

async fn fix_amount(app: &App, caller: &Caller, fields: &Fields, replace: bool) -> Response {
    serve(app, caller, Operation::Prepare, None, |_| async {
        let number = fields.required_id("merchant_uid")?;
        let (currency, amount) = read_money(fields)?;
        app.ledger.prepare(&number, &currency, amount, replace).await?;
        Ok(prepared_to_api(&number, &currency, amount))
    })
    .await
}

async fn prepared(State(app): State<App>, caller: Caller, Path(number): Path<String>) -> Response {
    serve(&app, &caller, Operation::Prepare, None, |_| async {
        let found = if is_id(&number) { app.ledger.prepared(&number).await? } else { None };
        let (currency, amount) = found.ok_or_else(Refusal::not_found)?;
        Ok(prepared_to_api(&number, &currency, amount))
    })
    .await
}

fn prepared_to_api(number: &str, currency: &str, amount: i64) -> Value {
    json!({ "merchant_uid": number, "amount": to_json(amount, currency), "currency": currency })
}

/// `amount` (positive) and `currency` (KRW if absent) of a request, in minor units.
pub(crate) fn read_money(fields: &Fields) -> Result<(String, i64), Refusal> {
    let currency = fields.text("currency")?.unwrap_or_else(|| "KRW".to_owned());
    let exponent = exponent(&currency).ok_or_else(|| Refusal::bad_request("currency: not one the sandbox knows"))?;
    let amount = fields.amount("amount")?.ok_or_else(|| Refusal::bad_request("amount is missing"))?;
    match amount.to_minor(exponent) {
        Some(minor) if minor > 0 => Ok((currency, minor)),
        _ => Err(Refusal::bad_request("amount: not a positive amount of this currency")),
    }
}
