//! What only a MariaDB server can be asked: version, durability, room, and what the user may do.

use super::finding::Finding;
use super::within;
use baton_sql::database::Database;
use baton_sql::value::Row;
use baton_sql::variable::is_on;

/// Batches are statements of a few MiB; the server's default is 16 MiB.
const LEAST_PACKET: i64 = 16 * 1024 * 1024;

/// Below it the server stalls on its redo log under load.
const ROOMY_LOG: i64 = 512 * 1024 * 1024;

/// Rights that no service needs: with them a stolen password is worth more than its own schema.
const TOO_MUCH: [&str; 6] = ["ALL PRIVILEGES ON *.*", "SUPER", "FILE", "GRANT OPTION", "CREATE USER", "SHUTDOWN"];

const SETTINGS: &str = "SELECT VERSION(), CAST(@@innodb_flush_log_at_trx_commit AS SIGNED), \
    CAST(@@innodb_doublewrite AS CHAR), CAST(@@log_bin AS CHAR), CAST(@@sync_binlog AS SIGNED), \
    CAST(@@max_allowed_packet AS SIGNED), CAST(@@innodb_log_file_size AS SIGNED), \
    CAST(@@max_connections AS SIGNED), @@GLOBAL.sql_mode, @@GLOBAL.binlog_format";

const OTHER_ENGINES: &str = "SELECT COUNT(*) FROM information_schema.tables \
    WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND engine <> 'InnoDB'";

/// Everything about the server and the user's rights. `connections`: how many this service will open.
pub async fn look(part: &str, database: &Database, connections: u32) -> Vec<Finding> {
    let mut findings = match within(database.query(SETTINGS, Vec::new())).await {
        Ok(rows) => match rows.first().map(|row| settings(part, row, connections)) {
            Some(Ok(findings)) => findings,
            Some(Err(error)) => vec![Finding::bad(part, "durable", error.to_string(), "ask the server by hand")],
            None => vec![Finding::bad(part, "durable", "the server told nothing", "ask the server by hand")],
        },
        Err(found) => vec![Finding::bad(part, "durable", found, "ask the server by hand")],
    };
    findings.push(engines(part, database).await);
    findings.push(rights(part, database).await);
    findings
}

fn settings(part: &str, row: &Row, connections: u32) -> Result<Vec<Finding>, baton_sql::error::SqlError> {
    let (version, flush, doublewrite) = (row.text(0)?, row.int(1)?, row.text(2)?);
    let (binlog, sync_binlog, packet) = (is_on(row.text(3)?) == Some(true), row.int(4)?, row.int(5)?);
    let (log, most, mode, format) = (row.int(6)?, row.int(7)?, row.text(8)?, row.text(9)?);
    Ok(vec![
        // Older ones are refused when the database is opened.
        Finding::ok(part, "version", version),
        durable(part, flush, doublewrite, binlog.then_some(sync_binlog)),
        binary_log(part, binlog, format),
        packets(part, packet),
        room(part, log),
        connected(part, connections, most),
        strict(part, mode),
    ])
}

fn durable(part: &str, flush: i64, doublewrite: &str, sync_binlog: Option<i64>) -> Finding {
    if flush != 1 {
        let found = format!("innodb_flush_log_at_trx_commit is {flush}");
        return Finding::bad(part, "durable", found, "set it to 1: commits could be lost when the machine fails");
    }
    if is_on(doublewrite) != Some(true) {
        let mend = "switch it on, unless the file system writes pages whole: a torn page loses its table";
        return Finding::bad(part, "durable", format!("innodb_doublewrite is {doublewrite}"), mend);
    }
    if let Some(sync_binlog) = sync_binlog.filter(|every| *every != 1) {
        let found = format!("log_bin is on and sync_binlog is {sync_binlog}");
        let mend = "set sync_binlog to 1: recovery undoes commits that the binary log has lost when the machine fails";
        return Finding::bad(part, "durable", found, mend);
    }
    Finding::ok(part, "durable", "every commit synced, doublewrite on")
}

fn binary_log(part: &str, is_on: bool, format: &str) -> Finding {
    if is_on && format == "STATEMENT" {
        let mend = "set it to ROW or MIXED: every write of a new connection is refused, since it reads committed rows";
        return Finding::bad(part, "binary log", "binlog_format is STATEMENT", mend);
    }
    Finding::ok(part, "binary log", if is_on { format!("binlog_format is {format}") } else { "off".to_owned() })
}

fn packets(part: &str, bytes: i64) -> Finding {
    let found = format!("max_allowed_packet {} MiB", bytes / 1024 / 1024);
    if bytes >= LEAST_PACKET {
        Finding::ok(part, "packets", found)
    } else {
        Finding::bad(part, "packets", found, "set it to 16 MiB or more: batches are long statements")
    }
}

fn room(part: &str, log: i64) -> Finding {
    let found = format!("innodb_log_file_size {} MiB", log / 1024 / 1024);
    if log >= ROOMY_LOG {
        Finding::ok(part, "room", found)
    } else {
        Finding::note(part, "room", found, "512 MiB or more keeps the server from stalling under load")
    }
}

fn connected(part: &str, connections: u32, most: i64) -> Finding {
    let found = format!("{connections} of max_connections {most}");
    if i64::from(connections) * 4 <= most {
        Finding::ok(part, "connections", found)
    } else {
        let mend = "raise max_connections: several processes and the other services need theirs";
        Finding::note(part, "connections", found, mend)
    }
}

fn strict(part: &str, mode: &str) -> Finding {
    if mode.contains("STRICT_TRANS_TABLES") || mode.contains("STRICT_ALL_TABLES") {
        Finding::ok(part, "strict", "values that do not fit are refused")
    } else {
        let mend = "add STRICT_TRANS_TABLES to sql_mode: the server would cut values that do not fit";
        Finding::bad(part, "strict", format!("sql_mode is {mode:?}"), mend)
    }
}

async fn engines(part: &str, database: &Database) -> Finding {
    let rows = within(database.query(OTHER_ENGINES, Vec::new())).await;
    let others = rows.and_then(|rows| match rows.first() {
        Some(row) => row.int(0).map_err(|error| error.to_string()),
        None => Err("the server told nothing".to_owned()),
    });
    match others {
        Ok(0) => Finding::ok(part, "engine", "every table is InnoDB"),
        Ok(others) => {
            let found = format!("{others} tables are not InnoDB");
            Finding::bad(part, "engine", found, "ALTER TABLE … ENGINE=InnoDB: others have no transactions")
        }
        Err(found) => Finding::bad(part, "engine", found, "ask the server by hand"),
    }
}

async fn rights(part: &str, database: &Database) -> Finding {
    let grants = match within(database.query("SHOW GRANTS", Vec::new())).await {
        Ok(rows) => rows.iter().filter_map(|row| row.text(0).ok().map(str::to_owned)).collect::<Vec<_>>(),
        Err(found) => return Finding::note(part, "rights", found, "the server does not tell what the user may do"),
    };
    let more: Vec<&str> = TOO_MUCH.into_iter().filter(|right| grants.iter().any(|grant| has(grant, right))).collect();
    if more.is_empty() {
        Finding::ok(part, "rights", "no more than its own schema needs")
    } else {
        let mend = "give the service a user of its own with SELECT, INSERT, UPDATE, DELETE on its schema alone";
        Finding::note(part, "rights", format!("the user has {}", more.join(", ")), mend)
    }
}

/// Whether a line of SHOW GRANTS gives a right. What follows `IDENTIFIED BY` is nobody's business.
fn has(grant: &str, right: &str) -> bool {
    let told = grant.split(" TO ").next().unwrap_or_default();
    let with = grant.rsplit(" WITH ").next().filter(|_| grant.contains(" WITH ")).unwrap_or_default();
    match right {
        "GRANT OPTION" => with.contains("GRANT OPTION"),
        "ALL PRIVILEGES ON *.*" => told.contains(right),
        right => told
            .trim_start_matches("GRANT ")
            .split(" ON ")
            .next()
            .is_some_and(|rights| rights.split(", ").any(|given| given == right)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn rights_are_read_off_the_grants() {
        let own = "GRANT SELECT, INSERT, UPDATE, DELETE ON `baton_order`.* TO `baton_order`@`%`";
        assert!(TOO_MUCH.iter().all(|right| !has(own, right)), "{own}");
        let root = "GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` IDENTIFIED VIA unix_socket WITH GRANT OPTION";
        assert!(has(root, "ALL PRIVILEGES ON *.*") && has(root, "GRANT OPTION"));
        assert!(has("GRANT SELECT, FILE ON *.* TO `x`@`%`", "FILE"));
        assert!(!has("GRANT SELECT ON `FILE`.* TO `x`@`%`", "FILE"));
    }

    #[test]
    fn what_could_lose_a_commit_is_bad() {
        let verdict = |finding: Finding| finding.verdict;
        assert_eq!(verdict(durable("store", 1, "1", None)), Verdict::Ok);
        assert_eq!(verdict(durable("store", 1, "ON", Some(1))), Verdict::Ok);
        for (flush, doublewrite, sync) in [(2, "1", None), (1, "OFF", None), (1, "1", Some(0)), (1, "ON", Some(1000))] {
            let found = durable("store", flush, doublewrite, sync);
            assert_eq!(found.verdict, Verdict::Bad, "{found:?}");
            assert!(!found.mend.is_empty());
        }
        assert_eq!(verdict(binary_log("store", true, "STATEMENT")), Verdict::Bad);
        assert_eq!(verdict(binary_log("store", false, "STATEMENT")), Verdict::Ok);
        assert_eq!(verdict(packets("store", 1024 * 1024)), Verdict::Bad);
        assert_eq!(verdict(strict("store", "NO_ENGINE_SUBSTITUTION")), Verdict::Bad);
        assert_eq!(verdict(room("store", 96 * 1024 * 1024)), Verdict::Note);
        assert_eq!(verdict(connected("store", 8, 20)), Verdict::Note);
    }
}
