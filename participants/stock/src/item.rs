//! An item, and its row.

use baton_participant_kit::clock::timestamp;
use baton_sql::error::SqlError;
use baton_sql::migration::Migration;
use baton_sql::value::{Row, Value};
use shop_proto::stock::v1 as wire;

/// The stock participant's tables. The CHECKs are the last line: the code never relies on them.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        id: "0001_item",
        mariadb: "CREATE TABLE IF NOT EXISTS item (
            item_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
            display_name VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
            currency VARCHAR(3) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
            unit_price BIGINT NOT NULL,
            available BIGINT NOT NULL,
            reserved BIGINT NOT NULL,
            stocked BIGINT NOT NULL,
            initial_stock BIGINT NOT NULL,
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            PRIMARY KEY (item_id),
            CHECK (unit_price >= 0),
            CHECK (available >= 0),
            CHECK (reserved >= 0),
            CHECK (available + reserved = stocked)
        ) ENGINE = InnoDB",
        sqlite: "CREATE TABLE IF NOT EXISTS item (
            item_id TEXT NOT NULL PRIMARY KEY,
            display_name TEXT NOT NULL,
            currency TEXT NOT NULL,
            unit_price INTEGER NOT NULL CHECK (unit_price >= 0),
            available INTEGER NOT NULL CHECK (available >= 0),
            reserved INTEGER NOT NULL CHECK (reserved >= 0),
            stocked INTEGER NOT NULL,
            initial_stock INTEGER NOT NULL,
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            CHECK (available + reserved = stocked)
        ) STRICT, WITHOUT ROWID",
    },
    Migration {
        id: "0002_reservation",
        mariadb: "CREATE TABLE IF NOT EXISTS reservation (
            saga_id BINARY(16) NOT NULL,
            item_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
            order_no BINARY(16) NOT NULL,
            quantity BIGINT NOT NULL,
            state SMALLINT NOT NULL,
            created_at BIGINT NOT NULL,
            PRIMARY KEY (saga_id, item_id),
            CHECK (quantity > 0),
            CHECK (state IN (1, 2))
        ) ENGINE = InnoDB",
        sqlite: "CREATE TABLE IF NOT EXISTS reservation (
            saga_id BLOB NOT NULL CHECK (length(saga_id) = 16),
            item_id TEXT NOT NULL,
            order_no BLOB NOT NULL CHECK (length(order_no) = 16),
            quantity INTEGER NOT NULL CHECK (quantity > 0),
            state INTEGER NOT NULL CHECK (state IN (1, 2)),
            created_at INTEGER NOT NULL,
            PRIMARY KEY (saga_id, item_id)
        ) STRICT, WITHOUT ROWID",
    },
    Migration {
        id: "0003_reservation_by_item",
        mariadb: "CREATE INDEX IF NOT EXISTS reservation_by_item ON reservation (item_id, saga_id)",
        sqlite: "CREATE INDEX IF NOT EXISTS reservation_by_item ON reservation (item_id, saga_id)",
    },
    Migration {
        id: "0004_restock",
        mariadb: "CREATE TABLE IF NOT EXISTS restock (
            request_id BINARY(16) NOT NULL,
            item_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
            quantity BIGINT NOT NULL,
            created_at BIGINT NOT NULL,
            PRIMARY KEY (request_id),
            CHECK (quantity > 0)
        ) ENGINE = InnoDB",
        sqlite: "CREATE TABLE IF NOT EXISTS restock (
            request_id BLOB NOT NULL PRIMARY KEY CHECK (length(request_id) = 16),
            item_id TEXT NOT NULL,
            quantity INTEGER NOT NULL CHECK (quantity > 0),
            created_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID",
    },
];

/// Columns in the order of [`Item::values`].
pub const ITEM_COLUMNS: [&str; 10] = [
    "item_id",
    "display_name",
    "currency",
    "unit_price",
    "available",
    "reserved",
    "stocked",
    "initial_stock",
    "created_at",
    "updated_at",
];

/// Selects what [`Item::from_row`] reads.
pub const SELECT_ITEM: &str = "SELECT item_id, display_name, currency, unit_price, available, reserved, stocked, \
                          initial_stock, created_at, updated_at FROM item WHERE ";

/// An item. `available + reserved = stocked`, none negative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// 1 to 64 of `[A-Za-z0-9_-]`.
    pub id: String,
    /// For people.
    pub display_name: String,
    /// ISO 4217 code.
    pub currency: String,
    /// Minor units.
    pub unit_price: i64,
    /// Units that can be reserved.
    pub available: i64,
    /// Units held by reservations.
    pub reserved: i64,
    /// Units ever put in.
    pub stocked: i64,
    /// Units it was created with.
    pub initial_stock: i64,
    /// Microseconds since the epoch.
    pub created_at: i64,
    /// Microseconds since the epoch.
    pub updated_at: i64,
}

impl Item {
    /// The row's columns.
    #[must_use]
    pub fn values(&self) -> Vec<Value> {
        vec![
            self.id.as_str().into(),
            self.display_name.as_str().into(),
            self.currency.as_str().into(),
            self.unit_price.into(),
            self.available.into(),
            self.reserved.into(),
            self.stocked.into(),
            self.initial_stock.into(),
            self.created_at.into(),
            self.updated_at.into(),
        ]
    }

    /// Reads a row of [`SELECT_ITEM`].
    pub fn from_row(row: &Row) -> Result<Self, SqlError> {
        let item = Self {
            id: row.text(0)?.to_owned(),
            display_name: row.text(1)?.to_owned(),
            currency: row.text(2)?.to_owned(),
            unit_price: row.int(3)?,
            available: row.int(4)?,
            reserved: row.int(5)?,
            stocked: row.int(6)?,
            initial_stock: row.int(7)?,
            created_at: row.int(8)?,
            updated_at: row.int(9)?,
        };
        if !item.is_conserved() {
            let (expected, found) = ("stock that adds up", "stock that does not".to_owned());
            return Err(SqlError::Decode { column: 6, expected, found });
        }
        Ok(item)
    }

    /// The invariant, checked before a row is written and after it is read.
    #[must_use]
    pub fn is_conserved(&self) -> bool {
        self.available >= 0 && self.reserved >= 0 && self.available.checked_add(self.reserved) == Some(self.stocked)
    }

    /// The item as gRPC shows it.
    #[must_use]
    pub fn into_wire(self) -> wire::Item {
        wire::Item {
            name: format!("items/{}", self.id),
            display_name: self.display_name,
            currency_code: self.currency,
            unit_price_minor_units: self.unit_price,
            available: self.available,
            reserved: self.reserved,
            stocked: self.stocked,
            create_time: Some(timestamp(self.created_at)),
            update_time: Some(timestamp(self.updated_at)),
        }
    }
}
