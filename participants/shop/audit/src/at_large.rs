//! What belongs to no single saga: items, claims, orders, the provider's ledger. Pages by key.

use crate::evidence::{Claim, Payment, Shelf, ShopAtLarge};
use crate::tables::{CLAIM, PAID, claim, paid};
use baton_sql::database::Database;
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use baton_verify::databases::domain::Take;
use baton_verify::databases::keys::references;
use baton_verify::databases::{Databases, ReadError, reading};
use baton_verify::evidence::{Evidence, Reference};
use baton_verify::own::Own;
use saga_core::saga::SagaId;
use shop_domain::identifier::OrderNumber;
use shop_proto::order::v1::OrderState;
use std::collections::{BTreeMap, BTreeSet};

/// Rows of one page.
const PAGE: usize = 1_000;

const ITEMS: &str = "SELECT i.item_id, i.available, i.reserved, i.stocked, i.initial_stock, \
    (SELECT COALESCE(CAST(SUM(r.quantity) AS SIGNED), 0) FROM reservation r \
     WHERE r.item_id = i.item_id AND r.state = 1), \
    (SELECT COALESCE(CAST(SUM(s.quantity) AS SIGNED), 0) FROM restock s WHERE s.item_id = i.item_id) \
    FROM item i WHERE i.item_id > ? ORDER BY i.item_id LIMIT ?";

const HOMELESS: &str = "SELECT r.item_id, COUNT(*) FROM reservation r LEFT JOIN item i ON i.item_id = r.item_id \
    WHERE i.item_id IS NULL GROUP BY r.item_id LIMIT 100";

/// A keyset walk over one table.
struct Walk<'a> {
    database: &'a Database,
    what: &'static str,
    sql: String,
    after: Value,
}

impl<'a> Walk<'a> {
    /// `after` is below every key.
    fn new(database: &'a Database, what: &'static str, sql: impl Into<String>, after: Value) -> Self {
        Self { database, what, sql: sql.into(), after }
    }

    /// The next page, empty after the last.
    async fn page<T>(&mut self, read: impl Fn(&Row) -> Result<T, SqlError>) -> Result<Vec<T>, ReadError> {
        let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
        let rows = self.database.query(&self.sql, vec![self.after.clone(), limit.into()]).await;
        let rows = rows.map_err(reading(self.what))?;
        if let Some(key) = rows.last().and_then(|row| row.0.first()) {
            self.after = key.clone();
        }
        rows.iter().map(read).collect::<Result<_, _>>().map_err(reading(self.what))
    }
}

fn nothing() -> Value {
    Value::Text(String::new())
}

fn page(own: ShopAtLarge, references: Vec<Reference>) -> Evidence {
    Evidence { own: Own::default().with(own), references, ..Evidence::default() }
}

/// Items, and reservations of items that do not exist, the first hundred.
pub(super) async fn stock(stock: &Database, take: Take<'_>) -> Result<(), ReadError> {
    let rows = stock.query(HOMELESS, Vec::new()).await.map_err(reading("reservations"))?;
    let homeless = rows.iter().map(|row| Ok((row.text(0)?.to_owned(), row.int(1)?)));
    let homeless = homeless.collect::<Result<_, SqlError>>().map_err(reading("reservations"))?;
    take(page(ShopAtLarge { homeless, ..ShopAtLarge::default() }, Vec::new()));
    let mut walk = Walk::new(stock, "items", ITEMS, nothing());
    loop {
        let shelves = walk.page(shelf).await?;
        if shelves.is_empty() {
            return Ok(());
        }
        take(page(ShopAtLarge { shelves, ..ShopAtLarge::default() }, Vec::new()));
    }
}

fn shelf(row: &Row) -> Result<Shelf, SqlError> {
    Ok(Shelf {
        item: row.text(0)?.to_owned(),
        available: row.int(1)?,
        reserved: row.int(2)?,
        stocked: row.int(3)?,
        put_in: Some((row.int(4)?, row.int(6)?)),
        held: row.int(5)?,
        strays: 0,
    })
}

/// Sagas that orders name.
pub(super) async fn orders(order: &Database, databases: &Databases, take: Take<'_>) -> Result<(), ReadError> {
    if databases.orchestrator.is_none() {
        return Ok(());
    }
    let sql = "SELECT order_no, saga_id FROM orders WHERE order_no > ? ORDER BY order_no LIMIT ?";
    let mut walk = Walk::new(order, "orders", sql, Value::Bytes(Vec::new()));
    loop {
        let orders = walk.page(|row| {
            let saga = row.opt_bytes(1)?.map(|_| row.array(1)).transpose()?.map(SagaId);
            Ok((format!("order {}", OrderNumber::from_bytes(row.array(0)?)), saga))
        });
        let orders = orders.await?;
        if orders.is_empty() {
            return Ok(());
        }
        let named = orders.into_iter().filter_map(|(order, saga)| Some((order, saga?)));
        take(page(ShopAtLarge::default(), references(databases, named.collect()).await?));
    }
}

/// Claims, with the sagas they name and the payments they are on.
pub(super) async fn claims(
    payment: &Database,
    provider: Option<&Database>,
    databases: &Databases,
    take: Take<'_>,
) -> Result<(), ReadError> {
    let sql = format!("SELECT {CLAIM} FROM payment WHERE payment_id > ? ORDER BY payment_id LIMIT ?");
    let mut walk = Walk::new(payment, "claims", sql, nothing());
    loop {
        let claims = walk.page(claim).await?;
        if claims.is_empty() {
            return Ok(());
        }
        let named = claims.iter().map(|claim| (format!("the claim on payment {}", claim.payment), claim.saga));
        let references = references(databases, named.collect()).await?;
        let mut payments = match provider {
            Some(provider) => payments_of(provider, &claims).await?,
            None => BTreeMap::new(),
        };
        let claims = claims.into_iter().map(|claim| {
            let payment = payments.remove(&claim.payment);
            (claim, payment)
        });
        take(page(ShopAtLarge { claims: claims.collect(), ..ShopAtLarge::default() }, references));
    }
}

async fn payments_of(provider: &Database, claims: &[Claim]) -> Result<BTreeMap<String, Payment>, ReadError> {
    let what = "the provider's ledger";
    let values = claims.iter().map(|claim| Value::from(claim.payment.as_str())).collect();
    let before = format!("SELECT {PAID} FROM sandbox_payment WHERE imp_uid");
    let rows = provider.query_in(&before, values, "").await.map_err(reading(what))?;
    let payments = rows.iter().map(|row| paid(row).map(|payment| (payment.imp_uid.clone(), payment)));
    payments.collect::<Result<_, _>>().map_err(reading(what))
}

/// Payments that were refunded, with the claims on them.
pub(super) async fn refunds(payment: &Database, provider: &Database, take: Take<'_>) -> Result<(), ReadError> {
    let sql = format!("SELECT {PAID} FROM sandbox_payment WHERE imp_uid > ? ORDER BY imp_uid LIMIT ?");
    let mut walk = Walk::new(provider, "the provider's ledger", sql, nothing());
    loop {
        let mut payments = walk.page(paid).await?;
        if payments.is_empty() {
            return Ok(());
        }
        payments.retain(|payment| payment.refunds > 0 || payment.refunded > 0);
        let values = payments.iter().map(|payment| Value::from(payment.imp_uid.as_str())).collect();
        let before = format!("SELECT {CLAIM} FROM payment WHERE payment_id");
        let rows = payment.query_in(&before, values, "").await.map_err(reading("claims"))?;
        let claims = rows.iter().map(|row| claim(row).map(|claim| (claim.payment.clone(), claim)));
        let mut claims: BTreeMap<String, Claim> = claims.collect::<Result<_, _>>().map_err(reading("claims"))?;
        let refunds = payments.into_iter().map(|payment| {
            let claim = claims.remove(&payment.imp_uid);
            (payment, claim)
        });
        take(page(ShopAtLarge { refunds: refunds.collect(), ..ShopAtLarge::default() }, Vec::new()));
    }
}

/// Where these orders stand, by number; those that are not there, or nowhere, are left out.
pub(super) async fn states(order: &Database, keys: &BTreeSet<&str>) -> Result<BTreeMap<String, OrderState>, ReadError> {
    let numbers = keys.iter().filter_map(|key| OrderNumber::parse(key).ok());
    let values = numbers.map(|number| Value::from(number.bytes())).collect();
    let sql = "SELECT order_no, state FROM orders WHERE order_no";
    let mut states = BTreeMap::new();
    for row in order.query_in(sql, values, "").await.map_err(reading("orders"))? {
        let number = row.array(0).map(OrderNumber::from_bytes).map_err(reading("orders"))?;
        let code = row.int(1).map_err(reading("orders"))?;
        let state = i32::try_from(code).ok().and_then(|code| OrderState::try_from(code).ok());
        states.extend(state.map(|state| (number.to_string(), state)));
    }
    Ok(states)
}
