//! What the storm says while it runs: one line that changes on a terminal, a line for each phase elsewhere.

use std::io::{IsTerminal as _, Write as _};

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

    /// How far it is; the next line takes its place. Only for a terminal.
    pub fn progress(&self, text: &str) {
        if self.is_terminal && !self.quiet {
            let mut stderr = std::io::stderr();
            // A closed terminal is no reason to stop.
            let _ = write!(stderr, "\r\x1b[2K{text}").and_then(|()| stderr.flush());
        }
    }
}
