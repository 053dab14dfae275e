//! Messages and enums as JSON schemas, each once, under its short name.

use crate::http::openapi::comment;
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Which way a message goes: answers have every field, requests may leave fields out and name no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the server.
    Asked,
    /// From the server.
    Answered,
}

/// The schemas that were asked for, and those they refer to.
#[derive(Debug, Default)]
pub struct Schemas {
    made: BTreeMap<String, Value>,
    // Full names of what requests hold. What goes both ways is described as requests have it, which is true of answers, too.
    asked: BTreeSet<String>,
}

impl Schemas {
    /// None yet; `requests` are all the messages that requests are read into.
    pub fn new(requests: impl Iterator<Item = MessageDescriptor>) -> Self {
        let mut schemas = Self::default();
        let mut left: Vec<MessageDescriptor> = requests.collect();
        while let Some(message) = left.pop() {
            if schemas.asked.insert(message.full_name().to_owned()) {
                left.extend(message.fields().filter_map(|field| field.kind().as_message().cloned()));
            }
        }
        schemas
    }

    /// All of them, with that of a problem.
    #[must_use]
    pub fn done(self, problem: Value) -> Value {
        let made = self.made.into_iter().chain([("Problem".to_owned(), problem)]);
        Value::Object(made.collect::<Map<_, _>>())
    }

    /// A reference to a message; `without` is a field that comes in another part of the request.
    pub fn message(&mut self, message: &MessageDescriptor, way: Way, without: &str) -> Value {
        let name = message.name().to_owned();
        let way = if self.asked.contains(message.full_name()) { Way::Asked } else { way };
        if !self.made.contains_key(&name) {
            // Put there first: messages may hold themselves.
            self.made.insert(name.clone(), Value::Null);
            let schema = self.object(message, way, without);
            self.made.insert(name.clone(), schema);
        }
        reference(&name)
    }

    fn object(&mut self, message: &MessageDescriptor, way: Way, without: &str) -> Value {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for field in message.fields().filter(|field| field.name() != without) {
            let mut schema = self.field(&field, way);
            if is_required(message, &field, way) {
                required.push(field.json_name().to_owned());
                if way == Way::Asked {
                    not_empty(&mut schema, &field);
                }
            }
            properties.insert(field.json_name().to_owned(), schema);
        }
        let mut schema = json!({
            "type": "object",
            "description": comment::of(&message.parent_file(), message.path()),
            "properties": properties,
        });
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        if way == Way::Asked {
            schema["additionalProperties"] = false.into();
        }
        schema
    }

    /// The schema of one field with what the .proto file says of it.
    pub fn field(&mut self, field: &FieldDescriptor, way: Way) -> Value {
        let one = self.kind(&field.kind(), way);
        let mut schema = if field.is_list() { json!({ "type": "array", "items": one }) } else { one };
        let about = comment::of(&field.parent_file(), field.path());
        if !about.is_empty() {
            schema["description"] = about.into();
        }
        if field.name() == "page_size" {
            schema["minimum"] = 0.into();
        }
        schema
    }

    fn kind(&mut self, kind: &Kind, way: Way) -> Value {
        match kind {
            Kind::String => json!({ "type": "string" }),
            Kind::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::Double => json!({ "type": "number", "format": "double" }),
            Kind::Float => json!({ "type": "number", "format": "float" }),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
                json!({ "type": "integer", "format": "int32", "minimum": i32::MIN, "maximum": i32::MAX })
            }
            Kind::Uint32 | Kind::Fixed32 => {
                json!({ "type": "integer", "format": "int64", "minimum": 0, "maximum": u32::MAX })
            }
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                json!({ "type": "string", "format": "int64", "pattern": "^-?[0-9]{1,19}$" })
            }
            Kind::Uint64 | Kind::Fixed64 => {
                json!({ "type": "string", "format": "uint64", "pattern": "^[0-9]{1,20}$" })
            }
            Kind::Enum(values) => self.values(values),
            Kind::Message(message) => match message.full_name() {
                "google.protobuf.Timestamp" => json!({ "type": "string", "format": "date-time" }),
                "google.protobuf.Duration" => {
                    json!({ "type": "string", "pattern": r"^-?[0-9]{1,12}(\.[0-9]{1,9})?s$", "examples": ["1.5s"] })
                }
                _ => self.message(message, way, ""),
            },
        }
    }

    fn values(&mut self, values: &EnumDescriptor) -> Value {
        let name = values.name().to_owned();
        let file = values.parent_file();
        let about = comment::of(&file, values.path());
        let lines = values.values().map(|value| {
            let said = comment::of(&file, value.path());
            format!("- `{}`: {said}", value.name())
        });
        let lines = std::iter::once(format!("{about}\n")).chain(lines).collect::<Vec<_>>().join("\n");
        let names: Vec<String> = values.values().map(|value| value.name().to_owned()).collect();
        self.made
            .entry(name.clone())
            .or_insert_with(|| json!({ "type": "string", "description": lines, "enum": names }));
        reference(&name)
    }
}

/// Answers have every field that is no message. Of requests the .proto files say it in words; a request id may come in a header.
fn is_required(message: &MessageDescriptor, field: &FieldDescriptor, way: Way) -> bool {
    match way {
        Way::Answered => !field.supports_presence(),
        Way::Asked => {
            let about = comment::of(&message.parent_file(), field.path());
            message.name().ends_with("Request") && about.contains("Required") && field.name() != "request_id"
        }
    }
}

/// An empty text or list counts as a field that was left out.
fn not_empty(schema: &mut Value, field: &FieldDescriptor) {
    if field.is_list() {
        schema["minItems"] = 1.into();
    } else if field.kind() == Kind::String {
        schema["minLength"] = 1.into();
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}
