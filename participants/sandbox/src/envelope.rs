//! The envelope of every answer: `{"code": 0 | not 0, "message": null | text, "response": … }`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use baton_sql::error::SqlError;
use serde::Serialize;
use serde_json::{Value, json};

/// Why a call was not carried out. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The envelope's `code`, never 0.
    pub code: i32,
    /// For people.
    pub message: String,
}

impl Refusal {
    /// The request itself is wrong.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self { status: 400, code: 1, message: message.into() }
    }

    /// No token, or one that is not valid any more.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self { status: 401, code: -1, message: "Unauthorized".to_owned() }
    }

    /// Whoever asks may not.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self { status: 403, code: 1, message: message.into() }
    }

    /// No such payment.
    #[must_use]
    pub fn not_found() -> Self {
        Self { status: 404, code: 1, message: "no such payment".to_owned() }
    }

    /// The request is fine, the payment's state forbids it. As the real API does, with HTTP 200 and a code that is not 0.
    pub fn business(message: impl Into<String>) -> Self {
        Self { status: 200, code: 1, message: message.into() }
    }

    /// The content contradicts what is already recorded.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self { status: 409, code: 1, message: message.into() }
    }
}

impl From<SqlError> for Refusal {
    fn from(error: SqlError) -> Self {
        tracing::warn!(%error, "the sandbox provider's ledger failed");
        Self { status: 503, code: -1, message: "the ledger is not available".to_owned() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(json!({ "code": self.code, "message": self.message, "response": null }))).into_response()
    }
}

/// The envelope around what it only borrows: lists of payments are long.
#[derive(Serialize)]
struct Success<'a> {
    code: i32,
    message: Option<&'a str>,
    response: &'a Value,
}

/// A successful answer.
#[must_use]
pub fn success(response: &Value) -> Response {
    Json(Success { code: 0, message: None, response }).into_response()
}
