//! What a service answered instead of an answer, as a page tells it: the reason, the sentence, the fields at fault.

use crate::page::text::{Text, words};
use axum::http::StatusCode;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// Why there is nothing to show, or why an act was not done.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// The code, as a program branches on it.
    pub code: Code,
    /// UPPER_SNAKE; the code's name if the service gave none.
    pub reason: String,
    /// For people.
    pub sentence: Text,
    /// The fields at fault, each with what it takes.
    fields: Vec<(String, String)>,
    /// What the service said beside the reason.
    metadata: Vec<(String, String)>,
}

impl Trouble {
    /// A trouble of this page's own, about one field.
    #[must_use]
    pub fn field(path: &str, reason: &str, sentence: String) -> Self {
        let fields = vec![(path.to_owned(), sentence.clone())];
        Self {
            code: Code::InvalidArgument,
            reason: reason.to_owned(),
            sentence: words(format!("{path}: {sentence}")),
            fields,
            metadata: Vec::new(),
        }
    }

    /// Nothing was heard in time.
    #[must_use]
    pub fn late() -> Self {
        let status = Status::deadline_exceeded("no answer in time; whether anything was done is not known");
        Self { reason: "DEADLINE_EXCEEDED".to_owned(), ..Self::from(status) }
    }

    /// The status of the page that tells it.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.code {
            Code::InvalidArgument | Code::OutOfRange => StatusCode::BAD_REQUEST,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::AlreadyExists | Code::Aborted | Code::FailedPrecondition => StatusCode::CONFLICT,
            Code::PermissionDenied => StatusCode::FORBIDDEN,
            Code::Unauthenticated => StatusCode::UNAUTHORIZED,
            Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
            Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// True if this build does not serve it at all.
    #[must_use]
    pub fn not_served(&self) -> bool {
        self.code == Code::Unimplemented
    }

    /// True if it is unknown whether the act was carried out, or it was not for a passing reason: then the very same request
    /// may be repeated.
    #[must_use]
    pub fn repeatable(&self) -> bool {
        matches!(self.code, Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Unknown)
    }

    /// What is wrong with a field, if something is.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == path).map(|(_, flaw)| flaw.as_str())
    }

    /// The same, or nothing.
    #[must_use]
    pub fn flaw(&self, path: &str) -> &str {
        self.at(path).unwrap_or_default()
    }

    /// What the service said under a key.
    #[must_use]
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

impl From<Status> for Trouble {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info().cloned();
        let fields = details
            .bad_request()
            .map(|bad| bad.field_violations.iter().map(|it| (it.field.clone(), it.description.clone())).collect());
        Self {
            code: status.code(),
            reason: info.as_ref().map_or_else(|| name(status.code()).to_owned(), |info| info.reason.clone()),
            sentence: words(status.message()),
            fields: fields.unwrap_or_default(),
            metadata: info.map(|info| info.metadata.into_iter().collect()).unwrap_or_default(),
        }
    }
}

fn name(code: Code) -> &'static str {
    match code {
        Code::Unimplemented => "NOT_SERVED",
        Code::Unavailable => "UNAVAILABLE",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::NotFound => "NOT_FOUND",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        _ => "INTERNAL",
    }
}
