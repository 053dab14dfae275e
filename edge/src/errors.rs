//! The one place that makes a `tonic::Status`: a code, a stable reason and the fields at fault.

use crate::gather::GatherError;
use crate::reason::Reason;
use baton_sql::error::SqlError;
use std::collections::HashMap;
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, PreconditionViolation, StatusExt as _};

/// `ErrorInfo.domain` of every error Baton's services give.
pub const DOMAIN: &str = "baton.dev";

/// Most violations told in one answer; a caller who sends worse input learns the rest after fixing these.
pub const MAX_VIOLATIONS: usize = 100;

/// How long a caller should wait before it tries again when the store is away.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What is wrong with one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Why, stable.
    pub reason: Reason,
    /// What the field takes, for people.
    pub description: String,
}

impl Flaw {
    /// A flaw.
    pub fn new(reason: Reason, description: impl Into<String>) -> Self {
        Self { reason, description: description.into() }
    }
}

/// The flaws of one request, each with the path of its field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations(Vec<(String, Flaw)>);

impl Violations {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a flaw of the field at `path`, for example `lines[3].quantity`.
    pub fn add(&mut self, path: impl Into<String>, flaw: Flaw) {
        if self.0.len() < MAX_VIOLATIONS {
            self.0.push((path.into(), flaw));
        }
    }

    /// The value, or its flaw noted.
    pub fn keep<T>(&mut self, path: impl Into<String>, parsed: Result<T, Flaw>) -> Option<T> {
        parsed.map_err(|flaw| self.add(path, flaw)).ok()
    }

    /// True if nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The violations: path and flaw, in the order they were found.
    #[must_use]
    pub fn list(&self) -> &[(String, Flaw)] {
        &self.0
    }

    /// `INVALID_ARGUMENT`: the reason is that of the first flaw, all flaws are told as field violations.
    #[must_use]
    pub fn into_status(self) -> Status {
        self.into_status_with(HashMap::new())
    }

    /// The same, with what programs may read beside the reason as `ErrorInfo.metadata`.
    #[must_use]
    pub fn into_status_with(self, metadata: HashMap<String, String>) -> Status {
        let reason = self.0.first().map_or(Reason::Internal, |(_, flaw)| flaw.reason);
        let message = self.0.first().map_or_else(String::new, |(path, flaw)| format!("{path}: {}", flaw.description));
        let fields = self.0.into_iter().map(|(path, flaw)| {
            let mut violation = FieldViolation::new(path, flaw.description);
            violation.reason = flaw.reason.as_str().to_owned();
            violation
        });
        let mut details = ErrorDetails::with_error_info(reason.as_str(), DOMAIN, metadata);
        details.set_bad_request(fields.collect::<Vec<_>>());
        Status::with_error_details(Code::InvalidArgument, message, details)
    }
}

/// `INVALID_ARGUMENT` for one field.
#[must_use]
pub fn invalid(path: &str, flaw: Flaw) -> Status {
    let mut violations = Violations::new();
    violations.add(path, flaw);
    violations.into_status()
}

/// A status with `ErrorInfo`. `reason` is UPPER_SNAKE and stable; the orchestrator passes its own.
#[must_use]
pub fn status(code: Code, reason: &str, message: impl Into<String>) -> Status {
    Status::with_error_details(code, message, info(reason))
}

/// The same, with what programs may read beside the reason as `ErrorInfo.metadata`, and the precondition that failed if it
/// has a name: its type in UPPER_SNAKE, what it is about, and what it says.
#[must_use]
pub fn status_with(
    code: Code,
    reason: &str,
    message: impl Into<String>,
    metadata: HashMap<String, String>,
    failed: Option<PreconditionViolation>,
) -> Status {
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, metadata);
    if let Some(failed) = failed {
        details.set_precondition_failure(vec![failed]);
    }
    Status::with_error_details(code, message, details)
}

/// A status with `ErrorInfo` and `RetryInfo`, for `UNAVAILABLE` and `RESOURCE_EXHAUSTED`.
#[must_use]
pub fn retry_later(code: Code, reason: &str, message: impl Into<String>, after: Duration) -> Status {
    let mut details = info(reason);
    details.set_retry_info(Some(after));
    Status::with_error_details(code, message, details)
}

/// `NOT_FOUND`.
#[must_use]
pub fn not_found(reason: Reason, name: &str) -> Status {
    status(Code::NotFound, reason.as_str(), format!("{name} does not exist"))
}

/// `ALREADY_EXISTS`.
#[must_use]
pub fn already_exists(reason: Reason, message: impl Into<String>) -> Status {
    status(Code::AlreadyExists, reason.as_str(), message)
}

/// What a caller is told when the store fails: weather is `UNAVAILABLE` with `RetryInfo`, a defect is `INTERNAL`. The
/// cause goes to the log only, since a database's own words may hold addresses or values.
#[must_use]
pub fn store(error: &SqlError) -> Status {
    match error {
        SqlError::Unavailable(_) | SqlError::UnknownOutcome(_) | SqlError::Conflict(_) => {
            tracing::warn!(%error, "store unavailable");
            let reason = Reason::StoreUnavailable.as_str();
            retry_later(Code::Unavailable, reason, "the store is unavailable; try again", RETRY_AFTER)
        }
        _ => {
            tracing::error!(%error, "store defect");
            status(Code::Internal, Reason::Internal.as_str(), "internal error")
        }
    }
}

/// What a caller is told when its request got no place in a group commit, or no result.
#[must_use]
pub fn gather(error: GatherError) -> Status {
    match error {
        GatherError::Full => {
            let reason = Reason::Overloaded.as_str();
            retry_later(Code::ResourceExhausted, reason, "too many requests wait; try again", RETRY_AFTER)
        }
        GatherError::Lost => status(Code::Internal, Reason::Internal.as_str(), "internal error"),
    }
}

fn info(reason: &str) -> ErrorDetails {
    ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new())
}

#[cfg(test)]
mod tests {
    use super::{DOMAIN, Flaw, Violations, store};
    use crate::reason::Reason;
    use baton_sql::error::SqlError;
    use tonic::Code;
    use tonic_types::StatusExt as _;

    #[test]
    fn violations_carry_reason_path_and_description() {
        let mut violations = Violations::new();
        violations.add("lines[1].quantity", Flaw::new(Reason::QuantityOutOfRange, "must be 1 to 1000000"));
        violations.add("customer_id", Flaw::new(Reason::CustomerIdInvalid, "must not be empty"));
        let status = violations.into_status();
        assert_eq!(status.code(), Code::InvalidArgument);
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.domain.as_str(), info.reason.as_str()), (DOMAIN, "QUANTITY_OUT_OF_RANGE"));
        let fields = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(fields[1].field, "customer_id");
    }

    #[test]
    fn a_store_error_tells_the_caller_no_internals() {
        let status = store(&SqlError::Unavailable("mysql://root:secret@db".to_owned()));
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.get_details_retry_info().is_some());
        assert!(!format!("{status:?}").contains("secret"));
        assert_eq!(store(&SqlError::Refused("secret".to_owned())).code(), Code::Internal);
    }
}
