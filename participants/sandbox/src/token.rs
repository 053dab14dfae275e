//! Access tokens: 30 minutes, the same one while it is valid, kept in memory only.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Lifetime of a new token in seconds.
const LIFETIME_S: i64 = 30 * 60;

/// A token asked for within its last minute lives this much longer, in seconds.
const EXTENSION_S: i64 = 5 * 60;

/// Tokens remembered. One is current; older ones only matter until they expire.
const REMEMBERED_MAX: usize = 16;

#[derive(Clone, Debug)]
struct Token {
    text: String,
    expires_s: i64,
}

/// The tokens handed out by this process. A restarted provider knows none, so that its clients log in again.
#[derive(Default)]
pub(crate) struct Tokens(Mutex<VecDeque<Token>>);

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens(..)")
    }
}

impl Tokens {
    /// The current token and when it expires, in seconds since the epoch.
    pub(crate) fn issue(&self, now_s: i64) -> (String, i64) {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(current) = tokens.back_mut().filter(|token| token.expires_s > now_s) {
            if current.expires_s - now_s <= 60 {
                current.expires_s += EXTENSION_S;
            }
            return (current.text.clone(), current.expires_s);
        }
        let text = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        let expires_s = now_s + LIFETIME_S;
        tokens.push_back(Token { text: text.clone(), expires_s });
        while tokens.len() > REMEMBERED_MAX {
            tokens.pop_front();
        }
        (text, expires_s)
    }

    /// Whether a header `Authorization: Bearer TOKEN`, or the bare token of older clients, is valid.
    pub(crate) fn accepts(&self, header: &str, now_s: i64) -> bool {
        let text = header.strip_prefix("Bearer ").unwrap_or(header).trim();
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.iter().any(|token| token.text == text && token.expires_s > now_s)
    }

    /// Forgets every token, as if all had expired.
    pub(crate) fn expire_all(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_shared_extended_in_its_last_minute_and_then_dead() {
        let tokens = Tokens::default();
        let (text, expires_s) = tokens.issue(1_000);
        assert_eq!(expires_s, 1_000 + 1_800);
        assert_eq!(tokens.issue(2_000), (text.clone(), 2_800));
        assert_eq!(tokens.issue(2_750), (text.clone(), 3_100));
        assert!(tokens.accepts(&format!("Bearer {text}"), 3_000));
        assert!(tokens.accepts(&text, 3_000));
        assert!(!tokens.accepts(&text, 3_100));
        assert!(!tokens.accepts("Bearer other", 3_000));
        assert_ne!(tokens.issue(3_100).0, text);
    }
}
