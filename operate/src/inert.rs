//! Text from outside made harmless: whatever a participant or an operator wrote, it cannot move a cursor, turn a line
//! around or flood a page.

/// Characters of a stable reason that are shown.
const MAX_REASON: usize = 64;

/// A stable reason. Reasons are UPPER_SNAKE by contract; what else stands in one is shown as `_`, so that no content and
/// no markup can come in by this way.
pub(crate) fn reason(text: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-') { c } else { '_' };
    let shown: String = text.chars().take(MAX_REASON).map(kept).collect();
    if shown.is_empty() { "UNKNOWN".to_owned() } else { shown }
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
}
