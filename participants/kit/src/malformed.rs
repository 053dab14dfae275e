//! How a command that breaks the wire protocol's bounds is answered. Pure.
//!
//! An earlier attempt may have come in one piece and been done, its reply lost. A refusal makes the saga unwind below the
//! step, so that such an effect would never be undone: the ledger is asked first, and where it says nothing only a first
//! attempt is refused. Nothing is stored: once the sender is mended, the command can still be done.

use crate::codec;
use crate::participant::{Answer, CommandDirection, CommandKey};
use crate::plan::Stored;
use crate::reason::{MALFORMED_COMMAND, STORE_UNAVAILABLE};
use baton_proto::baton::participant::v1::Reply;
use baton_sql::error::SqlError;

/// A command that says whom to answer, and no more that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub key: CommandKey,
    /// 0 if the command cannot be decoded.
    pub attempt: u32,
    /// What is wrong, for people.
    pub message: &'static str,
}

impl Malformed {
    /// The reply, given what the ledger says of its key.
    pub(crate) fn reply(&self, stored: &Result<Stored, SqlError>) -> Reply {
        let answer = match stored {
            Ok(stored) => stored.get(&self.key).cloned().unwrap_or_else(|| self.answer()),
            Err(_) => Answer::unavailable(STORE_UNAVAILABLE, "the participant's store is unavailable"),
        };
        codec::reply(self.key, self.attempt, String::new(), answer)
    }

    /// Of a command that the ledger does not know. An undo is never refused: it must happen, and at last a person is called.
    fn answer(&self) -> Answer {
        if self.attempt == 1 && self.key.direction == CommandDirection::Action {
            Answer::rejected(MALFORMED_COMMAND, self.message)
        } else {
            Answer::unavailable(MALFORMED_COMMAND, self.message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Malformed;
    use crate::participant::{Answer, CommandDirection, CommandKey};
    use crate::plan::{Stored, tombstone};
    use baton_proto::baton::participant::v1::reply::Outcome;
    use baton_sql::error::SqlError;

    fn outcome(
        direction: CommandDirection,
        attempt: u32,
        stored: Result<Option<Answer>, SqlError>,
    ) -> (String, String) {
        let key = CommandKey { saga: [1; 16], step: 2, direction };
        let stored = stored.map(|answer| answer.map(|answer| (key, answer)).into_iter().collect::<Stored>());
        let reply = Malformed { key, attempt, message: "too long" }.reply(&stored);
        assert_eq!((reply.attempt, reply.key), (attempt, Some(crate::codec::key_to_wire(key))));
        match reply.outcome.expect("an outcome") {
            Outcome::Succeeded(_) => ("succeeded".to_owned(), String::new()),
            Outcome::Rejected(no) => ("rejected".to_owned(), no.reason),
            Outcome::Unavailable(no) => ("unavailable".to_owned(), no.reason),
        }
    }

    #[test]
    fn only_what_cannot_have_happened_is_refused() {
        let told = |outcome: &str, reason: &str| (outcome.to_owned(), reason.to_owned());
        let (action, undo) = (CommandDirection::Action, CommandDirection::Undo);
        let unknown = told("unavailable", "MALFORMED_COMMAND");
        assert_eq!(outcome(action, 1, Ok(None)), told("rejected", "MALFORMED_COMMAND"));
        for (direction, attempt) in [(action, 0), (action, 2), (undo, 0), (undo, 1), (undo, 2)] {
            assert_eq!(outcome(direction, attempt, Ok(None)), unknown, "{direction:?} {attempt}");
        }
        for (direction, attempt) in [(action, 0), (action, 1), (action, 2), (undo, 1)] {
            assert_eq!(outcome(direction, attempt, Ok(Some(Answer::done()))), told("succeeded", ""));
            let away = Err(SqlError::Unavailable("planned".to_owned()));
            assert_eq!(outcome(direction, attempt, away), told("unavailable", "STORE_UNAVAILABLE"));
        }
        assert_eq!(outcome(action, 2, Ok(Some(tombstone()))), told("rejected", "UNDONE_BEFORE_ACTION"));
    }
}
