//! HTTP requests, as HTTP/JSON reads them into messages: what is read is written as JSON that is read as the same again, and a
//! refusal is the caller's fault, has a reason, and is not longer than it may be.

use crate::input::Input;
use baton_console::http::problem::Problem;
use baton_console::http::read::read;
use baton_console::http::route::Route;
use baton_console::http::shape;
use baton_console::http::table::{Found, Table};
use baton_rpc::errors::MAX_VIOLATIONS;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri};
use prost::Message as _;
use prost_reflect::DynamicMessage;
use serde_json::Value;
use std::sync::LazyLock;

static TABLE: LazyLock<Table> =
    LazyLock::new(|| Table::new(baton_shop::descriptors::descriptors().pool().clone()).expect("sound routes"));

/// A line each for method, target and the four headers that mean something; the rest is the body.
///
/// # Panics
/// If a law is broken.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let method = if input.until_zero() == b"POST" { Method::POST } else { Method::GET };
    let Ok(uri) = Uri::try_from(input.until_zero()) else { return };
    let mut headers = HeaderMap::new();
    for name in ["if-match", "idempotency-key", "last-event-id", "content-type"] {
        let value = input.until_zero();
        if let Some(value) = HeaderValue::from_bytes(value).ok().filter(|value| !value.is_empty()) {
            headers.insert(name, value);
        }
    }
    let path = uri.path();
    let Found::Route(route, name) = TABLE.find(&method, path) else { return };
    match read(route, name.clone(), &uri, &headers, &Bytes::copy_from_slice(input.rest())) {
        Ok(asked) => taken(route, &name, &asked.message),
        Err(problem) => refused(&problem),
    }
}

fn taken(route: &Route, name: &str, message: &DynamicMessage) {
    let input = route.call.input();
    if !route.named().is_empty() {
        let named = message.get_field_by_name(route.named()).expect("the field of the path");
        assert_eq!(named.as_str(), Some(name), "the path says what it is about");
    }
    let json = serde_json::to_value(message).expect("what was read can be written");
    assert!(shape::flaws(&json, &input).is_empty(), "what is written has the shape");
    let again = DynamicMessage::deserialize(input, json).expect("it can be read");
    // What is empty and what is left out are the same to everybody who hears of it.
    assert_eq!(again.encode_to_vec(), message.encode_to_vec(), "as the same");
}

fn refused(problem: &Problem) {
    assert!((400..500).contains(&problem.status), "the caller's fault");
    assert!(!problem.reason.is_empty() && !problem.detail.is_empty());
    assert!(problem.violations.len() <= MAX_VIOLATIONS);
    let json: Value = serde_json::from_str(&problem.json()).expect("JSON");
    assert_eq!(json["status"], problem.status);
}
