//! Compares files with what is, and rewrites them on request. The one place of this crate that reads a file or the
//! environment: tests call it, the machine does not.

use super::run::{ScriptError, run};
use saga_core::definition::Definition;
use std::path::{Path, PathBuf};

/// Environment variable: set to `1`, a difference is written into the file instead of failing. Commit a rewrite only if
/// you understand every line of it.
pub const REWRITE: &str = "BATON_REWRITE";

/// Why a file does not hold.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is no script.
    #[error("{path}, {source}")]
    Script {
        /// The file.
        path: PathBuf,
        /// The line that cannot be read.
        source: ScriptError,
    },
    /// A marker of a generated block is missing.
    #[error("{path}: the line {marker:?} is missing")]
    Marker {
        /// The file.
        path: PathBuf,
        /// The missing line.
        marker: String,
    },
    /// It says something else than what is.
    #[error("{path} differs (set BATON_REWRITE=1 to rewrite it):\n{difference}")]
    Differs {
        /// The file.
        path: PathBuf,
        /// Lines that are only in the file (`-`), or only in what is (`+`).
        difference: String,
    },
}

/// Runs the script at `path` and compares every output. `definitions` are what its `use` can name.
///
/// # Errors
/// [`CheckError`], with the differing lines.
pub fn check(path: &Path, definitions: &[Definition]) -> Result<(), CheckError> {
    let script = read(path)?;
    let actual = run(&script, definitions).map_err(|source| CheckError::Script { path: path.to_owned(), source })?;
    settle(path, &script, &actual)
}

/// Compares the lines between `<!-- NAME -->` and `<!-- /NAME -->` with `block`.
///
/// # Errors
/// [`CheckError`], with the differing lines.
pub fn check_block(path: &Path, name: &str, block: &str) -> Result<(), CheckError> {
    let text = read(path)?;
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let missing = |marker: &str| CheckError::Marker { path: path.to_owned(), marker: marker.trim_end().to_owned() };
    let (head, rest) = text.split_once(&begin).ok_or_else(|| missing(&begin))?;
    let (_, tail) = rest.split_once(&end).ok_or_else(|| missing(&end))?;
    settle(path, &text, &format!("{head}{begin}{block}{end}{tail}"))
}

#[allow(clippy::disallowed_methods)] // Tests keep their expectations in files.
fn read(path: &Path) -> Result<String, CheckError> {
    std::fs::read_to_string(path).map_err(|source| CheckError::File { path: path.to_owned(), source })
}

#[allow(clippy::disallowed_methods)] // Tests keep their expectations in files.
fn settle(path: &Path, expected: &str, actual: &str) -> Result<(), CheckError> {
    if expected == actual {
        Ok(())
    } else if std::env::var_os(REWRITE).is_some_and(|value| value == "1") {
        std::fs::write(path, actual).map_err(|source| CheckError::File { path: path.to_owned(), source })
    } else {
        Err(CheckError::Differs { path: path.to_owned(), difference: difference(expected, actual) })
    }
}

/// The lines between the common beginning and the common end of two texts.
fn difference(expected: &str, actual: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), actual.lines().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[same..], &new[same..]);
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let removed = old_rest[..old_rest.len() - tail].iter().map(|line| format!("-{line}"));
    let added = new_rest[..new_rest.len() - tail].iter().map(|line| format!("+{line}"));
    let context = old[same.saturating_sub(3)..same].iter().map(|line| format!(" {line}"));
    let lines: Vec<String> = context.chain(removed).chain(added).collect();
    format!("at line {}:\n{}", same + 1, lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_both_sides() {
        let text = difference("a\nb\nc\nd\n", "a\nb\nX\nd\n");
        assert_eq!(text, "at line 3:\n a\n b\n-c\n+X");
    }
}
