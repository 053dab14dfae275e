//! What a caller is told when something is refused: `application/problem+json` as RFC 9457 has it, with what gRPC says beside it.

use crate::http::reason::HttpReason;
use axum::response::{IntoResponse, Response};
use baton_rpc::errors::DOMAIN;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// The media type.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What `type` begins with; the reason follows.
pub const TYPE: &str = "tag:baton.dev,2026:problem/";

/// How long a caller waits who found everything busy.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A problem: a pointer to its document, so that what may be refused costs nothing when it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(Box<Document>);

impl Deref for Problem {
    type Target = Document;

    fn deref(&self) -> &Document {
        &self.0
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Document {
        &mut self.0
    }
}

/// What a problem says. Its fields are those of the JSON, in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Document {
    /// A URI for the reason.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status code in words, the same for every problem of that code.
    pub title: &'static str,
    /// The status, as in the head.
    pub status: u16,
    /// What happened, for people.
    pub detail: String,
    /// gRPC's code in its own spelling, `FAILED_PRECONDITION` for example; for what HTTP itself refuses the nearest one.
    pub code: &'static str,
    /// Why, UPPER_SNAKE, stable.
    pub reason: String,
    /// Whose reason it is.
    pub domain: String,
    /// What programs may read beside the reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// The fields at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<Violation>,
    /// What would have to hold and does not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub preconditions: Vec<Precondition>,
    /// Headers that go with it.
    #[serde(skip)]
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// A field at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Its path as JSON has it, `lines[3].quantity` for example; empty for the whole.
    pub field: String,
    /// Why, UPPER_SNAKE.
    pub reason: String,
    /// What it takes, for people.
    pub description: String,
}

/// What would have to hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Precondition {
    /// The rule, UPPER_SNAKE.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// What it says, for people.
    pub description: String,
}

impl Violation {
    /// A flaw that HTTP itself found.
    pub fn new(field: impl Into<String>, reason: HttpReason, description: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.as_str().to_owned(), description: description.into() }
    }
}

impl Problem {
    /// What HTTP itself refuses.
    pub fn new(reason: HttpReason, detail: impl Into<String>) -> Self {
        let status = reason.status();
        let mut problem = Self::of(status, code_of(reason), reason.as_str(), detail.into());
        if reason == HttpReason::TooManyCalls {
            problem.retry_after(RETRY_AFTER);
        }
        problem
    }

    /// Fields that HTTP itself refuses; there is at least one.
    #[must_use]
    pub fn fields(violations: Vec<Violation>) -> Self {
        let first = violations.first();
        let reason = first.and_then(|first| HttpReason::ALL.into_iter().find(|known| known.as_str() == first.reason));
        let detail = first.map_or_else(String::new, |first| match first.field.as_str() {
            "" => first.description.clone(),
            field => format!("{field}: {}", first.description),
        });
        let mut problem = Self::new(reason.unwrap_or(HttpReason::FieldMalformed), detail);
        problem.violations = violations;
        problem
    }

    /// What a service refused. `conditional` if the caller said which version it was for: another version is then no
    /// conflict but a precondition that failed.
    #[must_use]
    pub fn from_status(status: &Status, conditional: bool) -> Self {
        let details = status.get_error_details();
        let reason = details.error_info().map_or("", |info| info.reason.as_str());
        let http = match (status.code(), reason) {
            (Code::Aborted, "VERSION_MISMATCH") if conditional => StatusCode::PRECONDITION_FAILED,
            (code, _) => http_status(code),
        };
        let mut problem = Self::of(http, code_name(status.code()), reason, status.message().to_owned());
        if let Some(info) = details.error_info() {
            problem.domain = info.domain.clone();
            problem.metadata = info.metadata.clone().into_iter().collect();
        }
        let fields = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
        problem.violations = fields
            .iter()
            .map(|violation| Violation {
                field: json_path(&violation.field),
                reason: violation.reason.clone(),
                description: violation.description.clone(),
            })
            .collect();
        let failed = details.precondition_failure().map(|failed| failed.violations.as_slice()).unwrap_or_default();
        problem.preconditions = failed
            .iter()
            .map(|violation| Precondition {
                kind: violation.r#type.clone(),
                subject: violation.subject.clone(),
                description: violation.description.clone(),
            })
            .collect();
        if let Some(delay) = details.retry_info().and_then(|retry| retry.retry_delay) {
            problem.retry_after(delay);
        }
        problem
    }

    fn of(status: StatusCode, code: &'static str, reason: &str, detail: String) -> Self {
        // A service that says nothing is a defect of it, or is not there.
        let reason = if reason.is_empty() { code } else { reason };
        Self(Box::new(Document {
            kind: format!("{TYPE}{reason}"),
            title: status.canonical_reason().unwrap_or("Client Closed Request"),
            status: status.as_u16(),
            detail,
            code,
            reason: reason.to_owned(),
            domain: DOMAIN.to_owned(),
            metadata: BTreeMap::new(),
            violations: Vec::new(),
            preconditions: Vec::new(),
            headers: Vec::new(),
        }))
    }

    /// Whole seconds, rounded up: a caller who comes too early comes in vain.
    fn retry_after(&mut self, delay: Duration) {
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        self.headers.push((header::RETRY_AFTER, HeaderValue::from(seconds.max(1))));
    }

    /// The same with one header more.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// The document.
    #[must_use]
    pub fn json(&self) -> String {
        // Texts and numbers only: nothing in it can fail to be written.
        serde_json::to_string(&self.0).unwrap_or_default()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // 499 is not registered, but any three digits are a status.
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, [(header::CONTENT_TYPE, MEDIA_TYPE)], self.json()).into_response();
        response.headers_mut().extend(self.0.headers);
        response
    }
}

/// Status codes as google.rpc.Code has them.
#[must_use]
pub fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        // 499, as Google has it: the client closed the request.
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// A code as google.rpc.Code spells it.
#[must_use]
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

fn code_of(reason: HttpReason) -> &'static str {
    code_name(match reason {
        HttpReason::PathUnknown => Code::NotFound,
        HttpReason::MethodNotAllowed => Code::Unimplemented,
        HttpReason::HostRefused | HttpReason::OriginRefused => Code::PermissionDenied,
        HttpReason::BodyTooSlow => Code::DeadlineExceeded,
        HttpReason::TooManyCalls => Code::Unavailable,
        HttpReason::HeadersTooLarge
        | HttpReason::ContentTypeUnsupported
        | HttpReason::BodyTooLarge
        | HttpReason::BodyMalformed
        | HttpReason::FieldUnknown
        | HttpReason::FieldMalformed
        | HttpReason::FieldConflict
        | HttpReason::HeaderMalformed
        | HttpReason::PreconditionUnsupported => Code::InvalidArgument,
    })
}

/// A path of proto fields as JSON spells it: `unit_price` is `unitPrice` there.
fn json_path(path: &str) -> String {
    let mut json = String::with_capacity(path.len());
    let mut raise = false;
    for c in path.chars() {
        match c {
            '_' => raise = true,
            c if raise => {
                json.extend(c.to_uppercase());
                raise = false;
            }
            c => json.push(c),
        }
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use tonic_types::{ErrorDetails, PreconditionViolation};

    fn read(problem: &Problem) -> Value {
        serde_json::from_str(&problem.json()).expect("JSON")
    }

    #[test]
    fn what_a_service_says_is_all_there() {
        let metadata: std::collections::HashMap<String, String> = [("rule".to_owned(), "NOT_STUCK".to_owned())].into();
        let mut details = ErrorDetails::with_error_info("ACTION_REFUSED", DOMAIN, metadata);
        details.add_bad_request_violation("order_lines[3].unit_price", "must be so");
        details.set_precondition_failure(vec![PreconditionViolation::new("NOT_STUCK", "sagas/7", "it is not stuck")]);
        details.set_retry_info(Some(Duration::from_millis(1_200)));
        let status = Status::with_error_details(Code::FailedPrecondition, "refused", details);
        let problem = Problem::from_status(&status, true);
        assert_eq!(
            read(&problem),
            json!({
                "type": "tag:baton.dev,2026:problem/ACTION_REFUSED", "title": "Bad Request", "status": 400,
                "detail": "refused", "code": "FAILED_PRECONDITION", "reason": "ACTION_REFUSED", "domain": "baton.dev",
                "metadata": { "rule": "NOT_STUCK" },
                "violations": [{ "field": "orderLines[3].unitPrice", "reason": "", "description": "must be so" }],
                "preconditions": [{ "type": "NOT_STUCK", "subject": "sagas/7", "description": "it is not stuck" }],
            })
        );
        assert_eq!(problem.headers, [(header::RETRY_AFTER, HeaderValue::from(2u64))]);
    }

    #[test]
    fn a_stale_version_is_412_only_for_who_named_one() {
        let details = ErrorDetails::with_error_info("VERSION_MISMATCH", DOMAIN, std::collections::HashMap::new());
        let status = Status::with_error_details(Code::Aborted, "at version 8", details);
        assert_eq!(Problem::from_status(&status, true).status, 412);
        assert_eq!(Problem::from_status(&status, false).status, 409);
    }

    #[test]
    fn every_code_has_a_status_and_a_title() {
        for code in (0..=16).map(Code::from_i32) {
            let problem = Problem::from_status(&Status::new(code, "x"), false);
            assert!(!problem.title.is_empty() && problem.reason == code_name(code), "{code:?}");
        }
        for reason in HttpReason::ALL {
            assert!(Problem::new(reason, "x").status >= 400, "{reason:?}");
        }
    }
}
