//! Why HTTP itself refuses a request, before any service hears of it. docs/errors.md has the same table.

use http::StatusCode;

/// A reason, stable: programs may branch on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HttpReason {
    /// Nothing is at this path.
    PathUnknown,
    /// The path does not take this method; Allow has those it takes.
    MethodNotAllowed,
    /// The Host header names somebody else: a server on loopback answers to loopback only.
    HostRefused,
    /// A page of another site wants something changed.
    OriginRefused,
    /// The head of the request is longer than 16 KiB.
    HeadersTooLarge,
    /// The body is not application/json, or it is compressed.
    ContentTypeUnsupported,
    /// The body is longer than 256 KiB.
    BodyTooLarge,
    /// The body did not arrive within 10 s.
    BodyTooSlow,
    /// The body is no JSON object; the detail has line and column.
    BodyMalformed,
    /// The body has a field, or the query a parameter, that this call does not take.
    FieldUnknown,
    /// A value is not of its field's type.
    FieldMalformed,
    /// A value is given twice, and differently: in path, header, query or body.
    FieldConflict,
    /// If-Match, If-None-Match, Idempotency-Key or Last-Event-ID is not what this call takes.
    HeaderMalformed,
    /// If-Match was sent to a call that cannot check it.
    PreconditionUnsupported,
    /// As many calls, or streams, are open as may be. Retry.
    TooManyCalls,
}

impl HttpReason {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 15] = [
        Self::PathUnknown,
        Self::MethodNotAllowed,
        Self::HostRefused,
        Self::OriginRefused,
        Self::HeadersTooLarge,
        Self::ContentTypeUnsupported,
        Self::BodyTooLarge,
        Self::BodyTooSlow,
        Self::BodyMalformed,
        Self::FieldUnknown,
        Self::FieldMalformed,
        Self::FieldConflict,
        Self::HeaderMalformed,
        Self::PreconditionUnsupported,
        Self::TooManyCalls,
    ];

    /// UPPER_SNAKE.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PathUnknown => "PATH_UNKNOWN",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::HostRefused => "HOST_REFUSED",
            Self::OriginRefused => "ORIGIN_REFUSED",
            Self::HeadersTooLarge => "HEADERS_TOO_LARGE",
            Self::ContentTypeUnsupported => "CONTENT_TYPE_UNSUPPORTED",
            Self::BodyTooLarge => "BODY_TOO_LARGE",
            Self::BodyTooSlow => "BODY_TOO_SLOW",
            Self::BodyMalformed => "BODY_MALFORMED",
            Self::FieldUnknown => "FIELD_UNKNOWN",
            Self::FieldMalformed => "FIELD_MALFORMED",
            Self::FieldConflict => "FIELD_CONFLICT",
            Self::HeaderMalformed => "HEADER_MALFORMED",
            Self::PreconditionUnsupported => "PRECONDITION_UNSUPPORTED",
            Self::TooManyCalls => "TOO_MANY_CALLS",
        }
    }

    /// The status it comes with.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::PathUnknown => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::HostRefused | Self::OriginRefused => StatusCode::FORBIDDEN,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::ContentTypeUnsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::BodyMalformed
            | Self::FieldUnknown
            | Self::FieldMalformed
            | Self::FieldConflict
            | Self::HeaderMalformed
            | Self::PreconditionUnsupported => StatusCode::BAD_REQUEST,
            Self::TooManyCalls => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// One sentence for the documentation.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::PathUnknown => "Nothing is at this path.",
            Self::MethodNotAllowed => "The path does not take this method; Allow has those it takes.",
            Self::HostRefused => "The Host header names somebody else: a server on loopback answers to loopback only.",
            Self::OriginRefused => "A page of another site wants something changed.",
            Self::HeadersTooLarge => "The head of the request is longer than 16 KiB.",
            Self::ContentTypeUnsupported => "The body is not application/json, or it is compressed.",
            Self::BodyTooLarge => "The body is longer than 256 KiB.",
            Self::BodyTooSlow => "The body did not arrive within 10 s.",
            Self::BodyMalformed => "The body is no JSON object; the detail has line and column.",
            Self::FieldUnknown => "The body has a field, or the query a parameter, that this call does not take.",
            Self::FieldMalformed => "A value is not of its field's type.",
            Self::FieldConflict => "A value is given twice, and differently: in path, header, query or body.",
            Self::HeaderMalformed => {
                "If-Match, If-None-Match, Idempotency-Key or Last-Event-ID is not what this call takes."
            }
            Self::PreconditionUnsupported => "If-Match was sent to a call that cannot check it.",
            Self::TooManyCalls => "As many calls, or streams, are open as may be. Retry.",
        }
    }
}
