//! Page tokens: what decodes is bound to its query, has one spelling, and a changed digit is noticed.

use crate::input::Input;
use baton_rpc::page::{self, MAX_PAGE_SIZE};

/// Longest key a token carries.
const MAX_KEY: usize = 128;

/// A query, a token, a key, and where the key's own token is changed.
///
/// # Panics
/// If a law is broken.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let (query, given) = (input.text(), input.text());
    if let Ok(Some(key)) = page::key(&query, &given) {
        assert!(key.len() <= MAX_KEY, "a key within its bound");
        assert_eq!(page::token(&query, &key), given, "a token has one spelling");
    }
    let (at, change) = (usize::from(input.byte()), input.byte());
    if let Ok(size) = page::page_size(i32::from_le_bytes(input.array())) {
        assert!((1..=MAX_PAGE_SIZE).contains(&size));
    }
    let key = input.rest();
    let token = page::token(&query, key);
    if key.len() > MAX_KEY {
        assert!(page::key(&query, &token).is_err(), "a key beyond its bound");
        return;
    }
    assert_eq!(page::key(&query, &token), Ok(Some(key.to_vec())), "a token leads back to its key");
    assert!(page::key(&format!("{query} "), &token).is_err(), "a token is bound to its query");
    let mut digits = token.clone().into_bytes();
    let at = at % digits.len();
    digits[at] = change;
    if let Ok(other) = String::from_utf8(digits)
        && other != token
    {
        assert!(page::key(&query, &other).is_err(), "a changed digit is noticed");
    }
}
