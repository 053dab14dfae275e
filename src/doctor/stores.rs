//! Databases: reachable, safe, at this build's schema, on the same clock.

use super::finding::Finding;
use super::{SKEW, STEP, mariadb, within};
use crate::config::{Config, StoreConfig};
use crate::linked::{Linked, Service};
use crate::wiring;
use baton_sql::database::{Database, DatabaseConfig, Dialect};
use baton_sql::error::SqlError;
use baton_sql::migration::Migration;
use saga_core::time::SET_BACK;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The one check of a database that cannot be opened.
pub const REACHABLE: &str = "reachable";

/// The databases that the configuration names.
pub async fn of_configuration(config: &Config, linked: &Linked) -> Vec<Finding> {
    let mut findings = Vec::new();
    for service in linked.services() {
        let part = format!("{} store", service.name);
        let store = match service.store(config) {
            Ok(store) => store,
            Err(missing) => {
                findings.push(Finding::bad(&part, REACHABLE, missing.to_string(), "mend the configuration"));
                continue;
            }
        };
        match opened(store).await {
            Ok(database) => findings.extend(look(&part, &database, service, store.connections).await),
            Err(found) => {
                let mend = mend_unreachable(service.name, &service.store_key(), &found);
                findings.push(Finding::bad(&part, REACHABLE, found, mend));
            }
        }
    }
    findings
}

/// The files that `baton dev` keeps.
pub async fn of_directory(directory: &Path, linked: &Linked) -> Vec<Finding> {
    let mut findings = Vec::new();
    for service in linked.services() {
        let name = service.name;
        let (part, path) = (format!("{name} store"), directory.join(format!("{name}.db")));
        // Opening a file that is missing would create it.
        if !path.is_file() {
            let found = format!("no file {}", path.display());
            findings.push(Finding::bad(&part, REACHABLE, found, "name the directory that `baton dev` was given"));
            continue;
        }
        match within(Database::open(DatabaseConfig::sqlite(&path))).await {
            Ok(database) => findings.extend(look(&part, &database, service, 0).await),
            Err(found) => findings.push(Finding::bad(&part, REACHABLE, found, "restore the file")),
        }
    }
    findings
}

async fn opened(store: &StoreConfig) -> Result<Database, String> {
    let config = wiring::database(store).map_err(|error| error.to_string())?;
    if let DatabaseConfig::SqliteFile { path } = &config
        && !path.is_file()
    {
        return Err(format!("no file {}", path.display()));
    }
    within(Database::open(config)).await
}

fn mend_unreachable(name: &str, key: &str, found: &str) -> String {
    // The server answers, and knows the user not at all, not by this password, or not on this schema.
    if found.contains("Access denied") {
        return format!(
            "mend user and password in {key}, or have the server CREATE USER and GRANT the user its schema"
        );
    }
    format!("check the address in {key} and the server's settings; `baton migrate up {name}` makes the schema")
}

async fn look(part: &str, database: &Database, service: Service<'_>, connections: u32) -> Vec<Finding> {
    let mut findings = match database.dialect() {
        Dialect::MariaDb => mariadb::look(part, database, connections).await,
        Dialect::Sqlite => sqlite(part, database).await,
    };
    findings.push(match service.migrations(database) {
        Ok(migrations) => at_schema(part, database, &migrations).await,
        Err(error) => Finding::bad(part, "schema", error.to_string(), "mend the configuration"),
    });
    findings.push(clock(part, database).await);
    if service.is_orchestrator() {
        findings.push(newest(part, database).await);
    }
    findings
}

async fn at_schema(part: &str, database: &Database, migrations: &[Migration]) -> Finding {
    let status = match within(database.migration_status(migrations)).await {
        Ok(status) => status,
        Err(found) => return Finding::bad(part, "schema", found, "the user needs SELECT on its own schema"),
    };
    let missing = status.iter().filter(|one| one.applied_at.is_none()).count();
    if let Some(changed) = status.iter().find(|one| one.changed) {
        let found = format!("{} was applied with another text", changed.id);
        return Finding::bad(part, "schema", found, "this build is not the one that made the schema: use that one");
    }
    match missing {
        0 => Finding::ok(part, "schema", format!("{} migrations applied", status.len())),
        missing => {
            let found = format!("{missing} of {} migrations are missing", status.len());
            Finding::bad(part, "schema", found, "run `baton migrate up`")
        }
    }
}

async fn clock(part: &str, database: &Database) -> Finding {
    match within(database.now_us()).await {
        Ok(theirs) => skew(part, theirs),
        Err(found) => Finding::bad(part, "clock", found, "the database must answer"),
    }
}

/// A clock beside this machine's.
pub fn skew(part: &str, theirs_us: i64) -> Finding {
    let ours = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let theirs = Duration::from_micros(u64::try_from(theirs_us).unwrap_or(0));
    let difference = ours.abs_diff(theirs);
    let found = format!("{} ms from this machine's", difference.as_millis());
    if difference <= SKEW {
        Finding::ok(part, "clock", found)
    } else {
        let mend = "deadlines move by the difference: run a time service on both machines";
        if difference < STEP {
            Finding::note(part, "clock", found, mend)
        } else {
            Finding::bad(part, "clock", found, mend)
        }
    }
}

/// The newest saga must not be of the future: its clock was set back since, or is another's.
async fn newest(part: &str, database: &Database) -> Finding {
    let newest = async {
        let rows = database.query("SELECT created_at FROM saga ORDER BY id DESC LIMIT 1", Vec::new()).await?;
        let made = rows.first().map(|row| row.int(0)).transpose()?;
        Ok::<_, SqlError>((made.unwrap_or_default(), database.now_us().await?))
    };
    match within(newest).await {
        Ok((made, now)) => future(part, made.saturating_sub(now)),
        Err(found) => Finding::note(part, "times", found, "the user needs SELECT on its own schema"),
    }
}

fn future(part: &str, ahead_us: i64) -> Finding {
    let ahead = Duration::from_micros(u64::try_from(ahead_us).unwrap_or(0));
    if ahead <= SET_BACK {
        return Finding::ok(part, "times", "no saga is of the future");
    }
    let found = format!("the newest saga was started {} s from now: the clock was set back", ahead.as_secs());
    let mend = "none is needed: sagas go on by the new clock; what was made before it is listed as newer for that long";
    Finding::note(part, "times", found, mend)
}

async fn sqlite(part: &str, database: &Database) -> Vec<Finding> {
    let asked = async |sql: &str| -> Result<String, SqlError> {
        let rows = database.query(sql, Vec::new()).await?;
        rows.first().map(|row| row.text(0).map(str::to_owned)).unwrap_or_else(|| Ok(String::new()))
    };
    let version = match asked("SELECT sqlite_version()").await {
        Ok(version) => Finding::ok(part, "version", format!("SQLite {version}, built in")),
        Err(error) => Finding::bad(part, "version", error.to_string(), "restore the file"),
    };
    let journal = match asked("PRAGMA journal_mode").await {
        Ok(mode) if mode == "wal" => Finding::ok(part, "durable", "write-ahead log, every commit synced"),
        Ok(mode) => Finding::bad(part, "durable", format!("journal mode {mode}"), "start `baton dev` on it once"),
        Err(error) => Finding::bad(part, "durable", error.to_string(), "restore the file"),
    };
    let sound = match asked("PRAGMA quick_check(1)").await {
        Ok(word) if word == "ok" => Finding::ok(part, "sound", "quick check passed"),
        Ok(word) => Finding::bad(part, "sound", word, "the file is damaged: restore it from a copy"),
        Err(error) => Finding::bad(part, "sound", error.to_string(), "the file is damaged: restore it from a copy"),
    };
    vec![version, journal, sound]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn a_clock_that_is_off_by_a_step_is_bad_and_a_saga_of_the_future_is_named() {
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap();
        let verdicts = [0, 3, 3_600].map(|seconds| skew("store", now - seconds * 1_000_000).verdict);
        assert_eq!(verdicts, [Verdict::Ok, Verdict::Note, Verdict::Bad]);
        assert_eq!(future("store", -5).verdict, Verdict::Ok);
        let found = future("store", 3_600_000_000);
        assert!(found.verdict == Verdict::Note && found.found.contains("3600 s"), "{found:?}");
    }

    #[test]
    fn who_is_denied_hears_of_user_and_password_and_not_of_the_schema() {
        let denied = mend_unreachable(
            "order",
            "participants.order.store.url",
            "database unavailable: 1045 (28000): Access denied for user 'x'@'y'",
        );
        assert!(denied.contains("participants.order.store.url") && denied.contains("password"), "{denied}");
        assert!(denied.contains("GRANT") && !denied.contains("migrate"), "{denied}");
        let away = mend_unreachable("orchestrator", "store.url", "database unavailable: Connection refused");
        assert!(away.contains("store.url") && away.contains("baton migrate up orchestrator"), "{away}");
    }
}
