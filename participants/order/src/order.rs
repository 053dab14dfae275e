//! An order, and its row.

use baton_participant_kit::clock::timestamp;
use baton_rpc::name::of_saga;
use baton_sql::error::SqlError;
use baton_sql::migration::Migration;
use baton_sql::value::{Row, Value};
use prost::Message as _;
use shop_domain::identifier::OrderNumber;
use shop_domain::lines::Lines;
use shop_domain::name;
use shop_proto::order::v1::{self as wire, Money, OrderLine, OrderState};

/// The order participant's tables. `state` holds the numbers of `shop.order.v1.OrderState`.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        id: "0001_orders",
        mariadb: "CREATE TABLE IF NOT EXISTS orders (
            order_no BINARY(16) NOT NULL,
            customer VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
            currency VARCHAR(3) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
            total BIGINT NOT NULL,
            state SMALLINT NOT NULL,
            saga_id BINARY(16) NULL,
            reason VARCHAR(63) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
            order_lines MEDIUMBLOB NOT NULL,
            request_id BINARY(16) NULL,
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            PRIMARY KEY (order_no),
            UNIQUE KEY orders_by_request (request_id),
            CHECK (total >= 0),
            CHECK (state BETWEEN 1 AND 6)
        ) ENGINE = InnoDB",
        sqlite: "CREATE TABLE IF NOT EXISTS orders (
            order_no BLOB NOT NULL PRIMARY KEY CHECK (length(order_no) = 16),
            customer TEXT NOT NULL,
            currency TEXT NOT NULL,
            total INTEGER NOT NULL CHECK (total >= 0),
            state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 6),
            saga_id BLOB,
            reason TEXT NOT NULL,
            order_lines BLOB NOT NULL,
            request_id BLOB UNIQUE,
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID",
    },
    Migration {
        id: "0002_orders_by_time",
        mariadb: "CREATE INDEX IF NOT EXISTS orders_by_time ON orders (created_at, order_no)",
        sqlite: "CREATE INDEX IF NOT EXISTS orders_by_time ON orders (created_at, order_no)",
    },
    Migration {
        id: "0003_orders_by_state",
        mariadb: "CREATE INDEX IF NOT EXISTS orders_by_state ON orders (state, created_at, order_no)",
        sqlite: "CREATE INDEX IF NOT EXISTS orders_by_state ON orders (state, created_at, order_no)",
    },
];

/// Columns in the order of [`Order::values`].
pub const ORDER_COLUMNS: [&str; 11] = [
    "order_no",
    "customer",
    "currency",
    "total",
    "state",
    "saga_id",
    "reason",
    "order_lines",
    "request_id",
    "created_at",
    "updated_at",
];

/// Selects what [`Order::from_row`] reads.
pub const SELECT_ORDER: &str = "SELECT order_no, customer, currency, total, state, saga_id, reason, order_lines, request_id, \
                          created_at, updated_at FROM orders WHERE ";

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its number.
    pub number: OrderNumber,
    /// What was ordered, by whom.
    pub content: Content,
    /// Sum of quantity times unit price, minor units.
    pub total: i64,
    /// Where it stands.
    pub state: OrderState,
    /// The saga that opened it.
    pub saga: Option<[u8; 16]>,
    /// Why it was undone, or empty.
    pub reason: String,
    /// The request that created it, if a customer did.
    pub request: Option<[u8; 16]>,
    /// Microseconds since the epoch.
    pub created_at: i64,
    /// Microseconds since the epoch.
    pub updated_at: i64,
}

/// What two requests must agree on to mean the same order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Who orders.
    pub customer: String,
    /// ISO 4217 code.
    pub currency: String,
    /// The lines as given.
    pub lines: Vec<OrderLine>,
}

/// Column `order_lines`. Stored rows outlive builds: fields are only ever added.
#[derive(Clone, PartialEq, prost::Message)]
struct StoredLines {
    #[prost(message, repeated, tag = "1")]
    lines: Vec<OrderLine>,
}

impl Content {
    /// Content of checked parts.
    #[must_use]
    pub fn new(customer: &str, currency: &str, lines: &Lines) -> Self {
        let lines = lines.as_slice().iter().map(|line| OrderLine {
            item_id: line.item.as_str().to_owned(),
            quantity: line.quantity,
            unit_price_minor_units: line.unit_price,
        });
        Self { customer: customer.to_owned(), currency: currency.to_owned(), lines: lines.collect() }
    }

    /// True if both mean the same order; the order of the lines means nothing.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        let sorted = |content: &Self| {
            let mut lines = content.lines.clone();
            lines.sort_by(|a, b| a.item_id.cmp(&b.item_id));
            lines
        };
        self.customer == other.customer && self.currency == other.currency && sorted(self) == sorted(other)
    }
}

impl Order {
    /// The row's columns.
    #[must_use]
    pub fn values(&self) -> Vec<Value> {
        let lines = StoredLines { lines: self.content.lines.clone() }.encode_to_vec();
        vec![
            self.number.bytes().into(),
            self.content.customer.as_str().into(),
            self.content.currency.as_str().into(),
            self.total.into(),
            (self.state as i32).into(),
            self.saga.map(Value::from).unwrap_or(Value::Null),
            self.reason.as_str().into(),
            lines.into(),
            self.request.map(Value::from).unwrap_or(Value::Null),
            self.created_at.into(),
            self.updated_at.into(),
        ]
    }

    /// Reads a row of [`SELECT_ORDER`].
    pub fn from_row(row: &Row) -> Result<Self, SqlError> {
        let odd = |column, expected| SqlError::Decode { column, expected, found: "other content".to_owned() };
        let state = i32::try_from(row.int(4)?).ok().and_then(|number| OrderState::try_from(number).ok());
        let state = state.filter(|state| *state != OrderState::Unspecified).ok_or_else(|| odd(4, "an order state"))?;
        let lines = StoredLines::decode(row.bytes(7)?).map_err(|_| odd(7, "order lines"))?.lines;
        let id = |column: usize| match row.opt_bytes(column)? {
            None => Ok(None),
            Some(_) => row.array(column).map(Some),
        };
        Ok(Self {
            number: OrderNumber::from_bytes(row.array(0)?),
            content: Content { customer: row.text(1)?.to_owned(), currency: row.text(2)?.to_owned(), lines },
            total: row.int(3)?,
            state,
            saga: id(5)?,
            reason: row.text(6)?.to_owned(),
            request: id(8)?,
            created_at: row.int(9)?,
            updated_at: row.int(10)?,
        })
    }

    /// The order as gRPC shows it.
    #[must_use]
    pub fn into_wire(self) -> wire::Order {
        wire::Order {
            name: name::of_order(self.number),
            state: self.state.into(),
            lines: self.content.lines,
            total: Some(Money { currency_code: self.content.currency, minor_units: self.total }),
            customer_id: self.content.customer,
            saga: self.saga.map(of_saga).unwrap_or_default(),
            reason: self.reason,
            create_time: Some(timestamp(self.created_at)),
            update_time: Some(timestamp(self.updated_at)),
        }
    }
}
