//! What belongs to no single saga: items, claims, orders, the provider's ledger, start keys. Pages by key.

use super::dossier::Claim;
use super::tables::{CLAIM, PAID, claim, paid};
use super::{Databases, ORDER, PAYMENT, ReadError, STOCK, forgotten, reading};
use crate::evidence::LedgerPayment;
use crate::laws::history::{Kept, Memory};
use baton_sql::database::Database;
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use saga_core::saga::SagaId;
use shop_domain::identifier::OrderNumber;
use std::collections::{BTreeMap, BTreeSet};

/// Rows of one page.
const PAGE: usize = 1_000;

/// An item with the sums of what refers to it, all read by one statement, so that they fit each other while orders move.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shelf {
    /// Item id.
    pub item: String,
    /// Can be reserved.
    pub available: i64,
    /// Held.
    pub reserved: i64,
    /// Ever put in.
    pub stocked: i64,
    /// Put in at its creation.
    pub initial: i64,
    /// Sum of its reservations that hold stock.
    pub held: i64,
    /// Sum of its restocks.
    pub restocked: i64,
}

/// An order as far as it concerns its saga.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderHead {
    /// Its number, lower-case UUID.
    pub number: String,
    /// `shop.order.v1.OrderState` as stored.
    pub state: i64,
    /// The saga that opened it.
    pub saga: Option<SagaId>,
}

/// A keyset walk over one table.
#[derive(Debug)]
pub struct Walk<'a> {
    database: Option<&'a Database>,
    what: &'static str,
    sql: &'static str,
    after: Value,
}

/// Items.
#[must_use]
pub fn items(databases: &Databases) -> Walk<'_> {
    let sql = "SELECT i.item_id, i.available, i.reserved, i.stocked, i.initial_stock, \
               (SELECT COALESCE(CAST(SUM(r.quantity) AS SIGNED), 0) FROM reservation r \
                WHERE r.item_id = i.item_id AND r.state = 1), \
               (SELECT COALESCE(CAST(SUM(s.quantity) AS SIGNED), 0) FROM restock s WHERE s.item_id = i.item_id) \
               FROM item i WHERE i.item_id > ? ORDER BY i.item_id LIMIT ?";
    Walk { database: databases.participant(STOCK), what: "items", sql, after: Value::Text(String::new()) }
}

/// Claims.
#[must_use]
pub fn claims(databases: &Databases) -> Walk<'_> {
    debug_assert_eq!(CLAIM, "payment_id, order_no, saga_id, currency, amount, state");
    let sql = "SELECT payment_id, order_no, saga_id, currency, amount, state FROM payment \
               WHERE payment_id > ? ORDER BY payment_id LIMIT ?";
    Walk { database: databases.participant(PAYMENT), what: "claims", sql, after: Value::Text(String::new()) }
}

/// Orders.
#[must_use]
pub fn orders(databases: &Databases) -> Walk<'_> {
    let sql = "SELECT order_no, state, saga_id FROM orders WHERE order_no > ? ORDER BY order_no LIMIT ?";
    Walk { database: databases.participant(ORDER), what: "orders", sql, after: Value::Bytes(Vec::new()) }
}

/// Payments of the provider.
#[must_use]
pub fn payments(databases: &Databases) -> Walk<'_> {
    debug_assert_eq!(PAID, "imp_uid, merchant_uid, currency, amount, cancelled, cancellations, status");
    let sql = "SELECT imp_uid, merchant_uid, currency, amount, cancelled, cancellations, status FROM sandbox_payment \
               WHERE imp_uid > ? ORDER BY imp_uid LIMIT ?";
    let what = "the provider's ledger";
    Walk { database: databases.provider.as_ref(), what, sql, after: Value::Text(String::new()) }
}

impl Walk<'_> {
    /// True if there is a database to read.
    #[must_use]
    pub fn is_covered(&self) -> bool {
        self.database.is_some()
    }

    async fn rows(&mut self) -> Result<Vec<Row>, ReadError> {
        let Some(database) = self.database else { return Ok(Vec::new()) };
        let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
        let rows = database.query(self.sql, vec![self.after.clone(), limit.into()]).await;
        let rows = rows.map_err(reading(self.what))?;
        if let Some(key) = rows.last().and_then(|row| row.0.first()) {
            self.after = key.clone();
        }
        Ok(rows)
    }

    async fn page<T>(&mut self, read: impl Fn(&Row) -> Result<T, SqlError>) -> Result<Vec<T>, ReadError> {
        let rows = self.rows().await?;
        rows.iter().map(read).collect::<Result<_, _>>().map_err(reading(self.what))
    }

    /// The next page of [`items`], empty after the last.
    ///
    /// # Errors
    /// If the database refuses or is away.
    pub async fn next_items(&mut self) -> Result<Vec<Shelf>, ReadError> {
        self.page(|row| {
            Ok(Shelf {
                item: row.text(0)?.to_owned(),
                available: row.int(1)?,
                reserved: row.int(2)?,
                stocked: row.int(3)?,
                initial: row.int(4)?,
                held: row.int(5)?,
                restocked: row.int(6)?,
            })
        })
        .await
    }

    /// The next page of [`claims`], empty after the last.
    ///
    /// # Errors
    /// If the database refuses or is away.
    pub async fn next_claims(&mut self) -> Result<Vec<Claim>, ReadError> {
        self.page(claim).await
    }

    /// The next page of [`orders`], empty after the last.
    ///
    /// # Errors
    /// If the database refuses or is away.
    pub async fn next_orders(&mut self) -> Result<Vec<OrderHead>, ReadError> {
        self.page(|row| {
            let saga = row.opt_bytes(2)?.map(|_| row.array(2)).transpose()?.map(SagaId);
            Ok(OrderHead { number: OrderNumber::from_bytes(row.array(0)?).to_string(), state: row.int(1)?, saga })
        })
        .await
    }

    /// The next page of [`payments`], empty after the last.
    ///
    /// # Errors
    /// If the database refuses or is away.
    pub async fn next_payments(&mut self) -> Result<Vec<LedgerPayment>, ReadError> {
        self.page(paid).await
    }
}

/// Those of `ids` that have a saga row, or had one until retention deleted it.
///
/// # Errors
/// If the database refuses or is away.
pub async fn existing(databases: &Databases, ids: &[SagaId]) -> Result<BTreeSet<SagaId>, ReadError> {
    let Some(store) = &databases.orchestrator else { return Ok(BTreeSet::new()) };
    let values = ids.iter().map(|id| Value::from(id.0)).collect();
    let rows = store.query_in("SELECT id FROM saga WHERE id", values, "").await.map_err(reading("sagas"))?;
    let there = rows.iter().map(|row| row.array(0).map(SagaId)).collect::<Result<BTreeSet<_>, _>>();
    let mut found = there.map_err(reading("sagas"))?;
    // Read after the rows, so that one that is forgotten in between is not missed.
    let gone = ids.iter().filter(|id| !found.contains(*id)).map(|id| Value::from(id.0)).collect();
    found.extend(forgotten::among(store, gone).await?);
    Ok(found)
}

/// Reservations of items that do not exist: item and how many; the first hundred.
///
/// # Errors
/// If the database refuses or is away.
pub async fn homeless_holds(databases: &Databases) -> Result<Vec<(String, i64)>, ReadError> {
    let Some(stock) = databases.participant(STOCK) else { return Ok(Vec::new()) };
    let sql = "SELECT r.item_id, COUNT(*) FROM reservation r LEFT JOIN item i ON i.item_id = r.item_id \
               WHERE i.item_id IS NULL GROUP BY r.item_id LIMIT 100";
    let rows = stock.query(sql, Vec::new()).await.map_err(reading("reservations"))?;
    let pairs = rows.iter().map(|row| Ok((row.text(0)?.to_owned(), row.int(1)?)));
    pairs.collect::<Result<_, SqlError>>().map_err(reading("reservations"))
}

/// The claims on these payments.
///
/// # Errors
/// If the database refuses or is away.
pub async fn claims_on(databases: &Databases, payments: &[&str]) -> Result<Vec<Claim>, ReadError> {
    let Some(payment) = databases.participant(PAYMENT) else { return Ok(Vec::new()) };
    let values = payments.iter().map(|id| Value::from(*id)).collect();
    let before = format!("SELECT {CLAIM} FROM payment WHERE payment_id");
    let rows = payment.query_in(&before, values, "").await.map_err(reading("claims"))?;
    rows.iter().map(claim).collect::<Result<_, _>>().map_err(reading("claims"))
}

/// These payments of the provider.
///
/// # Errors
/// If the database refuses or is away.
pub async fn payments_of(databases: &Databases, ids: &[&str]) -> Result<Vec<LedgerPayment>, ReadError> {
    let Some(provider) = &databases.provider else { return Ok(Vec::new()) };
    let values = ids.iter().map(|id| Value::from(*id)).collect();
    let before = format!("SELECT {PAID} FROM sandbox_payment WHERE imp_uid");
    let rows = provider.query_in(&before, values, "").await.map_err(reading("the provider's ledger"))?;
    rows.iter().map(paid).collect::<Result<_, _>>().map_err(reading("the provider's ledger"))
}

/// What is stored of these orders: their sagas by business key, their states by number.
///
/// # Errors
/// If a database refuses or is away.
pub async fn memory(databases: &Databases, orders: &BTreeSet<&str>) -> Result<Memory, ReadError> {
    let mut memory = Memory::default();
    if let Some(store) = &databases.orchestrator {
        let values = orders.iter().map(|order| Value::from(*order)).collect();
        let sql = "SELECT business_key, id, state, version FROM saga WHERE business_key";
        for row in store.query_in(sql, values, "").await.map_err(reading("sagas"))? {
            let (key, kept) = kept(&row).map_err(reading("sagas"))?;
            memory.sagas.entry(key).or_default().push(kept);
        }
        let forgotten = forgotten::of_orders(databases, orders).await?;
        memory.forgotten = forgotten.into_iter().map(|(order, id)| (order, id.to_string())).collect();
    }
    if let Some(database) = databases.participant(ORDER) {
        let numbers = orders.iter().filter_map(|order| OrderNumber::parse(order).ok());
        let values = numbers.map(|number| Value::from(number.bytes())).collect();
        let mut states = BTreeMap::new();
        let sql = "SELECT order_no, state FROM orders WHERE order_no";
        for row in database.query_in(sql, values, "").await.map_err(reading("orders"))? {
            let number = row.array(0).map(OrderNumber::from_bytes).map_err(reading("orders"))?;
            states.insert(number.to_string(), row.int(1).map_err(reading("orders"))?);
        }
        memory.orders = Some(states);
    }
    Ok(memory)
}

fn kept(row: &Row) -> Result<(String, Kept), SqlError> {
    let kept = Kept { id: SagaId(row.array(1)?).to_string(), state: row.int(2)?, version: row.int(3)? };
    Ok((row.text(0)?.to_owned(), kept))
}

/// What the start keys say, counted by the database itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// How many there are.
    pub keys: i64,
    /// Sagas that a key names and that do not exist, nor were forgotten; the first hundred.
    pub without_saga: Vec<SagaId>,
    /// Business keys that more than one order saga has, with how many; the first hundred.
    pub shared: Vec<(String, i64)>,
}

/// Reads what the start keys say.
///
/// # Errors
/// If the database refuses or is away.
pub async fn keys(databases: &Databases) -> Result<Keys, ReadError> {
    let Some(store) = &databases.orchestrator else { return Ok(Keys::default()) };
    let rows = async |sql: &str| store.query(sql, Vec::new()).await.map_err(reading("start keys"));
    let ids = |rows: Vec<Row>| rows.iter().map(|row| row.array(0).map(SagaId)).collect::<Result<Vec<_>, _>>();
    let count = rows("SELECT COUNT(*) FROM saga_key").await?;
    let without_saga = "SELECT DISTINCT k.saga_id FROM saga_key k LEFT JOIN saga s ON s.id = k.saga_id \
                        LEFT JOIN forgotten f ON f.saga_id = k.saga_id \
                        WHERE s.id IS NULL AND f.saga_id IS NULL LIMIT 100";
    let shared = "SELECT business_key, COUNT(*) FROM saga WHERE definition = 'order' \
                  GROUP BY business_key HAVING COUNT(*) > 1 LIMIT 100";
    let shared = rows(shared).await?;
    let shared = shared.iter().map(|row| Ok((row.text(0)?.to_owned(), row.int(1)?))).collect::<Result<_, SqlError>>();
    Ok(Keys {
        keys: count.first().map_or(Ok(0), |row| row.int(0)).map_err(reading("start keys"))?,
        without_saga: ids(rows(without_saga).await?).map_err(reading("start keys"))?,
        shared: shared.map_err(reading("start keys"))?,
    })
}
