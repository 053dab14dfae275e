//! Fields of a call's message that the path and the headers of a request hold.

use crate::http::preconditions::{idempotency_key, if_match, last_event_id};
use crate::http::problem::{Problem, Violation};
use crate::http::reason::HttpReason;
use crate::http::table::takes_version;
use http::HeaderMap;
use prost_reflect::{DynamicMessage, MessageDescriptor, ReflectMessage as _, Value};

/// Fields that come in headers. True if one of them is a condition.
pub(super) fn set_headers(
    input: &MessageDescriptor,
    headers: &HeaderMap,
    message: &mut DynamicMessage,
) -> Result<bool, Problem> {
    if let Some(key) = idempotency_key(headers)?
        && input.get_field_by_name("request_id").is_some()
    {
        set_text(message, "request_id", key, "Idempotency-Key")?;
    }
    if let Some(seen) = last_event_id(headers)?
        && input.get_field_by_name("after_version").is_some()
    {
        // A browser that takes a stream up again repeats the address it began with; the header is the newer of the two.
        message.set_field_by_name("after_version", Value::U64(seen));
    }
    let Some(version) = if_match(headers)? else { return Ok(false) };
    if !takes_version(input) {
        let detail = "this call checks no version; leave If-Match out";
        return Err(Problem::new(HttpReason::PreconditionUnsupported, detail));
    }
    if version > 0 {
        set(message, "version", Value::U64(version), "If-Match")?;
    }
    Ok(true)
}

/// Sets a text that another part of the request may hold, too, but not differently.
pub(super) fn set_text(message: &mut DynamicMessage, name: &str, text: String, from: &str) -> Result<(), Problem> {
    set(message, name, Value::String(text), from)
}

fn set(message: &mut DynamicMessage, name: &str, value: Value, from: &str) -> Result<(), Problem> {
    if let Some(given) = message.get_field_by_name(name)
        && message.has_field_by_name(name)
        && *given != value
    {
        let field = message.descriptor().get_field_by_name(name);
        let json = field.map_or_else(|| name.to_owned(), |field| field.json_name().to_owned());
        let description = format!("says something else than {from}");
        return Err(Problem::fields(vec![Violation::new(json, HttpReason::FieldConflict, description)]));
    }
    message.set_field_by_name(name, value);
    Ok(())
}
