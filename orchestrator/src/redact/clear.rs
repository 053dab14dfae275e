//! Takes out of a message what is secret or personal.

use prost_reflect::{DynamicMessage, FieldDescriptor, MapKey, MessageDescriptor, Value};
use std::collections::HashSet;

/// Where something was taken out: a path through a message's JSON.
pub(super) enum Hole {
    Here(String),
    Field(String, Vec<Hole>),
    Element(String, usize, Vec<Hole>),
    Entry(String, String, Vec<Hole>),
}

/// Clears every declared field at any depth, so that nothing that comes after can show it.
pub(super) fn clear(message: &mut DynamicMessage, declared: &HashSet<String>) -> Vec<Hole> {
    let present: Vec<FieldDescriptor> = message.fields().map(|(field, _)| field).collect();
    let mut holes = Vec::new();
    for field in present {
        let key = field.json_name().to_owned();
        if declared.contains(field.full_name()) || is_undeclared(field.kind().as_message()) {
            message.clear_field(&field);
            holes.push(Hole::Here(key));
            continue;
        }
        match message.get_field_mut(&field) {
            Value::Message(inner) => holes.push(Hole::Field(key, clear(inner, declared))),
            Value::List(elements) => {
                for (at, element) in elements.iter_mut().enumerate() {
                    if let Value::Message(inner) = element {
                        holes.push(Hole::Element(key.clone(), at, clear(inner, declared)));
                    }
                }
            }
            Value::Map(entries) => {
                for (name, entry) in entries.iter_mut() {
                    if let Value::Message(inner) = entry {
                        holes.push(Hole::Entry(key.clone(), map_key(name), clear(inner, declared)));
                    }
                }
            }
            _ => {}
        }
    }
    holes
}

/// Messages that hold whatever somebody put in: no declaration says what of it may be shown.
fn is_undeclared(message: Option<&MessageDescriptor>) -> bool {
    const NAMES: [&str; 4] =
        ["google.protobuf.Any", "google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue"];
    message.is_some_and(|message| NAMES.contains(&message.full_name()))
}

fn map_key(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.clone(),
    }
}
