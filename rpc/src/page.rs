//! Pages of a list: sizes that are coerced, tokens that are opaque and bound to their query.

use crate::errors::Flaw;
use crate::reason::Reason;

/// Items on a page when the caller does not say.
pub const DEFAULT_PAGE_SIZE: u32 = 50;
/// Most items on a page; 1,000 sagas are about 200 KiB, far below the message bound.
pub const MAX_PAGE_SIZE: u32 = 1_000;
/// Longest key a token carries, bytes. Keys are an id and perhaps a time.
const MAX_KEY: usize = 128;
/// Raised when the meaning of a key changes, so that old tokens are refused instead of misread.
const VERSION: u8 = 1;
/// Bytes of checksum: tokens protect no secret, this catches typing, truncation and use with another query.
const CHECKSUM: usize = 8;

/// The page size to use: 0 is `default`, too large is coerced, negative is refused.
pub fn page_size_or(requested: i32, default: u32) -> Result<u32, Flaw> {
    match u32::try_from(requested) {
        Ok(0) => Ok(default),
        Ok(size) => Ok(size.min(MAX_PAGE_SIZE)),
        Err(_) => Err(Flaw::new(Reason::PAGE_SIZE_NEGATIVE, "must not be negative")),
    }
}

/// [`page_size_or`] with [`DEFAULT_PAGE_SIZE`].
pub fn page_size(requested: i32) -> Result<u32, Flaw> {
    page_size_or(requested, DEFAULT_PAGE_SIZE)
}

/// A token that leads behind `key` in the list that `query` describes (the method and every filter).
#[must_use]
pub fn token(query: &str, key: &[u8]) -> String {
    let mut text = String::with_capacity(2 * (1 + CHECKSUM + key.len()));
    for byte in std::iter::once(VERSION).chain(checksum(query, key)).chain(key.iter().copied()) {
        text.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
        text.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
    }
    text
}

/// Cuts a list that was read one row beyond its page to the page. Returns the token that leads behind its last row, or an empty
/// one if the list ends here.
pub fn cut<T, K: AsRef<[u8]>>(rows: &mut Vec<T>, size: u32, query: &str, key: impl FnOnce(&T) -> K) -> String {
    let more = rows.len() > size as usize;
    rows.truncate(size as usize);
    rows.last().filter(|_| more).map(|last| token(query, key(last).as_ref())).unwrap_or_default()
}

/// The key in a token, `None` for the first page. Refuses a token that was tampered with or is of another query.
pub fn key(query: &str, token: &str) -> Result<Option<Vec<u8>>, Flaw> {
    if token.is_empty() {
        return Ok(None);
    }
    parse(query, token)
        .map(Some)
        .ok_or_else(|| Flaw::new(Reason::PAGE_TOKEN_INVALID, "must be the next_page_token of the same query"))
}

fn parse(query: &str, token: &str) -> Option<Vec<u8>> {
    let digits = token.as_bytes();
    if digits.len() > 2 * (1 + CHECKSUM + MAX_KEY) || !digits.len().is_multiple_of(2) {
        return None;
    }
    let bytes = digits.chunks_exact(2).map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?));
    let bytes = bytes.collect::<Option<Vec<u8>>>()?;
    let (head, key) = bytes.split_at_checked(1 + CHECKSUM)?;
    (head[0] == VERSION && head[1..] == checksum(query, key)).then(|| key.to_vec())
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn checksum(query: &str, key: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[VERSION]);
    hasher.update(&(query.len() as u64).to_be_bytes());
    hasher.update(query.as_bytes());
    hasher.update(key);
    let mut sum = [0; CHECKSUM];
    sum.copy_from_slice(&hasher.finalize().as_bytes()[..CHECKSUM]);
    sum
}

#[cfg(test)]
mod tests {
    use super::{cut, key, page_size, token};
    use crate::reason::Reason;

    #[test]
    fn sizes_are_coerced_or_refused() {
        assert_eq!(page_size(0), Ok(50));
        assert_eq!(page_size(7), Ok(7));
        assert_eq!(page_size(i32::MAX), Ok(1_000));
        assert_eq!(page_size(-1).unwrap_err().reason, Reason::PAGE_SIZE_NEGATIVE);
    }

    #[test]
    fn a_token_leads_back_to_its_key_and_only_in_its_query() {
        let text = token("things state=1", b"key");
        assert_eq!(key("things state=1", &text), Ok(Some(b"key".to_vec())));
        assert_eq!(key("things state=1", ""), Ok(None));
        assert_eq!(key("things state=2", &text).unwrap_err().reason, Reason::PAGE_TOKEN_INVALID);
    }

    #[test]
    fn a_page_that_is_not_the_last_leads_on() {
        for (rows, left, behind) in [(0, 0, None), (2, 2, None), (3, 3, None), (4, 3, Some(vec![2]))] {
            let mut page: Vec<u8> = (0..rows).collect();
            let token = cut(&mut page, 3, "q", |row| [*row]);
            assert_eq!((page.len(), key("q", &token)), (left, Ok(behind)));
        }
    }

    #[test]
    fn every_changed_digit_is_noticed() {
        let text = token("q", b"0123456789abcdef");
        for at in 0..text.len() {
            for digit in ["0", "f", "x", "é"] {
                let mut other = text.clone();
                if &text[at..=at] != digit {
                    other.replace_range(at..=at, digit);
                    assert!(key("q", &other).is_err(), "{other}");
                }
            }
        }
        assert!(key("q", &"0".repeat(10_000)).is_err());
    }
}
