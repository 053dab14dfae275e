//! The participant's tables.

use baton_sql::migration::Migration;

/// `payment`: a payment belongs to one saga of one order, for ever. `payment_closed`: sagas that have cancelled, whose late
/// verification is refused whatever the provider says by then.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        id: "0001_payment",
        mariadb: "CREATE TABLE IF NOT EXISTS payment (
            payment_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
            order_no BINARY(16) NOT NULL,
            saga_id BINARY(16) NOT NULL,
            currency CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
            amount BIGINT NOT NULL,
            state TINYINT NOT NULL,
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            CONSTRAINT payment_amount CHECK (amount >= 0),
            CONSTRAINT payment_state CHECK (state BETWEEN 1 AND 3)) ENGINE=InnoDB",
        sqlite: "CREATE TABLE IF NOT EXISTS payment (
            payment_id TEXT NOT NULL PRIMARY KEY,
            order_no BLOB NOT NULL,
            saga_id BLOB NOT NULL,
            currency TEXT NOT NULL,
            amount INTEGER NOT NULL CHECK (amount >= 0),
            state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 3),
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL) WITHOUT ROWID",
    },
    Migration {
        id: "0002_payment_newest",
        mariadb: "CREATE INDEX IF NOT EXISTS payment_newest ON payment (created_at, payment_id)",
        sqlite: "CREATE INDEX IF NOT EXISTS payment_newest ON payment (created_at, payment_id)",
    },
    Migration {
        id: "0003_payment_closed",
        mariadb: "CREATE TABLE IF NOT EXISTS payment_closed (
            saga_id BINARY(16) NOT NULL PRIMARY KEY,
            closed_at BIGINT NOT NULL) ENGINE=InnoDB",
        sqlite: "CREATE TABLE IF NOT EXISTS payment_closed (
            saga_id BLOB NOT NULL PRIMARY KEY,
            closed_at INTEGER NOT NULL) WITHOUT ROWID",
    },
];
