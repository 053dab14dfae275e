//! Text from outside made harmless: whatever a participant or an operator wrote, it cannot move a cursor, turn a line
//! around or flood a page.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Characters of a stable reason that are shown.
const MAX_REASON: usize = 64;

/// Characters of an operator's words that are shown.
const MAX_WORDS: usize = 200;

/// A stable reason. Reasons are UPPER_SNAKE by contract; what else stands in one is shown as `_`, so that no content and
/// no markup can come in by this way.
pub(crate) fn reason(text: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-') { c } else { '_' };
    let shown: String = text.chars().take(MAX_REASON).map(kept).collect();
    if shown.is_empty() { "UNKNOWN".to_owned() } else { shown }
}

/// An operator's words, or a piece of a filter: everything that is printable stays, everything that acts on a terminal or
/// on the direction of writing becomes a space.
pub(crate) fn words(text: &str) -> String {
    cut(text, MAX_WORDS)
}

/// The same, at most `most` characters.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for c in text.chars().take(most) {
        match acts(c) {
            true if shown.ends_with(' ') => {}
            true => shown.push(' '),
            false => shown.push(c),
        }
    }
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

/// The whole text with everything that acts shown by its code, as `[U+202E]`, so that two texts that look alike are told
/// apart; line breaks stay.
#[must_use]
pub fn named(text: &str) -> Cow<'_, str> {
    let hidden = |c: char| c != '\n' && acts(c);
    if !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match hidden(c) {
            // Writing to a String cannot fail.
            true => drop(write!(shown, "[U+{:04X}]", u32::from(c))),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Control characters, line and paragraph separators, and all that changes the direction of writing or has no width.
#[must_use]
pub fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_a_word() {
        assert_eq!(reason("OUT_OF_STOCK"), "OUT_OF_STOCK");
        assert_eq!(reason("<img onerror=x>\u{202e}"), "_img_onerror_x__");
        assert_eq!(reason(""), "UNKNOWN");
        assert_eq!(reason(&"A".repeat(10_000)).len(), MAX_REASON);
    }

    #[test]
    fn what_acts_is_named_and_the_rest_is_left_alone() {
        assert!(matches!(named("다시 보내기\n— ok"), Cow::Borrowed(_)));
        assert_eq!(named("a\u{202e}b\u{1b}[2J\u{9b}\u{7f}"), "a[U+202E]b[U+001B][2J[U+009B][U+007F]");
        for c in ['\u{200e}', '\u{200f}', '\u{2066}', '\u{2069}', '\u{feff}', '\r', '\t', '\0'] {
            assert!(!named(&c.to_string()).contains(c), "{c:?}");
        }
    }

    #[test]
    fn words_cannot_act() {
        assert_eq!(words("다시 보내기 \u{1b}[2J\u{202e}x\n"), "다시 보내기 [2J x ");
        assert_eq!(words(&"ä".repeat(300)).chars().count(), MAX_WORDS + 1);
    }
}
