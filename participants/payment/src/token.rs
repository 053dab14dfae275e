//! The cached access token: fetched by one caller at a time, renewed before it expires, dropped when it was refused.

use secrecy::SecretString;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// A token is renewed so long before its end, so that no call arrives with one that has just died.
const MARGIN: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) text: SecretString,
    /// Tells tokens apart without comparing secrets.
    generation: u64,
    good_until: Instant,
}

/// At most one token.
#[derive(Debug, Default)]
pub(crate) struct TokenCache(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    token: Option<Token>,
    generations: u64,
}

impl TokenCache {
    /// The cached token, or one from `fetch`, which returns its text and its life in seconds. Other callers wait for it.
    pub(crate) async fn get<F>(&self, fetch: F) -> Result<Token, String>
    where
        F: Future<Output = Result<(String, u64), String>>,
    {
        let mut state = self.0.lock().await;
        if let Some(token) = state.token.as_ref().filter(|token| Instant::now() < token.good_until) {
            return Ok(token.clone());
        }
        let asked = Instant::now();
        let (text, life_s) = fetch.await?;
        // A wildly long life would overflow the clock; a day is longer than any provider grants.
        let life = Duration::from_secs(life_s.min(86_400));
        state.generations += 1;
        let good_until = asked + life.checked_sub(MARGIN).unwrap_or(life / 2);
        let token = Token { text: text.into(), generation: state.generations, good_until };
        state.token = Some(token.clone());
        Ok(token)
    }

    /// Drops a token that the provider refused, unless another caller has replaced it already.
    pub(crate) async fn drop_refused(&self, refused: &Token) {
        let mut state = self.0.lock().await;
        if state.token.as_ref().is_some_and(|token| token.generation == refused.generation) {
            state.token = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    async fn token(cache: &TokenCache, text: &str, life_s: u64) -> Token {
        cache.get(async { Ok((text.to_owned(), life_s)) }).await.expect("a token")
    }

    #[tokio::test]
    async fn a_token_is_kept_until_it_nears_its_end_or_was_refused() {
        let cache = TokenCache::default();
        let first = token(&cache, "first", 1_800).await;
        assert_eq!(token(&cache, "second", 1_800).await.text.expose_secret(), "first");
        cache.drop_refused(&first).await;
        let second = token(&cache, "second", 0).await;
        assert_eq!(second.text.expose_secret(), "second");
        let third = token(&cache, "third", 1_800).await;
        assert_eq!(third.text.expose_secret(), "third", "the second was dead on arrival");
        cache.drop_refused(&second).await;
        assert_eq!(token(&cache, "fourth", 1_800).await.text.expose_secret(), "third");
        assert!(cache.get(async { Err("down".to_owned()) }).await.is_ok());
        assert!(!format!("{cache:?} {third:?}").contains("third"));
    }
}
