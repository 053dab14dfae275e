//! Request bodies: JSON objects or forms, read into one shape and checked field by field.

use crate::amount::Decimal;
use crate::envelope::Refusal;
use axum::body::Bytes;
use axum::extract::{Form, FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

/// Longest id accepted, in bytes: what the ledger's columns hold.
pub const ID_MAX: usize = 64;

/// Longest free text accepted, in bytes.
pub const TEXT_MAX: usize = 512;

/// The fields of a request. Unknown ones are ignored, as the real API does.
#[derive(Clone, Debug)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// The fields of a JSON body, which must be an object.
    pub fn from_value(value: Value) -> Result<Self, Refusal> {
        match value {
            Value::Object(map) => Ok(Self(map)),
            _ => Err(Refusal::bad_request("an object is expected")),
        }
    }

    /// A text; absent, null and empty are the same.
    pub fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) if text.len() <= TEXT_MAX && !text.chars().any(char::is_control) => {
                Ok(Some(text.clone()))
            }
            Some(_) => Err(Refusal::bad_request(format!("{name}: a text of at most {TEXT_MAX} bytes is expected"))),
        }
    }

    /// An id; absent, null and empty are the same.
    pub fn id(&self, name: &str) -> Result<Option<String>, Refusal> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        if is_id(&text) {
            return Ok(Some(text));
        }
        Err(Refusal::bad_request(format!("{name}: at most {ID_MAX} visible ASCII characters are expected")))
    }

    /// An id that must be there.
    pub fn required_id(&self, name: &str) -> Result<String, Refusal> {
        self.id(name)?.ok_or_else(|| Refusal::bad_request(format!("{name} is missing")))
    }

    /// A non-negative amount in the API's notation.
    pub fn amount(&self, name: &str) -> Result<Option<Decimal>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => Decimal::from_json(value)
                .map(Some)
                .ok_or_else(|| Refusal::bad_request(format!("{name}: not an amount of at most 15 digits"))),
        }
    }
}

/// Whether a text can be an id of the ledger.
#[must_use]
pub fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= ID_MAX && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        if content_type.starts_with("application/x-www-form-urlencoded") {
            let Form(pairs) = Form::<Vec<(String, String)>>::from_request(request, state)
                .await
                .map_err(|_| Refusal::bad_request("the body is not a form, or too large").into_response())?;
            return Ok(Self(pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect()));
        }
        Self::from_value(json_body(request, state).await?).map_err(IntoResponse::into_response)
    }
}

/// Reads a JSON body within the route's size limit.
pub async fn json_body<S: Send + Sync>(request: Request, state: &S) -> Result<Value, Response> {
    let bytes = Bytes::from_request(request, state)
        .await
        .map_err(|_| Refusal::bad_request("the body is too large or broke off").into_response())?;
    serde_json::from_slice(&bytes).map_err(|_| Refusal::bad_request("the body is not JSON").into_response())
}
