//! Progress on standard error: a bar on a terminal, a few lines elsewhere, nothing if quiet.

use crate::output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// Lines printed per phase where there is no terminal.
const LINES: u64 = 4;

/// Progress of one phase. Shared by its tasks.
#[derive(Debug)]
pub struct Progress {
    name: &'static str,
    total: u64,
    done: AtomicU64,
    shown: Shown,
}

#[derive(Debug)]
enum Shown {
    Bar(ProgressBar),
    Lines,
    Nothing,
}

impl Progress {
    /// Begins a phase of `total` things.
    #[must_use]
    pub fn begin(name: &'static str, total: usize, quiet: bool) -> Self {
        let total = total as u64;
        let shown = if quiet {
            Shown::Nothing
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            let template = "{msg:<22} [{bar:40}] {pos:>6}/{len}  {elapsed}";
            // The template is a constant that parses; without it the default style serves as well.
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_message(name);
            Shown::Bar(bar)
        } else {
            Shown::Lines
        };
        Self { name, total, done: AtomicU64::new(0), shown }
    }

    /// `count` more are done.
    pub fn add(&self, count: u64) {
        let before = self.done.fetch_add(count, Ordering::Relaxed);
        let now = before + count;
        match &self.shown {
            Shown::Bar(bar) => bar.inc(count),
            Shown::Lines if now * LINES / self.total.max(1) > before * LINES / self.total.max(1) => {
                output::talk(&format!("{}: {now} of {}", self.name, self.total));
            }
            Shown::Lines | Shown::Nothing => {}
        }
    }

    /// The phase is over.
    pub fn end(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish();
        }
    }
}
