//! Text from outside made harmless: whatever a participant or an operator wrote, it cannot move a cursor, turn a line
//! around or flood a page.

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

/// Control characters, line and paragraph separators, and all that changes the direction of writing or has no width.
fn acts(c: char) -> bool {
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
    fn words_cannot_act() {
        assert_eq!(words("다시 보내기 \u{1b}[2J\u{202e}x\n"), "다시 보내기 [2J x ");
        assert_eq!(words(&"ä".repeat(300)).chars().count(), MAX_WORDS + 1);
    }
}
