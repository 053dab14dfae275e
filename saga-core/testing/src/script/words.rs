//! A line of a script as words.

use super::text::parse_duration;
use std::collections::VecDeque;

/// The words of a line: those in order, those named `key=value`, and `+duration`.
pub(super) struct Words {
    plain: VecDeque<String>,
    named: Vec<(String, String)>,
    after: Option<String>,
}

impl Words {
    pub(super) fn read(line: &str) -> Result<Self, String> {
        let mut words = Self { plain: VecDeque::new(), named: Vec::new(), after: None };
        let mut rest = line.trim();
        while !rest.is_empty() {
            let mut quoted = false;
            let end = rest.find(|c: char| {
                quoted ^= c == '"';
                c.is_whitespace() && !quoted
            });
            let (word, tail) = rest.split_at(end.unwrap_or(rest.len()));
            if word.matches('"').count() % 2 == 1 {
                return Err("a quote is not closed".to_owned());
            }
            rest = tail.trim_start();
            match (word.strip_prefix('+'), word.split_once('=')) {
                (Some(after), _) => words.after = Some(after.to_owned()),
                (None, Some((key, value))) if !key.contains('"') => {
                    words.named.push((key.to_owned(), value.replace('"', "")));
                }
                (None, Some(_) | None) => words.plain.push_back(word.replace('"', "")),
            }
        }
        Ok(words)
    }

    pub(super) fn next(&mut self, wanted: &str) -> Result<String, String> {
        self.plain.pop_front().ok_or_else(|| format!("{wanted} is missing"))
    }

    pub(super) fn next_if(&mut self, wanted: &[&str]) -> Option<String> {
        let first = self.plain.front()?;
        wanted.contains(&first.as_str()).then(|| self.plain.pop_front())?
    }

    pub(super) fn option(&mut self, key: &str) -> Option<String> {
        let at = self.named.iter().position(|(k, _)| k == key)?;
        Some(self.named.remove(at).1)
    }

    pub(super) fn after(&mut self) -> Result<Option<std::time::Duration>, String> {
        self.after.take().map(|text| parse_duration(&text)).transpose()
    }

    /// Nothing may be left over: a misspelt option must not pass silently.
    pub(super) fn end(self) -> Result<(), String> {
        let named = self.named.first().map(|(key, _)| key.clone());
        match self.plain.front().cloned().or(named).or(self.after) {
            None => Ok(()),
            Some(word) => Err(format!("{word:?} has no meaning here")),
        }
    }
}
