//! What belongs to no single saga: items, claims, orders, the provider's ledger. Pages by key.

use crate::evidence::{Payment, Shelf, ShopAtLarge};
use crate::tables::{CLAIM, LEDGER, PAID, claim, claims_on, paid, payments_by};
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

    /// The next page; `None` after the last.
    async fn page<T>(&mut self, read: impl Fn(&Row) -> Result<T, SqlError>) -> Result<Option<Vec<T>>, ReadError> {
        let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
        let rows = self.database.query(&self.sql, vec![self.after.clone(), limit.into()]).await;
        let rows = rows.map_err(reading(self.what))?;
        let Some(key) = rows.last().and_then(|row| row.0.first()) else { return Ok(None) };
        self.after = key.clone();
        rows.iter().map(read).collect::<Result<_, _>>().map(Some).map_err(reading(self.what))
    }
}

fn nothing() -> Value {
    Value::Text(String::new())
}

fn page(own: ShopAtLarge, references: Vec<Reference>) -> Evidence {
    Evidence { own: Own::default().with(own), references, ..Evidence::default() }
}

/// Items, and reservations of items that do not exist, the first hundred.
pub async fn stock(stock: &Database, take: Take<'_>) -> Result<(), ReadError> {
    let rows = stock.query(HOMELESS, Vec::new()).await.map_err(reading("reservations"))?;
    let homeless = rows.iter().map(|row| Ok((row.text(0)?.to_owned(), row.int(1)?)));
    let homeless = homeless.collect::<Result<_, SqlError>>().map_err(reading("reservations"))?;
    take(page(ShopAtLarge { homeless, ..ShopAtLarge::default() }, Vec::new()));
    let mut walk = Walk::new(stock, "items", ITEMS, nothing());
    while let Some(shelves) = walk.page(shelf).await? {
        take(page(ShopAtLarge { shelves, ..ShopAtLarge::default() }, Vec::new()));
    }
    Ok(())
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
pub async fn orders(order: &Database, databases: &Databases, take: Take<'_>) -> Result<(), ReadError> {
    if databases.orchestrator.is_none() {
        return Ok(());
    }
    let sql = "SELECT order_no, saga_id FROM orders WHERE order_no > ? ORDER BY order_no LIMIT ?";
    let mut walk = Walk::new(order, "orders", sql, Value::Bytes(Vec::new()));
    let named = |row: &Row| {
        let saga = row.opt_bytes(1)?.map(|_| row.array(1)).transpose()?.map(SagaId);
        Ok((format!("order {}", OrderNumber::from_bytes(row.array(0)?)), saga))
    };
    while let Some(orders) = walk.page(named).await? {
        let named = orders.into_iter().filter_map(|(order, saga)| Some((order, saga?)));
        take(page(ShopAtLarge::default(), references(databases, named.collect()).await?));
    }
    Ok(())
}

/// Claims, with the sagas they name and the payments they are on.
pub async fn claims(
    payment: &Database,
    provider: Option<&Database>,
    databases: &Databases,
    take: Take<'_>,
) -> Result<(), ReadError> {
    let sql = format!("SELECT {CLAIM} FROM payment WHERE payment_id > ? ORDER BY payment_id LIMIT ?");
    let mut walk = Walk::new(payment, "claims", sql, nothing());
    while let Some(claims) = walk.page(claim).await? {
        let named = claims.iter().map(|claim| (format!("the claim on payment {}", claim.payment), claim.saga));
        let references = references(databases, named.collect()).await?;
        let payments = match provider {
            Some(provider) => {
                payments_by(provider, "imp_uid", claims.iter().map(|it| it.payment.as_str()).collect()).await?
            }
            None => Vec::new(),
        };
        let mut payments: BTreeMap<String, Payment> =
            payments.into_iter().map(|payment| (payment.imp_uid.clone(), payment)).collect();
        let claims = claims.into_iter().map(|claim| {
            let payment = payments.remove(&claim.payment);
            (claim, payment)
        });
        take(page(ShopAtLarge { claims: claims.collect(), ..ShopAtLarge::default() }, references));
    }
    Ok(())
}

/// Payments that were refunded, with the claims on them.
pub async fn refunds(payment: &Database, provider: &Database, take: Take<'_>) -> Result<(), ReadError> {
    let sql = format!("SELECT {PAID} FROM sandbox_payment WHERE imp_uid > ? ORDER BY imp_uid LIMIT ?");
    let mut walk = Walk::new(provider, LEDGER, sql, nothing());
    while let Some(mut payments) = walk.page(paid).await? {
        payments.retain(|payment| payment.refunds > 0 || payment.refunded > 0);
        let mut claims = claims_on(payment, payments.iter().map(|payment| payment.imp_uid.as_str()).collect()).await?;
        let refunds = payments.into_iter().map(|payment| {
            let claim = claims.remove(&payment.imp_uid);
            (payment, claim)
        });
        take(page(ShopAtLarge { refunds: refunds.collect(), ..ShopAtLarge::default() }, Vec::new()));
    }
    Ok(())
}

/// Where these orders stand, by number; those that are not there, or nowhere, are left out.
pub async fn states(order: &Database, keys: &BTreeSet<&str>) -> Result<BTreeMap<String, OrderState>, ReadError> {
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
