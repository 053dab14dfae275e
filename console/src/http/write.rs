//! Answers written: proto3 JSON with every field there, and the version as ETag.

use crate::http::preconditions::{is_known, tag};
use crate::http::problem::Problem;
use crate::http::route::{Answer, Route};
use crate::http::table::version;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, Method, StatusCode, header};
use prost_reflect::{DynamicMessage, SerializeOptions};
use serde::Serializer;
use tonic::Status;

/// The JSON of a message, here and on the command line: fields in their order, empty ones too, numbers of 64 bits as texts.
///
/// # Errors
/// If it holds what JSON cannot, a time outside of years 1 to 9999 for example: a defect of the service.
pub fn serialize<S: Serializer>(message: &DynamicMessage, serializer: S) -> Result<S::Ok, S::Error> {
    message.serialize_with_options(serializer, &SerializeOptions::new().skip_default_fields(false))
}

/// A message as JSON in one line.
///
/// # Errors
/// As [`serialize`].
pub fn json(message: &DynamicMessage) -> Result<String, Problem> {
    let mut text = Vec::with_capacity(256);
    let written = serialize(message, &mut serde_json::Serializer::new(&mut text));
    let whole = written.map_err(|error| error.to_string());
    whole.and_then(|()| String::from_utf8(text).map_err(|error| error.to_string())).map_err(|error| {
        tracing::error!(%error, "an answer that is no JSON");
        Problem::from_status(&Status::internal("the answer cannot be written as JSON"), false)
    })
}

/// The answer to a call; 304 if the caller knows this version already.
///
/// # Errors
/// As [`json`].
pub fn answer(route: &Route, message: &DynamicMessage, asked: &HeaderMap) -> Result<Response, Problem> {
    let tag = if route.answer == Answer::Tagged { version(message).map(tag) } else { None };
    let known = route.method == Method::GET && tag.as_ref().is_some_and(|tag| is_known(asked, tag));
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, "application/json")], json(message)?).into_response()
    };
    if let Some(tag) = tag.and_then(|tag| tag.parse().ok()) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}
