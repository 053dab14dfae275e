//! What the servers and the disk count: commits, statements and log writes of MariaDB, messages of RabbitMQ, flushes.

use anyhow::Result;
use baton_sql::database::Database;
use baton_supervisor::RabbitMq;
use std::collections::BTreeMap;
use std::fs;

/// Names of MariaDB's counters that are read.
const NAMES: [&str; 7] = [
    "COM_COMMIT",
    "COM_ROLLBACK",
    "QUESTIONS",
    "INNODB_OS_LOG_FSYNCS",
    "INNODB_DATA_FSYNCS",
    "INNODB_OS_LOG_WRITTEN",
    "INNODB_DATA_WRITTEN",
];

/// Counters of one moment, or what was added between two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted(BTreeMap<String, i64>);

impl Counted {
    /// One counter; nothing if the server does not have it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<i64> {
        self.0.get(name).copied()
    }

    /// What was added since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let added = |(name, now): (&String, &i64)| Some((name.clone(), now - before.0.get(name)?));
        Self(self.0.iter().filter_map(added).collect())
    }
}

/// Reads MariaDB's counters.
pub async fn mariadb(database: &Database) -> Result<Counted> {
    let before = "SELECT VARIABLE_NAME, CAST(VARIABLE_VALUE AS SIGNED) FROM information_schema.GLOBAL_STATUS \
                  WHERE VARIABLE_NAME";
    let rows = database.query_in(before, NAMES.map(Into::into).to_vec(), "").await?;
    let counters = rows.iter().map(|row| Ok((row.text(0)?.to_owned(), row.int(1)?)));
    Ok(Counted(counters.collect::<Result<_>>()?))
}

/// Messages that clients have published to RabbitMQ since it began. Starts a control program for a second or two, so
/// that it is asked outside the measured time.
pub async fn messages(broker: &RabbitMq) -> Result<u64> {
    Ok(sum_of(&broker.ctl(&["eval", "rabbit_global_counters:overview()."]).await?, "messages_received_total"))
}

/// The sum of all numbers behind `name => ` in an Erlang term.
fn sum_of(term: &str, name: &str) -> u64 {
    let numbers = term.split(name).skip(1).filter_map(|rest| {
        let rest = rest.trim_start().strip_prefix("=>")?.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse::<u64>().ok()
    });
    numbers.sum()
}

/// Flush requests that the kernel has sent to all disks of the machine: every fsync of everybody, merged where the
/// kernel merges them.
#[must_use]
pub fn disk_flushes() -> u64 {
    let text = fs::read_to_string("/proc/diskstats").unwrap_or_default();
    let whole_disk = |name: &str| {
        fs::exists(format!("/sys/block/{name}")).unwrap_or(false)
            && !name.starts_with("loop")
            && !name.starts_with("ram")
    };
    let flushes = text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // Field 18 counts completed flushes, on kernels from 5.5 on.
        fields.get(2).filter(|name| whole_disk(name)).and(fields.get(18)?.parse::<u64>().ok())
    });
    flushes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_all_protocols_are_summed() {
        let term = "#{#{protocol => amqp091} =>\n  #{messages_received_total => 12,\n messages_received_confirm_total => 9},\n \
                    #{protocol => mqtt} => #{messages_received_total=>30}}";
        assert_eq!(sum_of(term, "messages_received_total"), 42);
        assert_eq!(sum_of("#{}", "messages_received_total"), 0);
    }

    #[test]
    fn what_a_server_does_not_count_is_left_out() {
        let of = |pairs: &[(&str, i64)]| Counted(pairs.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect());
        let added = of(&[("QUESTIONS", 9), ("COM_COMMIT", 4)]).since(&of(&[("QUESTIONS", 2)]));
        assert_eq!((added.get("QUESTIONS"), added.get("COM_COMMIT")), (Some(7), None));
    }
}
