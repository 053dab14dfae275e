//! What the kit's tests share: databases, a toy participant, a bus that obeys.
#![allow(dead_code, reason = "each test file uses a part")]

pub mod bench;
pub mod bus;
pub mod toy;

use baton_participant_kit::clock::Clock;
use baton_participant_kit::metrics::ParticipantMetrics;
use baton_participant_kit::participant::Participant;
use baton_participant_kit::plan::Rules;
use baton_participant_kit::{batch::Batches, ledger};
use baton_sql::database::{Database, DatabaseConfig};
use baton_supervisor::shared;
use std::sync::Arc;
use std::time::Duration;

/// Now, in the tests' clock.
pub const NOW_US: i64 = 1_000_000;

/// A database of each kind, migrated for `participant`. The directory keeps the file.
pub async fn databases(participant: &impl Participant) -> Vec<(&'static str, Database, tempfile::TempDir)> {
    let mut all = Vec::new();
    for kind in ["memory", "file", "mariadb"] {
        let dir = tempfile::tempdir().unwrap();
        let config = match kind {
            "memory" => DatabaseConfig::SqliteMemory,
            "file" => DatabaseConfig::SqliteFile { path: dir.path().join("toy.db") },
            _ => mariadb_config(&shared::fresh_schema(shared::mariadb().await)),
        };
        let database = Database::open(config).await.unwrap();
        database.migrate(&ledger::migrations(participant)).await.unwrap();
        all.push((kind, database, dir));
    }
    all
}

/// A small pool over this URL.
pub fn mariadb_config(url: &str) -> DatabaseConfig {
    DatabaseConfig::MariaDb { url: url.to_owned(), connections: 4, acquire_timeout: Duration::from_secs(2) }
}

/// Batches with all rules, at [`NOW_US`].
pub fn batches<P: Participant>(participant: &Arc<P>, database: &Database) -> Batches {
    batches_with(participant, database, Rules::default())
}

/// Batches with these rules, at [`NOW_US`].
pub fn batches_with<P: Participant>(participant: &Arc<P>, database: &Database, rules: Rules) -> Batches {
    let clock = Clock::from_fn(|| NOW_US);
    Batches::new(Arc::clone(participant), database.clone(), clock, ParticipantMetrics::default(), rules, 4096)
}
