//! What this process holds right now: memory, open files, threads, tasks. Read when somebody asks for metrics.
//!
//! The names are those that Prometheus clients in other languages give the same figures.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The figures as metrics. What the operating system does not tell is left out.
#[must_use]
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    let mut gauge = |name: &str, help: &str, value: Option<i64>| {
        if let Some(value) = value {
            let gauge: Gauge = Gauge::default();
            gauge.set(value);
            registry.register(name, help, gauge);
        }
    };
    gauge("process_resident_memory_bytes", "Resident memory", resident());
    gauge("process_open_fds", "Open file descriptors", entries("/proc/self/fd"));
    gauge("process_threads", "Threads", entries("/proc/self/task"));
    let tasks = tokio::runtime::Handle::try_current().ok().map(|runtime| runtime.metrics().num_alive_tasks());
    gauge("process_tasks", "Asynchronous tasks that have not ended", tasks.and_then(|tasks| i64::try_from(tasks).ok()));
    registry
}

fn resident() -> Option<i64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?;
    kib.parse::<i64>().ok().map(|kib| kib * 1024)
}

fn entries(directory: &str) -> Option<i64> {
    i64::try_from(std::fs::read_dir(directory).ok()?.count()).ok()
}
