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

/// Bytes of paths, reasons and descriptions told in one answer. They travel in a header, base64-coded; many clients take no
/// more than 8 KiB of headers, and blame the server with RESOURCE_EXHAUSTED for more.
pub const MAX_VIOLATION_BYTES: usize = 4 * 1024;

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
pub struct Violations {
    list: Vec<(String, Flaw)>,
    bytes: usize,
}

impl Violations {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a flaw of the field at `path`, for example `lines[3].quantity`. The first is always noted, later ones within
    /// the bounds of an answer.
    pub fn add(&mut self, path: impl Into<String>, flaw: Flaw) {
        let path = path.into();
        self.bytes = self.bytes.saturating_add(path.len() + flaw.reason.as_str().len() + flaw.description.len());
        if self.list.is_empty() || (self.list.len() < MAX_VIOLATIONS && self.bytes <= MAX_VIOLATION_BYTES) {
            self.list.push((path, flaw));
        }
    }

    /// The value, or its flaw noted.
    pub fn keep<T>(&mut self, path: impl Into<String>, parsed: Result<T, Flaw>) -> Option<T> {
        parsed.map_err(|flaw| self.add(path, flaw)).ok()
    }

    /// True if nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The violations: path and flaw, in the order they were found.
    #[must_use]
    pub fn list(&self) -> &[(String, Flaw)] {
        &self.list
    }

    /// `INVALID_ARGUMENT`: the reason is that of the first flaw, all flaws are told as field violations.
    #[must_use]
    pub fn into_status(self) -> Status {
        self.into_status_with(HashMap::new())
    }

    /// The same, with what programs may read beside the reason as `ErrorInfo.metadata`.
    #[must_use]
    pub fn into_status_with(self, metadata: HashMap<String, String>) -> Status {
        let reason = self.list.first().map_or(Reason::INTERNAL, |(_, flaw)| flaw.reason);
        let message =
            self.list.first().map_or_else(String::new, |(path, flaw)| format!("{path}: {}", flaw.description));
        let fields = self.list.into_iter().map(|(path, flaw)| {
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

/// What a caller is told when the store fails: weather is `UNAVAILABLE` with `RetryInfo`, and of a lost commit that its
/// outcome is not known; a defect is `INTERNAL`. The cause goes to the log only, since a database's own words may hold addresses or values.
#[must_use]
pub fn store(error: &SqlError) -> Status {
    match error {
        SqlError::UnknownOutcome(_) => {
            tracing::warn!(%error, "store lost at commit");
            let text = "the outcome is unknown; repeat the same request, with its request_id if it has one";
            retry_later(Code::Unavailable, Reason::OUTCOME_UNKNOWN.as_str(), text, RETRY_AFTER)
        }
        SqlError::Unavailable(_) | SqlError::Conflict(_) => {
            tracing::warn!(%error, "store unavailable");
            let reason = Reason::STORE_UNAVAILABLE.as_str();
            retry_later(Code::Unavailable, reason, "the store is unavailable; try again", RETRY_AFTER)
        }
        _ => {
            tracing::error!(%error, "store defect");
            status(Code::Internal, Reason::INTERNAL.as_str(), "internal error")
        }
    }
}

/// What a caller is told when its request got no place in a group commit, or no result.
#[must_use]
pub fn gather(error: GatherError) -> Status {
    match error {
        GatherError::Full => {
            let reason = Reason::OVERLOADED.as_str();
            retry_later(Code::ResourceExhausted, reason, "too many requests wait; try again", RETRY_AFTER)
        }
        GatherError::Lost => status(Code::Internal, Reason::INTERNAL.as_str(), "internal error"),
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

    const QUANTITY_OUT_OF_RANGE: Reason = Reason::new("QUANTITY_OUT_OF_RANGE");

    #[test]
    fn violations_carry_reason_path_and_description() {
        let mut violations = Violations::new();
        violations.add("lines[1].quantity", Flaw::new(QUANTITY_OUT_OF_RANGE, "must be 1 to 1000000"));
        violations.add("customer_id", Flaw::new(Reason::NAME_INVALID, "must not be empty"));
        let status = violations.into_status();
        assert_eq!(status.code(), Code::InvalidArgument);
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.domain.as_str(), info.reason.as_str()), (DOMAIN, "QUANTITY_OUT_OF_RANGE"));
        let fields = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(fields[1].field, "customer_id");
    }

    #[test]
    fn what_is_told_of_much_bad_input_fits_into_the_headers_that_clients_take() {
        let mut violations = Violations::new();
        for line in 0..1_000 {
            let flaw = Flaw::new(QUANTITY_OUT_OF_RANGE, "must be 0 to 1000000000000");
            violations.add(format!("lines[{line}].expected_unit_price"), flaw);
        }
        let status = violations.into_status();
        // Base64 makes four bytes of three.
        assert!(status.details().len() * 4 / 3 < 7 * 1024, "{}", status.details().len());
        let fields = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(fields[0].field, "lines[0].expected_unit_price");
        assert!(fields.len() > 30, "{}", fields.len());
        let mut long = Violations::new();
        long.add("input", Flaw::new(Reason::FILTER_INVALID, "x".repeat(5_000)));
        long.add("page_size", Flaw::new(Reason::PAGE_SIZE_NEGATIVE, "must not be negative"));
        assert_eq!(long.list().len(), 1, "the first is told whatever its length");
    }

    #[test]
    fn a_commit_in_doubt_is_not_told_as_one_that_failed() {
        let status = store(&SqlError::UnknownOutcome("connection reset by 10.0.0.7".to_owned()));
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(status.get_details_error_info().unwrap().reason, "OUTCOME_UNKNOWN");
        assert!(!format!("{status:?}").contains("10.0.0.7"));
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
