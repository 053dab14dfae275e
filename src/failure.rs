//! How a command fails: what is said on standard error, and which exit code follows.

use crate::config::layers::ConfigError;
use std::fmt;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

/// Exit codes, the same for every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Any failure without a code of its own.
    Error = 1,
    /// The command line, the configuration or the input is wrong.
    Usage = 2,
    /// No such thing.
    NotFound = 3,
    /// It exists already, or its state does not allow it.
    Conflict = 4,
    /// Nobody answers, or not in time.
    Unavailable = 5,
    /// Ctrl-C.
    Interrupted = 130,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The user must write something else.
    #[error("{0}")]
    Usage(String),
    /// The configuration is wrong.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The server refused or could not be reached.
    #[error("{}", Refusal(.0))]
    Status(#[from] Box<Status>),
    /// The failure of a request that may have been carried out all the same, under an id that the command made.
    #[error("{0}\n  to repeat it without doing it twice, add --request-id {1}")]
    InDoubt(Box<Self>, Uuid),
    /// Nobody answers at an address.
    #[error("{0}")]
    Unreachable(String),
    /// Stopped by the user.
    #[error("interrupted")]
    Interrupted,
    /// What had to be said has been said.
    #[error("{0}")]
    Verdict(&'static str),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.to_string())
    }
}

impl Failure {
    /// Any error with its chain of causes, in one line.
    pub fn other(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            // Many errors repeat their cause; saying it once is enough.
            if !text.contains(&cause.to_string()) {
                text = format!("{text}: {cause}");
            }
            source = cause.source();
        }
        Self::Other(text)
    }

    /// The exit code that follows.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Config(_) => Exit::Usage,
            Self::InDoubt(failure, _) => failure.exit(),
            Self::Status(status) => exit_of(status.code()),
            Self::Unreachable(_) => Exit::Unavailable,
            Self::Interrupted => Exit::Interrupted,
            Self::Verdict(_) | Self::Other(_) => Exit::Error,
        }
    }
}

fn exit_of(code: Code) -> Exit {
    match code {
        Code::InvalidArgument | Code::OutOfRange => Exit::Usage,
        Code::NotFound => Exit::NotFound,
        Code::AlreadyExists | Code::FailedPrecondition | Code::Aborted => Exit::Conflict,
        // Nobody cancels but the transport, when a connection ends before an answer: Ctrl-C is a failure of its own.
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Cancelled => Exit::Unavailable,
        Code::Ok
        | Code::Unknown
        | Code::PermissionDenied
        | Code::Unimplemented
        | Code::Internal
        | Code::DataLoss
        | Code::Unauthenticated => Exit::Error,
    }
}

/// A status as a person reads it: reason and message, then field by field what is wrong, then when to try again.
struct Refusal<'a>(&'a Status);

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.0;
        let details = status.get_error_details();
        match details.error_info() {
            Some(info) => write!(f, "{}: {}", info.reason, status.message())?,
            None if status.code() == Code::Cancelled => {
                write!(f, "the connection ended before an answer came ({})", status.message())?;
            }
            None => write!(f, "{:?}: {}", status.code(), status.message())?,
        }
        for violation in details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default() {
            let line = format!("{}: {}", violation.field, violation.description);
            // A single violation is often the message itself.
            if line != status.message() {
                write!(f, "\n  {line}")?;
            }
        }
        for violation in details.precondition_failure().map(|failed| failed.violations.as_slice()).unwrap_or_default() {
            write!(f, "\n  {} {}: {}", violation.r#type, violation.subject, violation.description)?;
        }
        if let Some(delay) = details.retry_info().and_then(|retry| retry.retry_delay) {
            write!(f, "\n  try again in {:.1} s", delay.as_secs_f64())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tonic_types::ErrorDetails;

    #[test]
    fn a_refusal_shows_reason_fields_and_when_to_retry() {
        let mut details = ErrorDetails::new();
        details.set_error_info("INVALID_QUANTITY", "baton", std::collections::HashMap::new());
        details.add_bad_request_violation("lines[0].quantity", "must be 1 to 1000000");
        details.set_retry_info(Some(Duration::from_millis(1500)));
        let failure = Failure::from(Status::with_error_details(Code::InvalidArgument, "bad order", details));
        assert_eq!(
            failure.to_string(),
            "INVALID_QUANTITY: bad order\n  lines[0].quantity: must be 1 to 1000000\n  try again in 1.5 s"
        );
        assert_eq!(failure.exit(), Exit::Usage);
    }

    #[test]
    fn a_connection_that_ended_is_no_interruption() {
        let failure = Failure::from(Status::cancelled("operation was canceled"));
        assert_eq!(failure.to_string(), "the connection ended before an answer came (operation was canceled)");
    }

    #[test]
    fn codes_map_to_exit_codes() {
        for (code, exit) in [
            (Code::NotFound, Exit::NotFound),
            (Code::AlreadyExists, Exit::Conflict),
            (Code::FailedPrecondition, Exit::Conflict),
            (Code::Unavailable, Exit::Unavailable),
            (Code::DeadlineExceeded, Exit::Unavailable),
            (Code::Cancelled, Exit::Unavailable),
            (Code::Internal, Exit::Error),
        ] {
            assert_eq!(Failure::from(Status::new(code, "x")).exit(), exit);
        }
    }
}
