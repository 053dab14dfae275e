//! CPU time, written bytes and peak memory of process groups, from /proc.

use std::collections::BTreeMap;
use std::fs;

/// Clock ticks per second in /proc: fixed by the kernel's interface to programs.
const TICKS: f64 = 100.0;

/// Bytes of a unit in /proc/PID/status.
const KIB: u64 = 1024;

/// What is measured: a name for tables, and a process group or one process.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Its name.
    pub name: String,
    /// The id of the group, or of the process.
    pub pid: u32,
    /// True for a whole group: a broker is a family of processes.
    pub group: bool,
}

/// What one of them has used since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Used {
    /// Seconds of CPU, user and system.
    pub cpu_s: f64,
    /// Bytes it caused to be written to disk.
    pub written: u64,
    /// Peak of its resident memory in bytes, since the last [`forget_peaks`]; of a group, the sum of its processes' peaks.
    pub peak: u64,
}

/// Reads all of them at one moment. What has ended counts nothing.
#[must_use]
pub fn read(watched: &[Watched]) -> BTreeMap<String, Used> {
    let groups = groups();
    let used = |watched: &Watched| {
        let alone = vec![watched.pid];
        let members = if watched.group { groups.get(&watched.pid).unwrap_or(&alone) } else { &alone };
        members.iter().map(|pid| of_process(*pid)).fold(Used::default(), |sum, one| Used {
            cpu_s: sum.cpu_s + one.cpu_s,
            written: sum.written + one.written,
            peak: sum.peak + one.peak,
        })
    };
    watched.iter().map(|watched| (watched.name.clone(), used(watched))).collect()
}

/// Begins peaks anew. Where that is not allowed they count from each process's start.
pub fn forget_peaks(watched: &[Watched]) {
    let groups = groups();
    for watched in watched {
        let members = groups.get(&watched.pid).cloned().unwrap_or_else(|| vec![watched.pid]);
        for pid in members {
            // See above.
            let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
        }
    }
}

/// Seconds of CPU used on the whole machine, by anybody, and seconds there were.
#[must_use]
pub fn whole_machine() -> (f64, f64) {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<f64> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .take(8)
        .filter_map(|field| field.parse::<f64>().ok())
        .collect();
    let all: f64 = fields.iter().sum();
    // Fields 3 and 4 are idle and waiting for a disk.
    let idle: f64 = fields.iter().skip(3).take(2).sum();
    ((all - idle) / TICKS, all / TICKS)
}

fn of_process(pid: u32) -> Used {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let stat = read("stat");
    // "pid (name) state …": the name may hold anything, so count from its last bracket; the state is field 3.
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    Used {
        cpu_s: (ticks(11) + ticks(12)) / TICKS,
        written: number_after(&read("io"), "write_bytes:"),
        peak: number_after(&read("status"), "VmHWM:") * KIB,
    }
}

fn number_after(text: &str, label: &str) -> u64 {
    let rest = text.lines().find_map(|line| line.strip_prefix(label));
    rest.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Ids of all processes by their group.
fn groups() -> BTreeMap<u32, Vec<u32>> {
    let mut groups: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        if let Some(group) = rest.split_whitespace().nth(2).and_then(|group| group.parse().ok()) {
            groups.entry(group).or_default().push(pid);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn this_process_uses_cpu_and_memory() {
        let own = [Watched { name: "own".to_owned(), pid: std::process::id(), group: false }];
        let before = read(&own)["own"];
        let (begun, mut after) = (Instant::now(), before);
        // A tick is 10 ms of CPU, which takes its time on a busy machine.
        while after.cpu_s <= before.cpu_s {
            assert!(begun.elapsed() < Duration::from_secs(60), "no CPU is counted");
            after = read(&own)["own"];
        }
        assert!(after.peak > 100 * KIB);
        let (used, all) = whole_machine();
        assert!(used > 0.0 && used <= all);
    }

    #[test]
    fn numbers_are_found_behind_their_labels() {
        assert_eq!(number_after("rchar: 1\nwrite_bytes: 4096\n", "write_bytes:"), 4096);
        assert_eq!(number_after("VmHWM:\t  12 kB\n", "VmHWM:"), 12);
        assert_eq!(number_after("", "VmHWM:"), 0);
    }
}
