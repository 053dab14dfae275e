//! A request read: path, query, headers and body become the message that the call takes, or a problem that says what is wrong.

use crate::http::fields::{set_headers, set_text};
use crate::http::problem::{Problem, Violation};
use crate::http::reason::HttpReason;
use crate::http::route::Route;
use crate::http::shape;
use crate::http::strict::Strict;
use axum::body::{Body, HttpBody as _};
use axum::extract::Query;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Uri, header};
use http_body_util::BodyExt as _;
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor};
use serde_json::{Map, Value};
use std::time::Duration;

/// Longest body: what a message between processes may be, too.
pub const MAX_BODY: usize = 256 * 1024;
/// A body that is somewhat too large is read to its end, and thrown away: a caller who is still sending when the connection
/// closes may never hear why.
const MAX_READ: usize = 4 * MAX_BODY;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What a request asks for.
#[derive(Clone, Debug)]
pub struct CallRequest {
    /// The call's message.
    pub message: DynamicMessage,
    /// True if the caller said in If-Match which version it is for.
    pub conditional: bool,
}

/// The body, whole.
///
/// # Errors
/// If it is too large, too slow, or breaks off.
pub async fn body(body: Body) -> Result<Bytes, Problem> {
    match tokio::time::timeout(BODY_TIMEOUT, collected(body)).await {
        Ok(read) => read,
        Err(_) => Err(unread(Problem::new(HttpReason::BodyTooSlow, "the body did not arrive in time"))),
    }
}

async fn collected(mut body: Body) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(HttpReason::BodyTooLarge, format!("a body has at most {MAX_BODY} bytes"));
    if body.size_hint().lower() > MAX_READ as u64 {
        return Err(unread(too_large()));
    }
    let (mut kept, mut length) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Err(Problem::new(HttpReason::BodyMalformed, "the body broke off")) };
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length > MAX_READ {
            return Err(unread(too_large()));
        }
        if length <= MAX_BODY {
            kept.extend_from_slice(&data);
        }
    }
    if length > MAX_BODY { Err(too_large()) } else { Ok(kept.freeze()) }
}

/// A connection whose body was not read to its end carries no other request.
fn unread(problem: Problem) -> Problem {
    problem.with_header(header::CONNECTION, "close")
}

/// The message of a request; `name` is the resource name in its path.
///
/// # Errors
/// If a part of the request is not what the call takes; all flaws of the part are told.
pub fn read(route: &Route, name: String, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Result<CallRequest, Problem> {
    let input = route.call.input();
    let query = query(uri, if route.has_body { None } else { Some((&input, route.named())) })?;
    let value = if route.has_body { json(headers, body)? } else { Value::Object(query) };
    told(shape::flaws(&value, &input))?;
    let mut message = DynamicMessage::deserialize(input.clone(), value)
        .map_err(|error| Problem::new(HttpReason::BodyMalformed, format!("the body is not what is taken: {error}")))?;
    if !route.named().is_empty() {
        set_text(&mut message, route.named(), name, "the path")?;
    }
    let conditional = set_headers(&input, headers, &mut message)?;
    Ok(CallRequest { message, conditional })
}

fn told(flaws: Vec<Violation>) -> Result<(), Problem> {
    if flaws.is_empty() { Ok(()) } else { Err(Problem::fields(flaws)) }
}

/// The query as an object; `taken` is the message whose fields it may hold, without the one that the path names.
fn query(uri: &Uri, taken: Option<(&MessageDescriptor, &str)>) -> Result<Map<String, Value>, Problem> {
    let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
        return Err(Problem::new(HttpReason::FieldMalformed, "the query cannot be read"));
    };
    let fields = taken.map(|(input, named)| {
        let free = input.fields().filter(|field| field.name() != named && !field.is_list());
        free.filter(|field| !matches!(field.kind(), Kind::Message(_))).collect::<Vec<_>>()
    });
    let fields = fields.unwrap_or_default();
    let (mut object, mut flaws) = (Map::new(), Vec::new());
    for (name, text) in pairs {
        let Some(field) = fields.iter().find(|field| field.json_name() == name || field.name() == name) else {
            flaws.push(shape::unknown(&name, fields.iter().map(|field| field.json_name().to_owned())));
            continue;
        };
        let value = match (field.kind(), text.as_str()) {
            (Kind::Bool, "true") => Value::Bool(true),
            (Kind::Bool, "false") => Value::Bool(false),
            _ => Value::String(text),
        };
        if object.insert(field.json_name().to_owned(), value).is_some() {
            flaws.push(Violation::new(name, HttpReason::FieldConflict, "is given twice"));
        }
    }
    flaws.truncate(baton_rpc::errors::MAX_VIOLATIONS);
    told(flaws)?;
    Ok(object)
}

/// The body as JSON; none is an object without fields.
fn json(headers: &HeaderMap, body: &Bytes) -> Result<Value, Problem> {
    json_type(headers, body)?;
    let text: &[u8] = if body.is_empty() { b"{}" } else { body };
    let read = serde_json::from_slice::<Strict>(text);
    read.map(|Strict(value)| value)
        .map_err(|error| Problem::new(HttpReason::BodyMalformed, format!("the body is no JSON: {error}")))
}

/// A body must say that it is JSON: a form that another site sends cannot.
fn json_type(headers: &HeaderMap, body: &Bytes) -> Result<(), Problem> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if text(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(Problem::new(HttpReason::ContentTypeUnsupported, "a body is taken as it is, not compressed"));
    }
    let given = text(header::CONTENT_TYPE);
    let media = given.map(|given| given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    match media.as_deref() {
        Some("application/json") => Ok(()),
        None if body.is_empty() => Ok(()),
        _ => Err(Problem::new(HttpReason::ContentTypeUnsupported, "a body is application/json")
            .with_header(header::ACCEPT, "application/json")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::table::{Found, shipped};
    use http::Method;

    fn asked(method: &Method, target: &str, headers: &[(&str, &str)], body: &str) -> Result<Value, Problem> {
        let uri: Uri = target.parse().expect("a target");
        let table = shipped();
        let Found::Route(route, name) = table.find(method, uri.path()) else { panic!("{target}") };
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse::<http::HeaderName>().expect("a name"), value.parse().expect("a value")))
            .collect();
        let asked = read(route, name, &uri, &headers, &Bytes::from(body.to_owned()))?;
        Ok(serde_json::to_value(&asked.message).expect("JSON"))
    }

    fn refused(method: &Method, target: &str, headers: &[(&str, &str)], body: &str) -> String {
        asked(method, target, headers, body).expect_err(target).reason.clone()
    }

    const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

    #[test]
    fn every_part_finds_its_field() {
        let target = "/sagas?filter=state+%3D+stuck&pageSize=5&page_token=x&orderBy=create_time%20desc";
        assert_eq!(
            asked(&Method::GET, target, &[], "").expect("a request"),
            serde_json::json!({ "filter": "state = stuck", "pageSize": 5, "pageToken": "x", "orderBy": "create_time desc" })
        );
        let headers = [JSON, ("if-match", "\"7\""), ("idempotency-key", "k")];
        assert_eq!(
            asked(&Method::POST, "/sagas/7:act", &headers, r#"{"verb":"SAGA_VERB_RETRY","version":"7"}"#)
                .expect("a request"),
            serde_json::json!({ "name": "sagas/7", "verb": "SAGA_VERB_RETRY", "version": "7", "requestId": "k" })
        );
        let again = [("last-event-id", "9")];
        assert_eq!(
            asked(&Method::GET, "/sagas/7:watch?afterVersion=3", &again, "").expect("a request"),
            serde_json::json!({ "name": "sagas/7", "afterVersion": "9" })
        );
    }

    #[test]
    fn each_flaw_has_its_reason() {
        let (get, post) = (&Method::GET, &Method::POST);
        for (method, target, headers, body, reason) in [
            (get, "/sagas?state=x", &[][..], "", "FIELD_UNKNOWN"),
            (get, "/sagas?pageSize=x", &[], "", "FIELD_MALFORMED"),
            (get, "/sagas?pageSize=1&page_size=1", &[], "", "FIELD_CONFLICT"),
            (get, "/sagas/7?name=sagas/8", &[], "", "FIELD_UNKNOWN"),
            (get, "/sagas/7", &[("if-match", "\"7\"")], "", "PRECONDITION_UNSUPPORTED"),
            (post, "/sagas/7:act", &[], "{}", "CONTENT_TYPE_UNSUPPORTED"),
            (post, "/sagas/7:act", &[("content-type", "text/plain")], "", "CONTENT_TYPE_UNSUPPORTED"),
            (post, "/sagas/7:act", &[JSON, ("content-encoding", "gzip")], "{}", "CONTENT_TYPE_UNSUPPORTED"),
            (post, "/sagas/7:act?verb=x", &[JSON], "{}", "FIELD_UNKNOWN"),
            (post, "/sagas/7:act", &[JSON], "{", "BODY_MALFORMED"),
            (post, "/sagas/7:act", &[JSON], "[]", "FIELD_MALFORMED"),
            (post, "/sagas/7:act", &[JSON], r#"{"reason":"a","reason":"b"}"#, "BODY_MALFORMED"),
            (post, "/sagas/7:act", &[JSON], r#"{"name":"sagas/8"}"#, "FIELD_CONFLICT"),
            (post, "/sagas/7:act", &[JSON, ("if-match", "\"7\"")], r#"{"version":8}"#, "FIELD_CONFLICT"),
            (post, "/sagas/7:act", &[JSON, ("idempotency-key", "a")], r#"{"requestId":"b"}"#, "FIELD_CONFLICT"),
            (post, "/sagas/7:act", &[JSON, ("if-match", "7")], "{}", "HEADER_MALFORMED"),
        ] {
            assert_eq!(refused(method, target, headers, body), reason, "{target} {body}");
        }
    }

    #[tokio::test]
    async fn a_body_has_a_bound() {
        assert_eq!(body(Body::from(vec![b' '; MAX_BODY])).await.expect("all of it").len(), MAX_BODY);
        assert_eq!(body(Body::from(vec![b' '; MAX_BODY + 1])).await.expect_err("too large").status, 413);
        let pieces = futures_util::stream::repeat_with(|| Ok::<_, std::convert::Infallible>(vec![b' '; 1024]));
        let refused = body(Body::from_stream(pieces)).await.expect_err("of unknown length, and without end");
        assert_eq!((refused.status, refused.headers[0].1.as_bytes()), (413, &b"close"[..]));
    }
}
