//! The orchestrator's tables.

use baton_sql::migration::Migration;

/// Every migration of the orchestrator's schema, in order. Applied ones never change: add new ones below.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        id: "0001_saga",
        mariadb: "CREATE TABLE IF NOT EXISTS saga (\
            id BINARY(16) NOT NULL, \
            definition VARCHAR(64) NOT NULL, \
            definition_version INT UNSIGNED NOT NULL, \
            version BIGINT NOT NULL, \
            state TINYINT NOT NULL, \
            step TINYINT UNSIGNED NOT NULL, \
            direction TINYINT NOT NULL, \
            attempt INT UNSIGNED NOT NULL, \
            attempt_last INT UNSIGNED NOT NULL, \
            wait_kind TINYINT NOT NULL, \
            wake_at BIGINT NULL, \
            deadline_at BIGINT NULL, \
            business_key VARCHAR(128) NOT NULL, \
            traceparent VARCHAR(64) NOT NULL, \
            created_at BIGINT NOT NULL, \
            updated_at BIGINT NOT NULL, \
            input MEDIUMBLOB NOT NULL, \
            data MEDIUMBLOB NOT NULL, \
            PRIMARY KEY (id), \
            CONSTRAINT saga_version CHECK (version > 0), \
            CONSTRAINT saga_one_deadline CHECK ((state IN (1, 2)) = (wake_at IS NOT NULL))\
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
        sqlite: "CREATE TABLE IF NOT EXISTS saga (\
            id BLOB NOT NULL PRIMARY KEY, \
            definition TEXT NOT NULL, \
            definition_version INTEGER NOT NULL, \
            version INTEGER NOT NULL CHECK (version > 0), \
            state INTEGER NOT NULL, \
            step INTEGER NOT NULL, \
            direction INTEGER NOT NULL, \
            attempt INTEGER NOT NULL, \
            attempt_last INTEGER NOT NULL, \
            wait_kind INTEGER NOT NULL, \
            wake_at INTEGER NULL, \
            deadline_at INTEGER NULL, \
            business_key TEXT NOT NULL, \
            traceparent TEXT NOT NULL, \
            created_at INTEGER NOT NULL, \
            updated_at INTEGER NOT NULL, \
            input BLOB NOT NULL, \
            data BLOB NOT NULL, \
            CHECK ((state IN (1, 2)) = (wake_at IS NOT NULL))\
            ) STRICT",
    },
    Migration {
        id: "0002_saga_wake",
        mariadb: "CREATE INDEX IF NOT EXISTS saga_wake ON saga (wake_at)",
        sqlite: "CREATE INDEX IF NOT EXISTS saga_wake ON saga (wake_at) WHERE wake_at IS NOT NULL",
    },
    Migration {
        id: "0003_saga_business_key",
        mariadb: "CREATE INDEX IF NOT EXISTS saga_business_key ON saga (business_key, id)",
        sqlite: "CREATE INDEX IF NOT EXISTS saga_business_key ON saga (business_key, id)",
    },
    Migration {
        id: "0004_saga_state",
        mariadb: "CREATE INDEX IF NOT EXISTS saga_state ON saga (state, id)",
        sqlite: "CREATE INDEX IF NOT EXISTS saga_state ON saga (state, id)",
    },
    Migration {
        id: "0005_saga_key",
        mariadb: "CREATE TABLE IF NOT EXISTS saga_key (\
            key_digest BINARY(32) NOT NULL, \
            saga_id BINARY(16) NOT NULL, \
            fingerprint BINARY(32) NOT NULL, \
            created_at BIGINT NOT NULL, \
            PRIMARY KEY (key_digest)\
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
        sqlite: "CREATE TABLE IF NOT EXISTS saga_key (\
            key_digest BLOB NOT NULL PRIMARY KEY, \
            saga_id BLOB NOT NULL, \
            fingerprint BLOB NOT NULL, \
            created_at INTEGER NOT NULL\
            ) STRICT, WITHOUT ROWID",
    },
    Migration {
        id: "0006_journal",
        mariadb: "CREATE TABLE IF NOT EXISTS journal (\
            saga_id BINARY(16) NOT NULL, \
            version BIGINT NOT NULL, \
            at BIGINT NOT NULL, \
            event MEDIUMBLOB NOT NULL, \
            PRIMARY KEY (saga_id, version)\
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
        sqlite: "CREATE TABLE IF NOT EXISTS journal (\
            saga_id BLOB NOT NULL, \
            version INTEGER NOT NULL, \
            at INTEGER NOT NULL, \
            event BLOB NOT NULL, \
            PRIMARY KEY (saga_id, version)\
            ) STRICT, WITHOUT ROWID",
    },
    Migration {
        id: "0007_outbox",
        mariadb: "CREATE TABLE IF NOT EXISTS outbox (\
            id BINARY(16) NOT NULL, \
            participant VARCHAR(32) NOT NULL, \
            body MEDIUMBLOB NOT NULL, \
            created_at BIGINT NOT NULL, \
            PRIMARY KEY (id)\
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
        sqlite: "CREATE TABLE IF NOT EXISTS outbox (\
            id BLOB NOT NULL PRIMARY KEY, \
            participant TEXT NOT NULL, \
            body BLOB NOT NULL, \
            created_at INTEGER NOT NULL\
            ) STRICT",
    },
    Migration {
        id: "0008_outbox_created",
        mariadb: "CREATE INDEX IF NOT EXISTS outbox_created ON outbox (created_at)",
        sqlite: "CREATE INDEX IF NOT EXISTS outbox_created ON outbox (created_at)",
    },
    // The deadline changes with every move and nearly always stays within its second for as long as a saga is under way:
    // an index on the second is left alone by most moves, one on the microsecond by none. And a saga that goes its usual way,
    // running and then completed, needs no place in an index of states.
    Migration {
        id: "0009_saga_wake_second",
        mariadb: "ALTER TABLE saga ADD COLUMN IF NOT EXISTS wake_second BIGINT AS (wake_at DIV 1000000) STORED",
        sqlite: "ALTER TABLE saga ADD COLUMN wake_second INTEGER GENERATED ALWAYS AS (wake_at / 1000000) VIRTUAL",
    },
    Migration {
        id: "0010_saga_due",
        mariadb: "CREATE INDEX IF NOT EXISTS saga_due ON saga (wake_second)",
        sqlite: "CREATE INDEX IF NOT EXISTS saga_due ON saga (wake_second, id) WHERE wake_second IS NOT NULL",
    },
    Migration {
        id: "0011_saga_wake_gone",
        mariadb: "DROP INDEX IF EXISTS saga_wake ON saga",
        sqlite: "DROP INDEX IF EXISTS saga_wake",
    },
    Migration {
        id: "0012_saga_unusual",
        mariadb: "ALTER TABLE saga ADD COLUMN IF NOT EXISTS unusual TINYINT \
            AS (CASE WHEN state IN (2, 3, 4, 6) THEN state END) STORED",
        sqlite: "ALTER TABLE saga ADD COLUMN unusual INTEGER \
            GENERATED ALWAYS AS (CASE WHEN state IN (2, 3, 4, 6) THEN state END) VIRTUAL",
    },
    Migration {
        id: "0013_saga_by_unusual",
        mariadb: "CREATE INDEX IF NOT EXISTS saga_by_unusual ON saga (unusual, id)",
        sqlite: "CREATE INDEX IF NOT EXISTS saga_by_unusual ON saga (unusual, id) WHERE unusual IS NOT NULL",
    },
    Migration {
        id: "0014_saga_state_gone",
        mariadb: "DROP INDEX IF EXISTS saga_state ON saga",
        sqlite: "DROP INDEX IF EXISTS saga_state",
    },
    // What is left of a saga that retention deleted: that it was there, and how it ended.
    Migration {
        id: "0015_forgotten",
        mariadb: "CREATE TABLE IF NOT EXISTS forgotten (\
            saga_id BINARY(16) NOT NULL, \
            state TINYINT NOT NULL, \
            ended_at BIGINT NOT NULL, \
            forgotten_at BIGINT NOT NULL, \
            PRIMARY KEY (saga_id), \
            CONSTRAINT forgotten_finished CHECK (state IN (5, 6))\
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
        sqlite: "CREATE TABLE IF NOT EXISTS forgotten (\
            saga_id BLOB NOT NULL PRIMARY KEY, \
            state INTEGER NOT NULL CHECK (state IN (5, 6)), \
            ended_at INTEGER NOT NULL, \
            forgotten_at INTEGER NOT NULL\
            ) STRICT, WITHOUT ROWID",
    },
];
