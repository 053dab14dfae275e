//! The ledger's tables.

use baton_sql::migration::Migration;

/// `paid_merchant_uid` is the merchant's number once the payment was captured: its unique key allows one capture a number.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        id: "0001_sandbox_payment",
        mariadb: "CREATE TABLE IF NOT EXISTS sandbox_payment (
            imp_uid VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
            merchant_uid VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
            paid_merchant_uid VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
            currency CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
            amount BIGINT NOT NULL,
            cancelled BIGINT NOT NULL,
            cancellations BIGINT NOT NULL,
            status VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
            details TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
            started_us BIGINT NOT NULL,
            paid_us BIGINT NOT NULL,
            failed_us BIGINT NOT NULL,
            cancelled_us BIGINT NOT NULL,
            CONSTRAINT sandbox_refund_within_payment CHECK (cancelled >= 0 AND cancelled <= amount),
            UNIQUE KEY sandbox_one_capture (paid_merchant_uid)) ENGINE=InnoDB",
        sqlite: "CREATE TABLE IF NOT EXISTS sandbox_payment (
            imp_uid TEXT NOT NULL PRIMARY KEY,
            merchant_uid TEXT NOT NULL,
            paid_merchant_uid TEXT NULL UNIQUE,
            currency TEXT NOT NULL,
            amount INTEGER NOT NULL,
            cancelled INTEGER NOT NULL,
            cancellations INTEGER NOT NULL,
            status TEXT NOT NULL,
            details TEXT NOT NULL,
            started_us INTEGER NOT NULL,
            paid_us INTEGER NOT NULL,
            failed_us INTEGER NOT NULL,
            cancelled_us INTEGER NOT NULL,
            CONSTRAINT sandbox_refund_within_payment CHECK (cancelled >= 0 AND cancelled <= amount))",
    },
    Migration {
        id: "0002_sandbox_payment_merchant",
        mariadb: "CREATE INDEX IF NOT EXISTS sandbox_payment_merchant ON sandbox_payment (merchant_uid)",
        sqlite: "CREATE INDEX IF NOT EXISTS sandbox_payment_merchant ON sandbox_payment (merchant_uid)",
    },
    Migration {
        id: "0003_sandbox_cancellation",
        mariadb: "CREATE TABLE IF NOT EXISTS sandbox_cancellation (
            imp_uid VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
            ordinal BIGINT NOT NULL,
            amount BIGINT NOT NULL,
            reason TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
            cancelled_us BIGINT NOT NULL,
            PRIMARY KEY (imp_uid, ordinal)) ENGINE=InnoDB",
        sqlite: "CREATE TABLE IF NOT EXISTS sandbox_cancellation (
            imp_uid TEXT NOT NULL,
            ordinal INTEGER NOT NULL,
            amount INTEGER NOT NULL,
            reason TEXT NOT NULL,
            cancelled_us INTEGER NOT NULL,
            PRIMARY KEY (imp_uid, ordinal)) WITHOUT ROWID",
    },
    Migration {
        id: "0004_sandbox_entry",
        mariadb: "CREATE TABLE IF NOT EXISTS sandbox_entry (
            entry BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
            imp_uid VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
            currency CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
            amount BIGINT NOT NULL,
            at_us BIGINT NOT NULL) ENGINE=InnoDB",
        sqlite: "CREATE TABLE IF NOT EXISTS sandbox_entry (
            entry INTEGER PRIMARY KEY AUTOINCREMENT,
            imp_uid TEXT NOT NULL,
            currency TEXT NOT NULL,
            amount INTEGER NOT NULL,
            at_us INTEGER NOT NULL)",
    },
    Migration {
        id: "0005_sandbox_prepared",
        mariadb: "CREATE TABLE IF NOT EXISTS sandbox_prepared (
            merchant_uid VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
            currency CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
            amount BIGINT NOT NULL) ENGINE=InnoDB",
        sqlite: "CREATE TABLE IF NOT EXISTS sandbox_prepared (
            merchant_uid TEXT NOT NULL PRIMARY KEY,
            currency TEXT NOT NULL,
            amount INTEGER NOT NULL) WITHOUT ROWID",
    },
];
