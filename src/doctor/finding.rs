//! What is found, and how it is shown.

use crate::show::Record;
use serde_json::{Value, json};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Works, and is worth a word.
    Note,
    /// Must be mended: sagas could be lost, or would not move.
    Bad,
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Bad => "BAD",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The part of the installation, for example "store" or "broker".
    pub part: String,
    /// What was looked at.
    pub check: &'static str,
    /// How bad it is.
    pub verdict: Verdict,
    /// What was found; never a secret.
    pub found: String,
    /// What to do; empty if nothing.
    pub mend: String,
}

impl Finding {
    /// As it should be.
    #[must_use]
    pub fn ok(part: &str, check: &'static str, found: impl Into<String>) -> Self {
        Self { part: part.to_owned(), check, verdict: Verdict::Ok, found: found.into(), mend: String::new() }
    }

    /// Works, and is worth a word.
    #[must_use]
    pub fn note(part: &str, check: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { verdict: Verdict::Note, mend: mend.into(), ..Self::ok(part, check, found) }
    }

    /// Must be mended.
    #[must_use]
    pub fn bad(part: &str, check: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { verdict: Verdict::Bad, mend: mend.into(), ..Self::ok(part, check, found) }
    }
}

impl Record for Finding {
    const COLUMNS: &'static [&'static str] = &["part", "check", "verdict", "found"];
    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("part", json!(self.part)),
            ("check", json!(self.check)),
            ("verdict", json!(self.verdict.as_str())),
            ("found", json!(self.found)),
            ("mend", json!(self.mend)),
        ]
    }
}
