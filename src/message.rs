//! Messages of the services by their descriptors: as the JSON that HTTP prints, and as cells of a table.

use crate::failure::Failure;
use baton_console::http::write;
use baton_query::escape::named;
use baton_rpc::descriptors::Descriptors;
use baton_shop::descriptors::descriptors;
use prost::{Message, Name};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value};
use std::sync::LazyLock;

static DESCRIPTORS: LazyLock<Descriptors> = LazyLock::new(descriptors);

/// The same message, with its descriptor.
///
/// # Errors
/// If this build has no such message: a defect.
pub fn dynamic<M: Message + Name>(message: &M) -> Result<DynamicMessage, Failure> {
    decoded::<M>(|empty| empty.merge(message.encode_to_vec().as_slice()).map_err(|error| error.to_string()))
}

/// The message that proto3 JSON stands for.
///
/// # Errors
/// Where the text is not that message.
pub fn from_json<M: Message + Name + Default>(text: &str) -> Result<M, Failure> {
    let message = decoded::<M>(|empty| {
        let mut json = serde_json::Deserializer::from_str(text);
        *empty = DynamicMessage::deserialize(empty.descriptor(), &mut json).map_err(|error| error.to_string())?;
        json.end().map_err(|error| error.to_string())
    });
    message?.transcode_to().map_err(|error| Failure::Other(error.to_string()))
}

fn decoded<M: Name>(fill: impl FnOnce(&mut DynamicMessage) -> Result<(), String>) -> Result<DynamicMessage, Failure> {
    let name = M::full_name();
    let descriptor = DESCRIPTORS.pool().get_message_by_name(&name);
    let descriptor = descriptor.ok_or_else(|| Failure::Other(format!("this build has no {name}")))?;
    let mut message = DynamicMessage::new(descriptor);
    fill(&mut message).map_err(Failure::Other)?;
    Ok(message)
}

/// A message as indented JSON, or in one line.
///
/// # Errors
/// If it holds what JSON cannot.
pub fn json(message: &DynamicMessage, indented: bool) -> Result<String, Failure> {
    let mut text = Vec::new();
    let written = match indented {
        true => write::serialize(message, &mut serde_json::Serializer::pretty(&mut text)),
        false => write::serialize(message, &mut serde_json::Serializer::new(&mut text)),
    };
    written.map_err(|error| Failure::Other(error.to_string()))?;
    String::from_utf8(text).map_err(|error| Failure::Other(error.to_string()))
}

/// A field of a message as one cell; empty if it is absent, or unknown.
#[must_use]
pub fn field(message: &DynamicMessage, json_name: &str) -> String {
    match message.descriptor().get_field_by_json_name(json_name) {
        Some(field) => cell(message, &field),
        None => String::new(),
    }
}

/// Likewise, for a field that the message has.
#[must_use]
pub fn cell(message: &DynamicMessage, field: &FieldDescriptor) -> String {
    let is_absent = field.supports_presence() && !message.has_field(field);
    if is_absent { String::new() } else { shown(&message.get_field(field), &field.kind()) }
}

/// It is laid out as it is shown, or the table would be out of shape.
fn shown(value: &Value, kind: &Kind) -> String {
    match value {
        Value::String(text) => named(text).into_owned(),
        Value::EnumNumber(number) => enumerated(*number, kind),
        Value::List(values) => values.iter().map(|value| shown(value, kind)).collect::<Vec<_>>().join(", "),
        Value::Message(message) if message.descriptor().package_name() == "google.protobuf" => {
            let text = serde_json::to_value(message).ok();
            text.and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
        }
        Value::Message(message) => {
            message.fields().map(|(field, value)| shown(value, &field.kind())).collect::<Vec<_>>().join(" ")
        }
        Value::Map(entries) => entries.values().map(|value| format!("{value:?}")).collect::<Vec<_>>().join(", "),
        Value::Bytes(bytes) => format!("{} bytes", bytes.len()),
        Value::Bool(value) => value.to_string(),
        Value::I32(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        Value::U32(value) => value.to_string(),
        Value::U64(value) => value.to_string(),
        Value::F32(value) => value.to_string(),
        Value::F64(value) => value.to_string(),
    }
}

/// The name of a value without what it has of its type's, or the bare number of one that this build does not know.
fn enumerated(number: i32, kind: &Kind) -> String {
    let Kind::Enum(values) = kind else { return number.to_string() };
    let prefix = values.get_value(0).map(|first| first.name().trim_end_matches("UNSPECIFIED").to_owned());
    match (values.get_value(number), prefix) {
        (Some(value), Some(prefix)) => value.name().trim_start_matches(prefix.as_str()).to_owned(),
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use baton_proto::baton::saga::v1::{Definition, DefinitionStep, GetSagaResponse, Saga, SagaState};
    use prost_types::Timestamp;

    #[test]
    fn json_goes_there_and_back() {
        let step = DefinitionStep { step: "a.do".to_owned(), kind: 2, ..Default::default() };
        let definition =
            Definition { name: "definitions/a/versions/1".to_owned(), steps: vec![step], ..Default::default() };
        let text = json(&dynamic(&definition).expect("known"), true).expect("JSON");
        assert_eq!(from_json::<Definition>(&text).expect("a message"), definition);
        let flaw = from_json::<Definition>("{\"nmae\": 1}").expect_err("no such field").to_string();
        assert!(flaw.contains("nmae") && flaw.contains("line 1"), "{flaw}");
    }

    #[test]
    fn json_is_that_of_http_and_cells_are_short() {
        let create_time = Some(Timestamp { seconds: 1_700_000_000, nanos: 5_000_000 });
        let saga = Saga { state: SagaState::Completed.into(), version: 7, create_time, ..Saga::default() };
        let answer = dynamic(&GetSagaResponse { saga: Some(saga.clone()) }).expect("known");
        let text = json(&answer, false).expect("JSON");
        for part in ["{\"saga\":{\"name\":\"\"", "\"state\":\"SAGA_STATE_COMPLETED\"", "\"version\":\"7\""] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        let saga = dynamic(&saga).expect("known");
        let cells = ["state", "version", "createTime", "wakeTime", "nonsense"].map(|name| field(&saga, name));
        assert_eq!(cells, ["COMPLETED", "7", "2023-11-14T22:13:20.005Z", "", ""]);
        let newer = dynamic(&Saga { state: 99, ..Saga::default() }).expect("known");
        assert_eq!(field(&newer, "state"), "99");
    }
}
