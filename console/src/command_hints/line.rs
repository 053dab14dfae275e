//! A line for a shell, in the making: every word is quoted as it is put in.

use crate::command_hints::arguments::{Given, Which};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt::Write as _;

/// What stands for a reason that has not been written yet.
const WHY: &str = "WHY";
/// What stands for an actor who is not known yet; the command line asks the system instead.
const WHO: &str = "WHO";

/// A line in the making.
pub(super) struct ShellLine {
    text: String,
    /// An id that would be read as an option, quoted; it goes to the end, since whatever follows `--` is read as it is.
    last: Option<String>,
}

impl ShellLine {
    pub(super) fn of(start: &str) -> Self {
        Self { text: start.to_owned(), last: None }
    }

    pub(super) fn done(self) -> String {
        match self.last {
            Some(id) => format!("{} -- {id}", self.text),
            None => self.text,
        }
    }

    /// A word that needs no quotes.
    pub(super) fn word(mut self, word: &str) -> Self {
        self.text.push(' ');
        self.text.push_str(word);
        self
    }

    pub(super) fn text(self, text: &str) -> Self {
        let quoted = quoted(text);
        self.word(&quoted)
    }

    /// A resource by what follows its collection, as the command line takes it.
    pub(super) fn id(self, name: &str) -> Self {
        let id = name.split_once('/').map_or(name, |(_, id)| id);
        if id.starts_with('-') { Self { last: Some(quoted(id)), ..self } } else { self.text(id) }
    }

    pub(super) fn some(self, option: &str, value: &str) -> Self {
        if value.is_empty() {
            return self;
        }
        let quoted = quoted(value);
        if value.starts_with('-') { self.word(&format!("{option}={quoted}")) } else { self.word(option).word(&quoted) }
    }

    pub(super) fn number(self, option: &str, value: u64) -> Self {
        if value == 0 { self } else { self.word(option).word(&value.to_string()) }
    }

    pub(super) fn which(self, which: Which<'_>) -> Self {
        self.some("--filter", which.filter).some("--preset", which.preset)
    }

    pub(super) fn given(self, given: Given<'_>) -> Self {
        let reason = if given.reason.is_empty() { WHY } else { given.reason };
        self.some("--reason", reason).some("--actor", given.actor).some("--request-id", given.request_id)
    }

    pub(super) fn query(self, name: &str, value: &str) -> Self {
        if value.is_empty() { self } else { self.word("--data-urlencode").text(&format!("{name}={value}")) }
    }

    /// The end of a line that may carry a query.
    pub(super) fn got(self) -> String {
        let line = self.done();
        if line.contains("--data-urlencode") { line.replacen("curl -sS", "curl -sSG", 1) } else { line }
    }

    pub(super) fn header(self, name: &str, value: &str) -> Self {
        self.word("-H").text(&format!("{name}: {value}"))
    }

    pub(super) fn post(self, given: Given<'_>, mut body: Value) -> String {
        let or =
            |value: &str, placeholder: &str| if value.is_empty() { placeholder.to_owned() } else { value.to_owned() };
        body["reason"] = or(given.reason, WHY).into();
        body["actor"] = or(given.actor, WHO).into();
        let line = if given.request_id.is_empty() { self } else { self.header("idempotency-key", given.request_id) };
        line.word("--json").text(&body.to_string()).done()
    }
}

/// The address of a resource with what follows it.
pub(super) fn url(base: &str, name: &str, after: &str) -> String {
    let mut url = format!("{}/api/v1/", base.trim_end_matches('/'));
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => url.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => drop(write!(url, "%{byte:02X}")),
        }
    }
    url + after
}

/// A word for a POSIX shell. A line that is copied must not do anything on its way through a terminal, so control characters
/// and those that turn the direction of writing are replaced; the services refuse them anyway.
#[must_use]
pub fn quoted(text: &str) -> String {
    let unseen = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let text: Cow<'_, str> =
        if text.chars().any(unseen) { text.replace(unseen, "\u{fffd}").into() } else { text.into() };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:@%+,".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_hints::CommandHint;
    use baton_proto::baton::saga::v1::SagaVerb;

    #[test]
    fn hostile_words_stay_words() {
        assert_eq!(quoted("$(rm -rf ~)`x`\"\\"), "'$(rm -rf ~)`x`\"\\'");
        assert_eq!(quoted("a\u{1b}]0;x\u{7}\nb\u{202e}c"), "'a\u{fffd}]0;x\u{fffd}\u{fffd}b\u{fffd}c'");
        assert_eq!(quoted(""), "''");
        let given = Given { reason: "-rf", actor: "", request_id: "" };
        let hint = CommandHint::Act { saga: "sagas/ü x/../y?", verb: SagaVerb::Skip, version: 0, given };
        assert_eq!(hint.command(), "baton sagas skip 'ü x/../y?' --reason=-rf");
        let dashed = CommandHint::Act { saga: "sagas/-x", verb: SagaVerb::Skip, version: 7, given };
        assert_eq!(dashed.command(), "baton sagas skip --version 7 --reason=-rf -- -x");
        assert!(hint.curl("http://h").starts_with("curl -sS http://h/api/v1/sagas/%C3%BC%20x/../y%3F:act --json "));
    }
}
