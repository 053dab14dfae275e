//! What has become of each order: its row, its stock, and its money at the provider.

use super::design::Design;
use crate::shop::{Fate, Items, Order};
use anyhow::{Result, ensure};
use baton_sql::database::{Database, DatabaseConfig};
use baton_sql::value::{Row, Value};
use baton_supervisor::stack::Stack;
use serde::Serialize;
use shop_proto::order::v1::OrderState;
use shop_proto::stock::v1::ReservationState;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Orders that move no more for this long will not move any more: the designs have no timers, and what a killed process
/// held is delivered again at once. Baton has timers, and says itself when it is at rest.
const STILL: Duration = Duration::from_secs(5);

/// Orders that move for longer than this are counted as they stand.
const REST_WITHIN: Duration = Duration::from_secs(60);

/// Between two looks; nothing is measured any more.
const PAUSE: Duration = Duration::from_millis(500);

/// The books of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// States by order number.
    orders: BTreeMap<[u8; 16], OrderState>,
    /// Order numbers with stock held.
    held: BTreeSet<[u8; 16]>,
    /// What the provider still holds, by payment.
    money: BTreeMap<String, i64>,
}

/// How many orders came to what. An order may be counted more than once, but for `right`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// All of them.
    pub orders: usize,
    /// Ended as they must, with stock and money as they must be.
    pub right: usize,
    /// Not there at all, although the customer has paid and asked.
    pub lost: usize,
    /// Without an end.
    pub stuck: usize,
    /// Sold without stock: completed orders without a reservation, and units beyond what there was.
    pub oversold: usize,
    /// Stock held for an order that did not complete.
    pub stock_held: usize,
    /// The provider holds the money of an order that did not complete.
    pub not_refunded: usize,
}

impl Books {
    /// Reads them once nothing moves any more.
    pub async fn at_rest(dir: &Path, stack: &Stack, design: Design, items: &Items, orders: &[Order]) -> Result<Self> {
        let reader = Reader::open(dir, stack, design).await?;
        let (begun, mut since) = (Instant::now(), Instant::now());
        let mut books = reader.read(items, orders).await?;
        while since.elapsed() < STILL && begun.elapsed() < REST_WITHIN {
            tokio::time::sleep(PAUSE).await;
            let now = reader.read(items, orders).await?;
            if now != books {
                (books, since) = (now, Instant::now());
            }
        }
        Ok(books)
    }

    /// Counts. `stock` is what there was of the run's only item, if it was scarce.
    #[must_use]
    pub fn judge(&self, orders: &[Order], stock: Option<i64>) -> Verdict {
        let mut verdict = Verdict { orders: orders.len(), ..Verdict::default() };
        let mut sold = 0;
        for order in orders {
            let number = Uuid::parse_str(&order.number).map_or([0; 16], Uuid::into_bytes);
            let (state, held) = (self.orders.get(&number).copied(), self.held.contains(&number));
            let money = self.money.get(&order.payment).copied().unwrap_or(0);
            let completed = state == Some(OrderState::PaymentSuccess);
            let moving = matches!(
                state,
                Some(OrderState::PaymentPending | OrderState::PaymentConfirm | OrderState::Unspecified)
            );
            let fits = match order.fate {
                Fate::Completes => completed,
                Fate::OutOfStock => state == Some(OrderState::PaymentOutOfStock),
                Fate::WrongAmount => state == Some(OrderState::PaymentNoPaymentInfo),
                Fate::Either => completed || state == Some(OrderState::PaymentOutOfStock),
            };
            let kept = if completed { order.paid() } else { 0 };
            sold += i64::from(completed);
            verdict.right += usize::from(fits && held == completed && money == kept);
            verdict.lost += usize::from(state.is_none());
            verdict.stuck += usize::from(moving);
            verdict.oversold += usize::from(completed && !held);
            verdict.stock_held += usize::from(held && !completed);
            verdict.not_refunded += usize::from(!completed && money > 0);
        }
        let beyond = stock.map_or(0, |stock| (sold - stock).max(0));
        verdict.oversold = verdict.oversold.max(usize::try_from(beyond).unwrap_or(usize::MAX));
        verdict
    }
}

/// Where the books are.
struct Reader {
    orders: Database,
    stock: Database,
    provider: Database,
}

impl Reader {
    async fn open(dir: &Path, stack: &Stack, design: Design) -> Result<Self> {
        let [orders, _, stock] = design.schemas();
        let schema = async |name: &str| Database::open(DatabaseConfig::mariadb(stack.mariadb.root_url(name))).await;
        let ledger = dir.join("sandbox-ledger.db");
        ensure!(ledger.is_file(), "no ledger at {}", ledger.display());
        Ok(Self {
            orders: schema(orders).await?,
            stock: schema(stock).await?,
            provider: Database::open(DatabaseConfig::sqlite(ledger)).await?,
        })
    }

    async fn read(&self, items: &Items, orders: &[Order]) -> Result<Books> {
        let numbers = orders.iter().filter_map(|order| Uuid::parse_str(&order.number).ok());
        let numbers: Vec<Value> = numbers.map(|number| number.into_bytes().into()).collect();
        let sql = "SELECT order_no, state FROM orders WHERE order_no";
        let states = self.orders.query_in(sql, numbers, "").await?;
        let items = items.stocked.iter().map(|item| (&**item).into()).collect();
        let sql = "SELECT order_no, state FROM reservation WHERE item_id";
        let reservations = self.stock.query_in(sql, items, "").await?;
        let payments = orders.iter().map(|order| order.payment.as_str().into()).collect();
        let sql = "SELECT imp_uid, amount - cancelled FROM sandbox_payment WHERE imp_uid";
        let money = self.provider.query_in(sql, payments, "").await?;
        let is_held = |row: &&Row| row.int(1).is_ok_and(|state| state == i64::from(ReservationState::Held as i32));
        let state = |row: &Row| {
            let state = i32::try_from(row.int(1)?).ok().and_then(|state| OrderState::try_from(state).ok());
            anyhow::Ok((row.array(0)?, state.unwrap_or_default()))
        };
        Ok(Books {
            orders: states.iter().map(state).collect::<Result<_>>()?,
            held: reservations.iter().filter(is_held).map(|row| Ok(row.array(0)?)).collect::<Result<_>>()?,
            money: money.iter().map(|row| Ok((row.text(0)?.to_owned(), row.int(1)?))).collect::<Result<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::Mix;

    #[test]
    fn each_way_to_go_wrong_is_counted_and_only_what_is_right_is_right() {
        let orders = Items::named(1).orders(6, Mix::GOOD);
        let number = |index: usize| Uuid::parse_str(&orders[index].number).unwrap().into_bytes();
        let mut books = Books::default();
        for order in &orders {
            books.money.insert(order.payment.clone(), order.paid());
        }
        // 0 is right, 1 stuck with stock, 2 sold without stock, 3 refused and not refunded, 4 lost, 5 completed and refunded.
        books.orders.insert(number(0), OrderState::PaymentSuccess);
        books.orders.insert(number(1), OrderState::PaymentConfirm);
        books.orders.insert(number(2), OrderState::PaymentSuccess);
        books.orders.insert(number(3), OrderState::PaymentOutOfStock);
        books.orders.insert(number(5), OrderState::PaymentSuccess);
        books.held.extend([number(0), number(1), number(5)]);
        books.money.insert(orders[5].payment.clone(), 0);
        let wanted = Verdict { orders: 6, right: 1, lost: 1, stuck: 1, oversold: 1, stock_held: 1, not_refunded: 3 };
        assert_eq!(books.judge(&orders, None), wanted);
        assert_eq!(books.judge(&orders, Some(1)).oversold, 2);
    }
}
