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
    // What operators did, one entry after the other, each bound to the one before it: docs/audit.md.
    Migration {
        id: "0016_audit",
        mariadb: "CREATE TABLE IF NOT EXISTS audit (\
            number BIGINT NOT NULL, \
            at BIGINT NOT NULL, \
            actor VARCHAR(128) NOT NULL, \
            act VARCHAR(32) NOT NULL, \
            subject VARCHAR(255) NOT NULL, \
            reason VARCHAR(500) NOT NULL, \
            before_state VARCHAR(255) NOT NULL, \
            after_state VARCHAR(255) NOT NULL, \
            saga_id BINARY(16) NULL, \
            version BIGINT NOT NULL, \
            request_id BINARY(16) NULL, \
            content BINARY(32) NOT NULL, \
            journal BINARY(32) NULL, \
            previous BINARY(32) NOT NULL, \
            hash BINARY(32) NOT NULL, \
            PRIMARY KEY (number)\
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
        sqlite: "CREATE TABLE IF NOT EXISTS audit (\
            number INTEGER NOT NULL PRIMARY KEY, \
            at INTEGER NOT NULL, \
            actor TEXT NOT NULL, \
            act TEXT NOT NULL, \
            subject TEXT NOT NULL, \
            reason TEXT NOT NULL, \
            before_state TEXT NOT NULL, \
            after_state TEXT NOT NULL, \
            saga_id BLOB NULL, \
            version INTEGER NOT NULL, \
            request_id BLOB NULL, \
            content BLOB NOT NULL, \
            journal BLOB NULL, \
            previous BLOB NOT NULL, \
            hash BLOB NOT NULL\
            ) STRICT",
    },
    Migration {
        id: "0017_audit_request",
        mariadb: "CREATE UNIQUE INDEX IF NOT EXISTS audit_request ON audit (request_id)",
        sqlite: "CREATE UNIQUE INDEX IF NOT EXISTS audit_request ON audit (request_id)",
    },
    Migration {
        id: "0018_audit_subject",
        mariadb: "CREATE INDEX IF NOT EXISTS audit_subject ON audit (subject, number)",
        sqlite: "CREATE INDEX IF NOT EXISTS audit_subject ON audit (subject, number)",
    },
    Migration {
        id: "0019_audit_actor",
        mariadb: "CREATE INDEX IF NOT EXISTS audit_actor ON audit (actor, number)",
        sqlite: "CREATE INDEX IF NOT EXISTS audit_actor ON audit (actor, number)",
    },
    Migration {
        id: "0020_audit_head",
        mariadb: "CREATE TABLE IF NOT EXISTS audit_head (\
            id TINYINT NOT NULL, \
            number BIGINT NOT NULL, \
            hash BINARY(32) NOT NULL, \
            PRIMARY KEY (id), \
            CONSTRAINT audit_head_one CHECK (id = 1)\
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
        sqlite: "CREATE TABLE IF NOT EXISTS audit_head (\
            id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), \
            number INTEGER NOT NULL, \
            hash BLOB NOT NULL\
            ) STRICT",
    },
    Migration {
        id: "0021_audit_head_row",
        mariadb: "INSERT IGNORE INTO audit_head (id, number, hash) VALUES (1, 0, \
            X'0000000000000000000000000000000000000000000000000000000000000000')",
        sqlite: "INSERT OR IGNORE INTO audit_head (id, number, hash) VALUES (1, 0, \
            X'0000000000000000000000000000000000000000000000000000000000000000')",
    },
    // One order for many sagas. `pending` holds the ids of the page that is being ordered, `reached` where the next one
    // begins: what was begun is told from what was not, whoever goes on with it.
    Migration {
        id: "0030_job",
        mariadb: "CREATE TABLE IF NOT EXISTS job (\
            id BINARY(16) NOT NULL, \
            filter VARCHAR(2048) NOT NULL, \
            preset VARCHAR(32) NOT NULL, \
            verb TINYINT NOT NULL, \
            reason VARCHAR(500) NOT NULL, \
            actor VARCHAR(128) NOT NULL, \
            max_rate INT NOT NULL, \
            state TINYINT NOT NULL, \
            matched BIGINT NOT NULL, \
            matched_exact TINYINT NOT NULL, \
            done BIGINT NOT NULL, \
            failed BIGINT NOT NULL, \
            created_at BIGINT NOT NULL, \
            updated_at BIGINT NOT NULL, \
            waits VARCHAR(255) NOT NULL, \
            open TINYINT NOT NULL, \
            reached BINARY(16) NOT NULL, \
            page BIGINT NOT NULL, \
            pending MEDIUMBLOB NOT NULL, \
            last_page TINYINT NOT NULL, \
            claimed_by BINARY(16) NOT NULL, \
            claimed_until BIGINT NOT NULL, \
            PRIMARY KEY (id)\
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
        sqlite: "CREATE TABLE IF NOT EXISTS job (\
            id BLOB NOT NULL PRIMARY KEY, \
            filter TEXT NOT NULL, \
            preset TEXT NOT NULL, \
            verb INTEGER NOT NULL, \
            reason TEXT NOT NULL, \
            actor TEXT NOT NULL, \
            max_rate INTEGER NOT NULL, \
            state INTEGER NOT NULL, \
            matched INTEGER NOT NULL, \
            matched_exact INTEGER NOT NULL, \
            done INTEGER NOT NULL, \
            failed INTEGER NOT NULL, \
            created_at INTEGER NOT NULL, \
            updated_at INTEGER NOT NULL, \
            waits TEXT NOT NULL, \
            open INTEGER NOT NULL, \
            reached BLOB NOT NULL, \
            page INTEGER NOT NULL, \
            pending BLOB NOT NULL, \
            last_page INTEGER NOT NULL, \
            claimed_by BLOB NOT NULL, \
            claimed_until INTEGER NOT NULL\
            ) STRICT",
    },
    Migration {
        id: "0031_job_open",
        mariadb: "CREATE INDEX IF NOT EXISTS job_open ON job (open, id)",
        sqlite: "CREATE INDEX IF NOT EXISTS job_open ON job (open, id)",
    },
    Migration {
        id: "0032_job_failure",
        mariadb: "CREATE TABLE IF NOT EXISTS job_failure (\
            job_id BINARY(16) NOT NULL, \
            number INT NOT NULL, \
            saga_id BINARY(16) NOT NULL, \
            rule VARCHAR(63) NOT NULL, \
            message VARCHAR(500) NOT NULL, \
            at BIGINT NOT NULL, \
            PRIMARY KEY (job_id, number)\
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
        sqlite: "CREATE TABLE IF NOT EXISTS job_failure (\
            job_id BLOB NOT NULL, \
            number INTEGER NOT NULL, \
            saga_id BLOB NOT NULL, \
            rule TEXT NOT NULL, \
            message TEXT NOT NULL, \
            at INTEGER NOT NULL, \
            PRIMARY KEY (job_id, number)\
            ) STRICT, WITHOUT ROWID",
    },
    // Definitions and participants that are halted, and the sagas that each of these holds has paused, or is about to.
    Migration {
        id: "0033_hold",
        mariadb: "CREATE TABLE IF NOT EXISTS hold (\
            name VARCHAR(128) NOT NULL, \
            reason VARCHAR(500) NOT NULL, \
            actor VARCHAR(128) NOT NULL, \
            created_at BIGINT NOT NULL, \
            releasing TINYINT NOT NULL, \
            release_reason VARCHAR(500) NOT NULL, \
            release_actor VARCHAR(128) NOT NULL, \
            claimed_by BINARY(16) NOT NULL, \
            claimed_until BIGINT NOT NULL, \
            PRIMARY KEY (name)\
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
        sqlite: "CREATE TABLE IF NOT EXISTS hold (\
            name TEXT NOT NULL PRIMARY KEY, \
            reason TEXT NOT NULL, \
            actor TEXT NOT NULL, \
            created_at INTEGER NOT NULL, \
            releasing INTEGER NOT NULL, \
            release_reason TEXT NOT NULL, \
            release_actor TEXT NOT NULL, \
            claimed_by BLOB NOT NULL, \
            claimed_until INTEGER NOT NULL\
            ) STRICT",
    },
    Migration {
        id: "0034_hold_saga",
        mariadb: "CREATE TABLE IF NOT EXISTS hold_saga (\
            hold VARCHAR(128) NOT NULL, \
            saga_id BINARY(16) NOT NULL, \
            seen_version BIGINT NOT NULL, \
            PRIMARY KEY (hold, saga_id)\
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
        sqlite: "CREATE TABLE IF NOT EXISTS hold_saga (\
            hold TEXT NOT NULL, \
            saga_id BLOB NOT NULL, \
            seen_version INTEGER NOT NULL, \
            PRIMARY KEY (hold, saga_id)\
            ) STRICT, WITHOUT ROWID",
    },
    // Messages that could not be processed, until an operator decides. `waiting_key` is taken while it waits.
    Migration {
        id: "0040_dead_letter",
        mariadb: "CREATE TABLE IF NOT EXISTS dead_letter (\
            id BINARY(16) NOT NULL, \
            destination VARCHAR(64) NOT NULL, \
            message_id BINARY(16) NULL, \
            reason VARCHAR(64) NOT NULL, \
            body MEDIUMBLOB NOT NULL, \
            size BIGINT NOT NULL, \
            sagas VARBINARY(128) NOT NULL, \
            waiting_key BINARY(32) NULL, \
            state TINYINT NOT NULL, \
            collected_at BIGINT NOT NULL, \
            decided_at BIGINT NULL, \
            PRIMARY KEY (id), \
            UNIQUE KEY dead_letter_waiting (waiting_key)\
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
        sqlite: "CREATE TABLE IF NOT EXISTS dead_letter (\
            id BLOB NOT NULL PRIMARY KEY, \
            destination TEXT NOT NULL, \
            message_id BLOB NULL, \
            reason TEXT NOT NULL, \
            body BLOB NOT NULL, \
            size INTEGER NOT NULL, \
            sagas BLOB NOT NULL, \
            waiting_key BLOB NULL UNIQUE, \
            state INTEGER NOT NULL, \
            collected_at INTEGER NOT NULL, \
            decided_at INTEGER NULL\
            ) STRICT",
    },
    Migration {
        id: "0041_dead_letter_state",
        mariadb: "CREATE INDEX IF NOT EXISTS dead_letter_state ON dead_letter (state, id)",
        sqlite: "CREATE INDEX IF NOT EXISTS dead_letter_state ON dead_letter (state, id)",
    },
    Migration {
        id: "0042_dead_letter_decided",
        mariadb: "CREATE INDEX IF NOT EXISTS dead_letter_decided ON dead_letter (decided_at)",
        sqlite: "CREATE INDEX IF NOT EXISTS dead_letter_decided ON dead_letter (decided_at)",
    },
    Migration {
        id: "0050_instance",
        mariadb: "CREATE TABLE IF NOT EXISTS instance (\
            id BINARY(16) NOT NULL, \
            seen_at BIGINT NOT NULL, \
            version VARCHAR(32) NOT NULL, \
            PRIMARY KEY (id)\
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
        sqlite: "CREATE TABLE IF NOT EXISTS instance (\
            id BLOB NOT NULL PRIMARY KEY, \
            seen_at INTEGER NOT NULL, \
            version TEXT NOT NULL\
            ) STRICT, WITHOUT ROWID",
    },
    Migration {
        id: "0051_sample",
        mariadb: "CREATE TABLE IF NOT EXISTS sample (\
            at BIGINT NOT NULL, \
            instance BINARY(16) NOT NULL, \
            started BIGINT NOT NULL, \
            ended BIGINT NOT NULL, \
            p50_us BIGINT NOT NULL, \
            p99_us BIGINT NOT NULL, \
            under_way BIGINT NOT NULL, \
            PRIMARY KEY (at, instance)\
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
        sqlite: "CREATE TABLE IF NOT EXISTS sample (\
            at INTEGER NOT NULL, \
            instance BLOB NOT NULL, \
            started INTEGER NOT NULL, \
            ended INTEGER NOT NULL, \
            p50_us INTEGER NOT NULL, \
            p99_us INTEGER NOT NULL, \
            under_way INTEGER NOT NULL, \
            PRIMARY KEY (at, instance)\
            ) STRICT, WITHOUT ROWID",
    },
    Migration {
        id: "0052_instance_address",
        mariadb: "ALTER TABLE instance ADD COLUMN IF NOT EXISTS address VARCHAR(255) NOT NULL DEFAULT ''",
        sqlite: "ALTER TABLE instance ADD COLUMN address TEXT NOT NULL DEFAULT ''",
    },
    Migration {
        id: "0060_incident",
        mariadb: "CREATE TABLE IF NOT EXISTS incident (\
            saga_id BINARY(16) NOT NULL, \
            version BIGINT NOT NULL, \
            opened_at BIGINT NOT NULL, \
            told_at BIGINT NULL, \
            attempts BIGINT NOT NULL, \
            next_at BIGINT NOT NULL, \
            PRIMARY KEY (saga_id, version)\
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
        sqlite: "CREATE TABLE IF NOT EXISTS incident (\
            saga_id BLOB NOT NULL, \
            version INTEGER NOT NULL, \
            opened_at INTEGER NOT NULL, \
            told_at INTEGER NULL, \
            attempts INTEGER NOT NULL, \
            next_at INTEGER NOT NULL, \
            PRIMARY KEY (saga_id, version)\
            ) STRICT, WITHOUT ROWID",
    },
    // What sagas are found by: attributes that their definitions declare, and their trace. A row is written once, and by no
    // move. docs/decisions/0014-attributes-behind-the-commit.md
    Migration {
        id: "0070_saga_attribute",
        mariadb: "CREATE TABLE IF NOT EXISTS saga_attribute (\
            name VARCHAR(64) NOT NULL, \
            value VARBINARY(128) NOT NULL, \
            saga_id BINARY(16) NOT NULL, \
            PRIMARY KEY (name, value, saga_id), \
            KEY saga_attribute_saga (saga_id)\
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
        sqlite: "CREATE TABLE IF NOT EXISTS saga_attribute (\
            name TEXT NOT NULL, \
            value BLOB NOT NULL, \
            saga_id BLOB NOT NULL, \
            PRIMARY KEY (name, value, saga_id)\
            ) STRICT, WITHOUT ROWID",
    },
    Migration {
        id: "0071_saga_attribute_saga",
        mariadb: "CREATE INDEX IF NOT EXISTS saga_attribute_saga ON saga_attribute (saga_id)",
        sqlite: "CREATE INDEX IF NOT EXISTS saga_attribute_saga ON saga_attribute (saga_id)",
    },
    // How far: 1 is the fence, 2 what is done. A saga that is committed up to the fence brings its attributes with it.
    Migration {
        id: "0072_attribute_index",
        mariadb: "CREATE TABLE IF NOT EXISTS attribute_index (\
            id TINYINT NOT NULL, \
            reached BINARY(16) NOT NULL, \
            PRIMARY KEY (id), \
            CONSTRAINT attribute_index_two CHECK (id IN (1, 2))\
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
        sqlite: "CREATE TABLE IF NOT EXISTS attribute_index (\
            id INTEGER NOT NULL PRIMARY KEY CHECK (id IN (1, 2)), \
            reached BLOB NOT NULL\
            ) STRICT",
    },
    Migration {
        id: "0073_attribute_index_rows",
        mariadb: "INSERT IGNORE INTO attribute_index (id, reached) VALUES \
            (1, X'00000000000000000000000000000000'), (2, X'00000000000000000000000000000000')",
        sqlite: "INSERT OR IGNORE INTO attribute_index (id, reached) VALUES \
            (1, X'00000000000000000000000000000000'), (2, X'00000000000000000000000000000000')",
    },
    // When somebody is to look at a saga under way: at the latest when its deadline passes, and before that to send its command
    // again. Written when it starts and erased when it ends; the moves in between leave it alone unless it is to be looked at
    // earlier. So it also tells which sagas are under way, which the second of the deadline did.
    Migration {
        id: "0080_saga_look",
        mariadb: "ALTER TABLE saga ADD COLUMN IF NOT EXISTS look_at BIGINT NULL",
        sqlite: "ALTER TABLE saga ADD COLUMN look_at INTEGER NULL",
    },
    Migration {
        id: "0081_saga_look_first",
        mariadb: "UPDATE saga SET look_at = wake_at WHERE wake_second IS NOT NULL",
        sqlite: "UPDATE saga SET look_at = wake_at WHERE wake_second IS NOT NULL",
    },
    Migration {
        id: "0082_saga_by_look",
        mariadb: "CREATE INDEX IF NOT EXISTS saga_look ON saga (look_at)",
        sqlite: "CREATE INDEX IF NOT EXISTS saga_look ON saga (look_at, id) WHERE look_at IS NOT NULL",
    },
    Migration {
        id: "0083_saga_due_gone",
        mariadb: "DROP INDEX IF EXISTS saga_due ON saga",
        sqlite: "DROP INDEX IF EXISTS saga_due",
    },
    Migration {
        id: "0084_saga_wake_second_gone",
        mariadb: "ALTER TABLE saga DROP COLUMN IF EXISTS wake_second",
        sqlite: "ALTER TABLE saga DROP COLUMN wake_second",
    },
    // Commands and replies are sent by couriers that may lose them, and follow from a saga's row. What waited in the outbox is
    // sent once more, as letters that an operator has replayed are: state 4 is one that is still to be sent.
    Migration {
        id: "0085_outbox_sent_once",
        mariadb: "INSERT IGNORE INTO dead_letter \
            (id, destination, message_id, reason, body, size, sagas, waiting_key, state, collected_at, decided_at) \
            SELECT id, participant, id, 'OUTBOX', body, LENGTH(body), '', NULL, 4, created_at, created_at FROM outbox",
        sqlite: "INSERT OR IGNORE INTO dead_letter \
            (id, destination, message_id, reason, body, size, sagas, waiting_key, state, collected_at, decided_at) \
            SELECT id, participant, id, 'OUTBOX', body, LENGTH(body), x'', NULL, 4, created_at, created_at FROM outbox",
    },
    Migration { id: "0086_outbox_gone", mariadb: "DROP TABLE IF EXISTS outbox", sqlite: "DROP TABLE IF EXISTS outbox" },
    Migration {
        id: "0090_sample_stuck",
        mariadb: "ALTER TABLE sample ADD COLUMN IF NOT EXISTS stuck BIGINT NOT NULL DEFAULT 0",
        sqlite: "ALTER TABLE sample ADD COLUMN stuck INTEGER NOT NULL DEFAULT 0",
    },
    Migration {
        id: "0091_dead_letter_message",
        mariadb: "CREATE INDEX IF NOT EXISTS dead_letter_message ON dead_letter (message_id)",
        sqlite: "CREATE INDEX IF NOT EXISTS dead_letter_message ON dead_letter (message_id)",
    },
    // Which sagas a job acted on, so that it can be told what became of them.
    Migration {
        id: "0092_job_saga",
        mariadb: "CREATE TABLE IF NOT EXISTS job_saga (\
            job_id BINARY(16) NOT NULL, \
            saga_id BINARY(16) NOT NULL, \
            PRIMARY KEY (job_id, saga_id)\
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
        sqlite: "CREATE TABLE IF NOT EXISTS job_saga (\
            job_id BLOB NOT NULL, \
            saga_id BLOB NOT NULL, \
            PRIMARY KEY (job_id, saga_id)\
            ) STRICT, WITHOUT ROWID",
    },
];
