//! The watch list over gRPC: list it, and settle what waits for a person.

use crate::claim::SagaId;
use crate::tally::WatchTally;
use crate::watch::{WATCH_COLUMNS, Watch, WatchState, Watchlist};
use baton_participant_kit::clock::timestamp;
use baton_rpc::errors::{Flaw, Violations, invalid, not_found, status, store};
use baton_rpc::name::{child, of_saga};
use baton_rpc::page;
use baton_rpc::reason::Reason;
use baton_sql::database::{Database, Verdict};
use baton_sql::value::{Row, Value};
use futures_util::FutureExt as _;
use shop_domain::identifier::OrderNumber;
use shop_domain::{name, reason};
use shop_proto::payment::v1::{
    ListPaymentCasesRequest, ListPaymentCasesResponse, PaymentCase, PaymentCaseState, SettlePaymentCaseRequest,
    SettlePaymentCaseResponse,
};
use std::collections::BTreeSet;
use tonic::{Code, Status};

/// The collection of names.
const COLLECTION: &str = "paymentCases";

/// The lists that page tokens belong to: all cases, and those that are open.
const LISTS: [&str; 2] = ["ListPaymentCases", "ListPaymentCases open"];

/// Characters of who settles, at most; as operators' acts have them.
const ACTOR_MAX: usize = 128;

/// Characters of why, at most.
const REASON_MAX: usize = 500;

/// One page, of the newest sagas first.
pub(crate) async fn list(
    database: &Database,
    request: &ListPaymentCasesRequest,
) -> Result<ListPaymentCasesResponse, Status> {
    let size = page::page_size(request.page_size).map_err(|flaw| invalid("page_size", flaw))?;
    let list = LISTS[usize::from(request.open_only)];
    let foreign = || Flaw::new(Reason::PAGE_TOKEN_INVALID, "must be the next_page_token of the same query");
    let after = page::key(list, &request.page_token)
        .and_then(|key| key.map(|key| SagaId::try_from(key).map_err(|_| foreign())).transpose())
        .map_err(|flaw| invalid("page_token", flaw))?;
    // One more than asked tells whether there is a next page.
    let rows = rows(database, request.open_only, after, size + 1).await?;
    let cases = rows.iter().map(Watch::from_row).collect::<Result<Vec<_>, _>>();
    let mut cases = cases.map_err(|error| store(&error))?;
    let next_page_token = page::cut(&mut cases, size, list, |watch| watch.claimant.saga);
    let tally = WatchTally::read(database).await.map_err(|error| store(&error))?;
    Ok(ListPaymentCasesResponse {
        cases: cases.iter().map(shown).collect(),
        next_page_token,
        open_count: tally.open,
        watched_count: tally.watched,
    })
}

async fn rows(database: &Database, open_only: bool, after: Option<SagaId>, limit: u32) -> Result<Vec<Row>, Status> {
    let mut conditions = vec!["1 = 1"];
    let mut args = Vec::new();
    if open_only {
        conditions.push("state = ?");
        args.push(WatchState::Open.stored().into());
    }
    if let Some(saga) = after {
        conditions.push("saga_id < ?");
        args.push(saga.into());
    }
    args.push(Value::from(limit));
    let conditions = conditions.join(" AND ");
    let sql = format!("SELECT {WATCH_COLUMNS} FROM payment_watch WHERE {conditions} ORDER BY saga_id DESC LIMIT ?");
    database.query(&sql, args).await.map_err(|error| store(&error))
}

/// How a settlement ended.
enum Settled {
    Done(Watch),
    NotOpen,
    Missing,
}

/// Notes that a person has decided about an open case: nobody looks at it any more. The same again changes nothing.
pub(crate) async fn settle(
    database: &Database,
    now_us: i64,
    request: SettlePaymentCaseRequest,
) -> Result<SettlePaymentCaseResponse, Status> {
    let mut violations = Violations::new();
    let saga = violations.keep("name", saga(&request.name));
    let why = violations.keep("reason", words(request.reason, REASON_MAX, Reason::ACTION_REASON_INVALID));
    let actor = violations.keep("actor", words(request.actor, ACTOR_MAX, Reason::ACTOR_INVALID));
    let (Some(saga), Some(why), Some(actor)) = (saga, why, actor) else { return Err(violations.into_status()) };
    let decision = format!("{actor}: {why}");
    let settled = database.transaction(move |tx| {
        let decision = decision.clone();
        async move {
            let mut watchlist = Watchlist::read(tx, &BTreeSet::from([saga])).await?;
            let settled = match watchlist.get(saga).cloned() {
                None => Settled::Missing,
                Some(watch) if watch.state == WatchState::Settled && watch.decision == decision => Settled::Done(watch),
                Some(watch) if watch.state != WatchState::Open => Settled::NotOpen,
                Some(watch) => {
                    let watch = watch.settled(decision, now_us);
                    watchlist.put(watch.clone());
                    Settled::Done(watch)
                }
            };
            watchlist.write(tx).await?;
            Ok(Verdict::Commit(settled))
        }
        .boxed()
    });
    match settled.await.map_err(|error| store(&error))? {
        Settled::Done(watch) => {
            let payment_id = watch.claimant.payment_id.as_str();
            tracing::info!(payment_id, actor, "a payment that waited for a person is settled");
            Ok(SettlePaymentCaseResponse { case: Some(shown(&watch)) })
        }
        Settled::NotOpen => {
            let text = "only a case that waits for a person can be settled";
            Err(status(Code::FailedPrecondition, reason::PAYMENT_CASE_NOT_OPEN.as_str(), text))
        }
        Settled::Missing => Err(not_found(reason::PAYMENT_CASE_NOT_FOUND, &request.name)),
    }
}

/// The saga in `paymentCases/{uuid}`.
fn saga(name: &str) -> Result<SagaId, Flaw> {
    let id = child(name, COLLECTION)?;
    let flaw = |_| Flaw::new(Reason::NAME_INVALID, "must be paymentCases/ and a saga's UUID");
    // Both are UUIDs in lower-case hyphenated form.
    OrderNumber::parse(id).map(|number| number.bytes()).map_err(flaw)
}

/// Text for people, within its bound and without control characters.
fn words(text: String, most: usize, reason: Reason) -> Result<String, Flaw> {
    if text.trim().is_empty() || text.chars().nth(most).is_some() || text.chars().any(char::is_control) {
        return Err(Flaw::new(reason, format!("must be 1 to {most} characters, none of them a control character")));
    }
    Ok(text)
}

fn shown(watch: &Watch) -> PaymentCase {
    let state = match watch.state {
        WatchState::Awaited => PaymentCaseState::Awaited,
        WatchState::GivenUp => PaymentCaseState::Watched,
        WatchState::Open => PaymentCaseState::Open,
        WatchState::Settled => PaymentCaseState::Settled,
    };
    let saga = of_saga(watch.claimant.saga);
    PaymentCase {
        name: saga.replacen("sagas", COLLECTION, 1),
        payment: format!("payments/{}", watch.claimant.payment_id.as_str()),
        order: name::of_order(watch.claimant.order),
        saga,
        state: state.into(),
        reason: watch.reason.clone(),
        currency_code: watch.held.map_or_else(String::new, |held| held.currency.as_str().to_owned()),
        held_minor_units: watch.held.map_or(0, |held| held.minor_units),
        looks: i32::try_from(watch.looks).unwrap_or(i32::MAX),
        decision: watch.decision.clone(),
        create_time: Some(timestamp(watch.since_us)),
        update_time: Some(timestamp(watch.updated_us)),
        next_look_time: watch.look_at_us.map(timestamp),
    }
}
