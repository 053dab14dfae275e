//! What the storm says while it runs: one line that changes on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds between two lines of progress in a log: often enough to see that it lives, and a storm of three hours stays
/// within a few hundred lines.
const BEAT: u64 = 30;

/// When the last such line was written, seconds. One storm runs in a process.
static LAST: AtomicU64 = AtomicU64::new(0);

/// Talks on standard error.
#[derive(Clone, Copy, Debug)]
pub struct Voice {
    is_terminal: bool,
    quiet: bool,
}

impl Voice {
    /// Quiet, it says nothing.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        Self { is_terminal: std::io::stderr().is_terminal(), quiet }
    }

    /// Something that stays.
    pub fn say(&self, text: &str) {
        if self.quiet {
            return;
        }
        let clear = if self.is_terminal { "\r\x1b[2K" } else { "" };
        eprintln!("{clear}{text}");
    }

    /// How far it is. On a terminal the next line takes its place, in a log there is one every half minute.
    pub fn progress(&self, text: &str) {
        if self.quiet {
            return;
        }
        if self.is_terminal {
            let mut stderr = std::io::stderr();
            // A closed terminal is no reason to stop.
            let _ = write!(stderr, "\r\x1b[2K{text}").and_then(|()| stderr.flush());
        } else if is_due(&LAST, SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())) {
            eprintln!("  {text}");
        }
    }
}

/// True once in every [`BEAT`].
fn is_due(last: &AtomicU64, now: u64) -> bool {
    let is_due = now >= last.load(Ordering::Relaxed) + BEAT;
    if is_due {
        last.store(now, Ordering::Relaxed);
    }
    is_due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_gets_a_line_now_and_then() {
        let last = AtomicU64::new(0);
        let lines = (1_000..1_100).filter(|now| is_due(&last, *now)).count();
        assert_eq!(lines, 4);
    }
}
