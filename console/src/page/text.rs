//! Text from outside, shown so that it can neither act nor mislead: escaped, isolated, cut, its invisible characters named.

use askama::filters::HtmlSafe;
use baton_query::escape::{acts, named};
use std::fmt;

/// Characters of a value in a table.
const IN_TABLE: usize = 40;

/// Characters of a sentence. The longest that the services make hold a few names of at most 64 bytes.
const IN_SENTENCE: usize = 2_000;

/// Characters of the full text that a cut one carries for the pointer to show.
const IN_FULL: usize = 12_000;

/// A text that renders itself as `<bdi>`. Direction marks in it cannot reorder what stands beside it, and are named, so that
/// two keys that look alike are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    text: String,
    most: usize,
}

/// A value of a table: cut to one line.
pub fn cell(text: impl Into<String>) -> Text {
    Text { text: text.into(), most: IN_TABLE }
}

/// A sentence or a whole value.
pub fn words(text: impl Into<String>) -> Text {
    Text { text: text.into(), most: IN_SENTENCE }
}

impl Text {
    /// True if there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text itself, for attributes and form fields; the template escapes it.
    pub fn raw(&self) -> &str {
        &self.text
    }
}

/// Renders as markup that is whole and harmless whatever the text holds.
impl HtmlSafe for Text {}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = self.text.char_indices().nth(self.most).map(|(at, _)| at);
        match cut {
            None => {
                f.write_str("<bdi>")?;
                write_inert(f, &self.text)?;
            }
            Some(at) => {
                f.write_str("<bdi class=\"cut\" title=\"")?;
                let full = self.text.char_indices().nth(IN_FULL).map_or(self.text.len(), |(at, _)| at);
                for character in named(self.text.get(..full).unwrap_or_default()).chars() {
                    escape(f, character)?;
                }
                f.write_str("\">")?;
                // The index is a character's.
                write_inert(f, self.text.get(..at).unwrap_or_default())?;
                f.write_str("…")?;
            }
        }
        f.write_str("</bdi>")
    }
}

fn write_inert(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for character in text.chars() {
        if invisible(character) {
            write!(f, "<span class=\"ctl\">U+{:04X}</span>", character as u32)?;
        } else {
            escape(f, character)?;
        }
    }
    Ok(())
}

fn escape(f: &mut fmt::Formatter<'_>, character: char) -> fmt::Result {
    match character {
        '<' => f.write_str("&lt;"),
        '>' => f.write_str("&gt;"),
        '&' => f.write_str("&amp;"),
        '"' => f.write_str("&quot;"),
        '\'' => f.write_str("&#39;"),
        other => write!(f, "{other}"),
    }
}

/// What acts or cannot be seen; a line break is markup's white space.
fn invisible(character: char) -> bool {
    character != '\n' && acts(character)
}

/// The first `most` characters, for places that hold no markup, such as drawings.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    let shown: String = text.chars().map(|it| if invisible(it) { '·' } else { it }).take(most).collect();
    if text.chars().nth(most).is_some() { shown + "…" } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_shown_and_not_made() {
        assert_eq!(
            cell("<img src=x onerror='alert(\"1\")'>").to_string(),
            "<bdi>&lt;img src=x onerror=&#39;alert(&quot;1&quot;)&#39;&gt;</bdi>"
        );
    }

    #[test]
    fn what_cannot_be_seen_is_named() {
        assert_eq!(
            cell("a\u{202e}b\u{0}").to_string(),
            "<bdi>a<span class=\"ctl\">U+202E</span>b<span class=\"ctl\">U+0000</span></bdi>"
        );
        assert_eq!(cut("a\u{202e}bc", 3), "a·b…");
    }

    #[test]
    fn what_is_long_is_cut_and_can_be_read_whole() {
        let shown = cell("é".repeat(10_000)).to_string();
        assert_eq!(shown.matches('é').count(), 10_000 + IN_TABLE);
        assert!(shown.starts_with("<bdi class=\"cut\" title=\"é") && shown.ends_with("é…</bdi>"), "{shown}");
        assert!(words("x".repeat(1_000_000)).to_string().len() < 15_000);
    }
}
