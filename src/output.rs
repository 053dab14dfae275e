//! Standard output and standard error of every command.
//!
//! A command does its work to the end whether or not anybody reads what it prints: what cannot be written is remembered here
//! and told once, when the work is done. A pipe that its reader has closed (`baton … | head`) is no error; a full disk is.
//! What is printed for people can act neither on their terminal nor on the direction of writing, whoever wrote it.

use crate::failure::Failure;
use baton_query::escape::{acts, named};
use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write as _};
use std::sync::{Mutex, PoisonError};

/// Why standard output was given up, if it was.
static LOST: Mutex<Option<io::Error>> = Mutex::new(None);

/// Text for people, as lines of its own.
pub fn text(text: &str) {
    bytes(format!("{}\n", named(text)).as_bytes());
}

/// JSON, as lines of its own. What acts is escaped, which is the same JSON.
pub fn json(json: &str) {
    bytes(format!("{}\n", escaped(json)).as_bytes());
}

/// Bytes as they are.
pub fn bytes(bytes: &[u8]) {
    if is_open() {
        keep(io::stdout().lock().write_all(bytes));
    }
}

/// Remembers what became of something that was written to standard output.
pub fn keep(written: io::Result<()>) {
    if let Err(error) = written {
        lost().get_or_insert(error);
    }
}

/// False once nobody can read any more: a stream has no reason to go on.
#[must_use]
pub fn is_open() -> bool {
    lost().is_none()
}

/// Talk, on standard error. If that is closed nobody can be told.
pub fn talk(text: &str) {
    let _ = writeln!(io::stderr(), "{}", named(text));
}

/// Whether everything that was printed has been written.
///
/// # Errors
/// It has not, and not because the reader had read enough.
pub fn written() -> Result<(), Failure> {
    keep(io::stdout().flush());
    match lost().take() {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Other(format!("standard output cannot be written: {error}")))
        }
        Some(_) | None => Ok(()),
    }
}

fn lost() -> std::sync::MutexGuard<'static, Option<io::Error>> {
    LOST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Outside of its strings JSON holds nothing that acts but line breaks, and in them those are escaped already.
fn escaped(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '\n' || !acts(c) {
            shown.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(shown, "\\u{unit:04x}");
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn json_stays_the_same_json_and_acts_on_nothing() {
        let value = json!({ "a\u{202e}": "\u{1b}[2J\u{9b}\u{7f}\n\"\\ \u{e0041} 다시 🙂" });
        let shown = escaped(&serde_json::to_string_pretty(&value).expect("JSON"));
        assert!(!shown.chars().any(|c| c != '\n' && acts(c)), "{shown:?}");
        assert!(shown.contains("다시 🙂") && shown.contains("\\u202e") && shown.contains("\\udb40\\udc41"), "{shown}");
        assert_eq!(serde_json::from_str::<Value>(&shown).expect("JSON"), value);
    }
}
