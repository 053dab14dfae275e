//! An order as a caller places it, and its row.

use anyhow::Result;
use baton_order::order::{Content, ORDER_COLUMNS, Order};
use baton_payment::money::Money;
use baton_sql::database::{Database, Tx};
use baton_sql::error::SqlError;
use baton_sql::value::Value;
use shop_domain::currency::Currency;
use shop_domain::identifier::{OrderNumber, PaymentId};
use shop_proto::order::v1::{OrderLine, OrderState, PlaceOrderRequest};
use std::time::{SystemTime, UNIX_EPOCH};
use tonic::Status;

/// A checked request.
#[derive(Clone, Debug)]
pub struct Placing {
    /// The order number.
    pub order: OrderNumber,
    /// The provider's payment id.
    pub payment: PaymentId,
    /// Who orders.
    pub customer: String,
    /// What it costs.
    pub total: Money,
    /// The lines, sorted by item: whoever locks several items locks them in this order.
    pub lines: Vec<OrderLine>,
}

/// How an order stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The document's own states.
    pub state: OrderState,
    /// Why, if it failed.
    pub reason: String,
}

impl Standing {
    /// The end that everybody hopes for.
    #[must_use]
    pub fn success() -> Self {
        Self { state: OrderState::PaymentSuccess, reason: String::new() }
    }

    /// Any other state.
    #[must_use]
    pub fn because(state: OrderState, reason: &str) -> Self {
        Self { state, reason: reason.to_owned() }
    }

    /// True if nothing will change it any more.
    #[must_use]
    pub fn is_end(&self) -> bool {
        !matches!(self.state, OrderState::PaymentPending | OrderState::PaymentConfirm | OrderState::Unspecified)
    }
}

impl Placing {
    /// Checks what the services rely on. Baton checks more; this costs the designs less.
    pub fn parse(request: PlaceOrderRequest) -> Result<Self, Status> {
        let bad = |what: &str| Status::invalid_argument(format!("{what} is not valid"));
        let number = request.order.strip_prefix("orders/").ok_or_else(|| bad("order"))?;
        let order = OrderNumber::parse(number).map_err(|_| bad("order"))?;
        let payment = PaymentId::parse(&request.payment_id).map_err(|_| bad("payment_id"))?;
        let currency = Currency::from_code(&request.currency_code).map_err(|_| bad("currency_code"))?;
        let mut lines = request.lines;
        lines.sort_by(|a, b| a.item_id.cmp(&b.item_id));
        let worth = |line: &OrderLine| line.quantity.checked_mul(line.unit_price_minor_units);
        let total = lines.iter().try_fold(0_i64, |sum, line| sum.checked_add(worth(line)?));
        let minor_units = total.filter(|_| !lines.is_empty()).ok_or_else(|| bad("lines"))?;
        Ok(Self { order, payment, customer: request.customer_id, total: Money { currency, minor_units }, lines })
    }

    /// The order's row.
    fn row(&self, standing: &Standing) -> Vec<Value> {
        let now = now_us();
        let content = Content {
            customer: self.customer.clone(),
            currency: self.total.currency.as_str().to_owned(),
            lines: self.lines.clone(),
        };
        let order = Order {
            number: self.order,
            content,
            total: self.total.minor_units,
            state: standing.state,
            saga: None,
            reason: standing.reason.clone(),
            request: None,
            created_at: now,
            updated_at: now,
        };
        order.values()
    }
}

/// Inserts the order inside a transaction.
pub async fn insert(tx: &mut Tx, placing: &Placing, standing: &Standing) -> Result<(), SqlError> {
    tx.insert_many("orders", &ORDER_COLUMNS, vec![placing.row(standing)]).await.map(|_| ())
}

/// Inserts the order as a transaction of its own, in one round trip; false if the number exists.
pub async fn open(database: &Database, placing: &Placing, standing: &Standing) -> Result<bool, SqlError> {
    let sql = baton_sql::statement::insert("orders", &ORDER_COLUMNS, 1);
    match database.query(&sql, placing.row(standing)).await {
        Ok(_) => Ok(true),
        Err(SqlError::Duplicate(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// How an order stands; nothing if there is none.
pub async fn standing(database: &Database, order: OrderNumber) -> Result<Option<Standing>, SqlError> {
    let sql = "SELECT state, reason FROM orders WHERE order_no = ?";
    let rows = database.query(sql, vec![order.bytes().into()]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let state = i32::try_from(row.int(0)?).ok().and_then(|state| OrderState::try_from(state).ok());
    Ok(Some(Standing { state: state.unwrap_or_default(), reason: row.text(1)?.to_owned() }))
}

/// Ends an order that waits for its end, in one round trip; one that has ended stays as it is.
pub async fn end(database: &Database, order: OrderNumber, standing: &Standing) -> Result<(), SqlError> {
    let sql = "UPDATE orders SET state = ?, reason = ?, updated_at = ? WHERE order_no = ? AND state = ?";
    let args = vec![
        (standing.state as i32).into(),
        standing.reason.as_str().into(),
        now_us().into(),
        order.bytes().into(),
        (OrderState::PaymentConfirm as i32).into(),
    ];
    database.query(sql, args).await.map(|_| ())
}

/// Microseconds since the epoch.
#[must_use]
pub fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
