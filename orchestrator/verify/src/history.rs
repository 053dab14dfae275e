//! What clients asked and were told: one line of JSON for the beginning of a call and one for its end.
//!
//! ```text
//! {"call":7,"phase":"invoke","kind":"place","client":"c1","request":"…","key":"…"}
//! {"call":7,"phase":"ok","saga":"sagas/…","state":"COMPLETED","version":6}
//! {"call":8,"phase":"fail","code":"RESOURCE_EXHAUSTED"}
//! {"call":9,"phase":"unknown"}
//! ```
//!
//! `fail` means that the answer itself says nothing happened. A call without an end, for example of a client that was
//! killed, is unknown. The order of the lines is the order of time.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::BufRead;

/// Calls of one history at most: some 200 bytes each.
pub const MOST_CALLS: usize = 2_000_000;

/// What a call asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Starts a saga.
    Place,
    /// Reads a saga, alone or in a list.
    Read,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered.
    Ok {
        /// The saga it names, as UUID.
        saga: Option<String>,
        /// The state it told, in the words of who answered.
        state: Option<String>,
        /// The saga's version it told.
        version: Option<u64>,
    },
    /// Refused: nothing happened.
    Fail {
        /// The status code, for example `RESOURCE_EXHAUSTED`.
        code: String,
    },
    /// Nobody knows.
    Unknown,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What was asked.
    pub kind: Kind,
    /// Who asked.
    pub client: String,
    /// Its request id, or empty.
    pub request: String,
    /// The saga's business key, or empty. Starts of one key are tries of one.
    pub key: String,
    /// Position of its beginning.
    pub begun: u64,
    /// Position of its end.
    pub ended: Option<u64>,
    /// How it ended.
    pub outcome: Outcome,
}

impl Call {
    /// A start that was answered with a saga and, if it told one, a state.
    #[must_use]
    pub fn started(request: &str, key: &str, saga: &str, state: Option<&str>) -> Self {
        let saga = Some(saga.trim_start_matches("sagas/").to_owned());
        Self {
            kind: Kind::Place,
            client: String::new(),
            request: request.to_owned(),
            key: key.to_owned(),
            begun: 0,
            ended: Some(1),
            outcome: Outcome::Ok { saga, state: state.map(str::to_owned), version: None },
        }
    }
}

/// A line of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Number of the call, unique in its history.
    pub call: u64,
    /// What the line is about.
    #[serde(flatten)]
    pub phase: Phase,
}

/// What a line is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "lowercase")]
pub enum Phase {
    /// The call begins.
    Invoke {
        /// What is asked.
        kind: Kind,
        /// Who asks.
        client: String,
        /// Request id.
        #[serde(default)]
        request: String,
        /// Business key; histories that were written before it had this name say `order`.
        #[serde(default, alias = "order")]
        key: String,
    },
    /// It is answered.
    Ok {
        /// `sagas/{uuid}` or the UUID alone.
        #[serde(default)]
        saga: Option<String>,
        /// The state it tells.
        #[serde(default)]
        state: Option<String>,
        /// The version it tells.
        #[serde(default)]
        version: Option<u64>,
    },
    /// It is refused, for certain.
    Fail {
        /// The status code.
        code: String,
    },
    /// Nobody knows.
    Unknown,
}

/// Why a history cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file.
    #[error("the history cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// A line.
    #[error("line {line} of the history: {why}")]
    Line {
        /// From 1.
        line: u64,
        /// What is wrong.
        why: String,
    },
    /// Too many calls.
    #[error("the history has more than {MOST_CALLS} calls")]
    TooMany,
}

/// Reads a history, line by line.
///
/// # Errors
/// At the first line that makes no sense; the last one may be cut off, as a killed writer leaves it.
pub fn read(mut lines: impl BufRead) -> Result<Vec<Call>, HistoryError> {
    let mut history = Vec::new();
    let mut open = BTreeMap::new();
    // Bytes, because a writer may be killed in the middle of a character.
    let (mut text, mut number) = (Vec::new(), 0);
    loop {
        text.clear();
        if lines.read_until(b'\n', &mut text)? == 0 {
            return Ok(history);
        }
        number += 1;
        if text.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice::<Line>(&text) {
            Ok(line) => add(&mut history, &mut open, line, number)?,
            Err(_) if !text.ends_with(b"\n") => return Ok(history),
            Err(error) => return Err(HistoryError::Line { line: number, why: error.to_string() }),
        }
        if history.len() > MOST_CALLS {
            return Err(HistoryError::TooMany);
        }
    }
}

fn add(history: &mut Vec<Call>, open: &mut BTreeMap<u64, usize>, line: Line, number: u64) -> Result<(), HistoryError> {
    let outcome = match line.phase {
        Phase::Invoke { kind, client, request, key } => {
            if open.insert(line.call, history.len()).is_some() {
                let why = format!("call {} begins twice", line.call);
                return Err(HistoryError::Line { line: number, why });
            }
            let outcome = Outcome::Unknown;
            history.push(Call { kind, client, request, key, begun: number, ended: None, outcome });
            return Ok(());
        }
        Phase::Ok { saga, state, version } => {
            Outcome::Ok { saga: saga.map(|saga| saga.trim_start_matches("sagas/").to_owned()), state, version }
        }
        Phase::Fail { code } => Outcome::Fail { code },
        Phase::Unknown => Outcome::Unknown,
    };
    let Some(index) = open.get(&line.call).copied().filter(|index| history[*index].ended.is_none()) else {
        let why = format!("call {} ends without having begun, or twice", line.call);
        return Err(HistoryError::Line { line: number, why });
    };
    history[index].ended = Some(number);
    history[index].outcome = outcome;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"call":1,"phase":"invoke","kind":"place","client":"a","request":"r","key":"o"}
{"call":2,"phase":"invoke","kind":"read","client":"b","key":"o"}
{"call":1,"phase":"ok","saga":"sagas/s","state":"PAYMENT_SUCCESS","version":6}
{"call":3,"phase":"invoke","kind":"place","client":"a","request":"q","key":"p"}
{"call":3,"phase":"fail","code":"RESOURCE_EXHAUSTED"}
{"call":4,"phase":"inv"#;

    #[test]
    fn calls_are_paired_and_a_call_without_an_end_is_unknown() {
        let calls = read(TEXT.as_bytes()).unwrap();
        let outcome = Outcome::Ok { saga: Some("s".into()), state: Some("PAYMENT_SUCCESS".into()), version: Some(6) };
        assert_eq!((calls.len(), calls[0].begun, calls[0].ended), (3, 1, Some(3)));
        assert_eq!((&calls[0].outcome, &calls[1].outcome), (&outcome, &Outcome::Unknown));
        assert_eq!(calls, read(TEXT.replace("\"key\"", "\"order\"").as_bytes()).unwrap(), "as it was written before");
    }

    #[test]
    fn a_history_may_be_cut_off_at_any_byte() {
        let text = TEXT.replace("\"o\"", "\"\u{ae40}\"");
        for end in 0..=text.len() {
            let calls = read(&text.as_bytes()[..end]).unwrap_or_else(|error| panic!("cut at {end}: {error}"));
            assert!(calls.len() <= 3);
        }
        assert!(read(&b"{\"call\":\xff}\n"[..]).is_err(), "a whole line that is no text makes no sense");
    }

    #[test]
    fn lines_that_make_no_sense_are_named() {
        for (text, wanted) in [
            ("{\"call\":1,\"phase\":\"ok\"}\n", "line 1 of the history: call 1 ends without"),
            ("\nrubbish\n", "line 2 of the history"),
        ] {
            let error = read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(wanted), "{error}");
        }
    }
}
