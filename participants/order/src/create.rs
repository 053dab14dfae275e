//! Creating orders, many in one transaction, each once per request id.

use crate::order::{Content, ORDER_COLUMNS, Order, SELECT_ORDER};
use baton_participant_kit::clock::Clock;
use baton_rpc::request_id::RequestId;
use baton_sql::database::{Database, Tx, Verdict};
use baton_sql::error::SqlError;
use baton_sql::value::Value;
use futures_util::FutureExt as _;
use shop_domain::identifier::OrderNumber;
use shop_proto::order::v1::OrderState;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How often a batch is tried again when another process created one of its orders meanwhile.
const MAX_TRIES: usize = 3;

/// A checked request.
#[derive(Clone, Debug)]
pub struct Creation {
    /// The caller's id.
    pub request: RequestId,
    /// What to create.
    pub content: Content,
    /// Sum of the lines, minor units.
    pub total: i64,
}

/// What came of one request.
#[derive(Debug)]
pub enum Created {
    /// The order, new or as it stands since an earlier request of the same content.
    Order(Box<Order>),
    /// The request id was used with other content.
    Reused,
    /// The store could not do it.
    Failed(Arc<SqlError>),
}

/// Creates orders; one result per request, in order. After a crash all of them are there, or none.
pub async fn create(database: Database, clock: Clock, requests: Vec<Creation>) -> Vec<Created> {
    let requests = Arc::new(requests);
    let mut tries = 1;
    loop {
        let (shared, now_us) = (Arc::clone(&requests), clock.now_us());
        let done = database.transaction(move |tx| {
            let requests = Arc::clone(&shared);
            async move { insert(tx, &requests, now_us).await.map(Verdict::Commit) }.boxed()
        });
        match done.await {
            Ok(created) => return created,
            Err(SqlError::Duplicate(_)) if tries < MAX_TRIES => tries += 1,
            Err(error) => {
                let error = Arc::new(error);
                return requests.iter().map(|_| Created::Failed(Arc::clone(&error))).collect();
            }
        }
    }
}

async fn insert(tx: &mut Tx, requests: &[Creation], now_us: i64) -> Result<Vec<Created>, SqlError> {
    let ids = requests.iter().map(|request| Value::from(request.request.bytes())).collect();
    let rows = tx.select_in(&format!("{SELECT_ORDER}request_id"), Vec::new(), ids, "").await?;
    let mut known = BTreeMap::new();
    for row in rows {
        let order = Order::from_row(&row)?;
        known.insert(order.request, order);
    }
    let mut fresh = Vec::new();
    let results = requests.iter().map(|creation| {
        let order = known.entry(Some(creation.request.bytes())).or_insert_with(|| {
            let order = Order {
                number: OrderNumber::generate(),
                content: creation.content.clone(),
                total: creation.total,
                state: OrderState::PaymentPending,
                saga: None,
                reason: String::new(),
                request: Some(creation.request.bytes()),
                created_at: now_us,
                updated_at: now_us,
            };
            fresh.push(order.values());
            order
        });
        if order.content.same_as(&creation.content) { Created::Order(Box::new(order.clone())) } else { Created::Reused }
    });
    let results = results.collect();
    if !fresh.is_empty() {
        tx.insert_many("orders", &ORDER_COLUMNS, fresh).await?;
    }
    Ok(results)
}
