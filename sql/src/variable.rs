//! Variables of a server, which versions of it word differently.

/// What a variable says that is on or off, read as text (`CAST(@@global.read_only AS CHAR)`), in the words of every version: as a number
/// it would be an error of one and 0 of another. `None` for a word that no version known here has.
#[must_use]
pub fn is_on(text: &str) -> Option<bool> {
    match text.to_ascii_uppercase().as_str() {
        "0" | "OFF" | "NO" | "FALSE" => Some(false),
        "1" | "ON" | "YES" | "TRUE" | "NO_LOCK" | "NO_LOCK_NO_ADMIN" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::is_on;

    #[test]
    fn a_switch_is_read_in_the_words_of_every_version() {
        for (on, words) in [(false, ["0", "OFF", "off"]), (true, ["1", "ON", "NO_LOCK_NO_ADMIN"])] {
            assert!(words.iter().all(|word| is_on(word) == Some(on)), "{words:?}");
        }
        assert_eq!(is_on("PERHAPS"), None, "no outage that never ends");
    }
}
