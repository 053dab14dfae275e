//! The participant's tables.

use baton_sql::migration::Migration;

/// `payment`: a payment belongs to one saga of one order, for ever. `payment_closed`: sagas that have cancelled, whose late
/// verification is refused whatever the provider says by then. `payment_watch`: one payment for each saga that waits for it or
/// waited in vain, until it turns up or nobody looks any more; `state` is that of [`crate::watch::WatchState`].
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
    Migration {
        id: "0004_payment_watch",
        mariadb: "CREATE TABLE IF NOT EXISTS payment_watch (
            saga_id BINARY(16) NOT NULL PRIMARY KEY,
            payment_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
            order_no BINARY(16) NOT NULL,
            state TINYINT NOT NULL,
            reason VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
            currency VARCHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
            held BIGINT NOT NULL,
            looks INT NOT NULL,
            since BIGINT NOT NULL,
            look_at BIGINT,
            updated_at BIGINT NOT NULL,
            decision VARCHAR(630) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
            CONSTRAINT payment_watch_state CHECK (state BETWEEN 1 AND 4)) ENGINE=InnoDB",
        sqlite: "CREATE TABLE IF NOT EXISTS payment_watch (
            saga_id BLOB NOT NULL PRIMARY KEY,
            payment_id TEXT NOT NULL,
            order_no BLOB NOT NULL,
            state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4),
            reason TEXT NOT NULL,
            currency TEXT NOT NULL,
            held INTEGER NOT NULL,
            looks INTEGER NOT NULL,
            since INTEGER NOT NULL,
            look_at INTEGER,
            updated_at INTEGER NOT NULL,
            decision TEXT NOT NULL) WITHOUT ROWID",
    },
    Migration {
        id: "0005_payment_watch_due",
        mariadb: "CREATE INDEX IF NOT EXISTS payment_watch_due ON payment_watch (look_at)",
        sqlite: "CREATE INDEX IF NOT EXISTS payment_watch_due ON payment_watch (look_at)",
    },
    Migration {
        id: "0006_payment_watch_state",
        mariadb: "CREATE INDEX IF NOT EXISTS payment_watch_state ON payment_watch (state, saga_id)",
        sqlite: "CREATE INDEX IF NOT EXISTS payment_watch_state ON payment_watch (state, saga_id)",
    },
    Migration {
        id: "0007_payment_watch_updated",
        mariadb: "CREATE INDEX IF NOT EXISTS payment_watch_updated ON payment_watch (updated_at)",
        sqlite: "CREATE INDEX IF NOT EXISTS payment_watch_updated ON payment_watch (updated_at)",
    },
];
