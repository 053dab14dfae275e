//! Encoded messages as JSON for people: decoded by their descriptors, and what a field's declaration says is secret or
//! personal (`baton.annotations.v1.sensitive`) taken out.

mod clear;

use baton_rpc::descriptors::Descriptors;
use clear::{Hole, clear};
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor};
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::sync::Arc;

/// Stands where something was taken out.
pub const REDACTED: &str = "[redacted]";

/// The option that says so.
const SENSITIVE: &str = "baton.annotations.v1.sensitive";

/// Longest JSON text that is shown, bytes; what is longer is cut and says so.
pub const MAX_JSON: usize = 16 * 1024;

/// Shows messages of the types that an installation knows. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Redactor {
    pool: DescriptorPool,
    /// Full names of fields that are taken out.
    declared: Arc<HashSet<String>>,
}

impl Redactor {
    /// For the messages of these descriptors.
    #[must_use]
    pub fn new(descriptors: &Descriptors) -> Self {
        let pool = descriptors.pool().clone();
        let fields = pool.all_messages().flat_map(|message| message.fields().collect::<Vec<_>>());
        let declared = fields.filter(is_declared).map(|field| field.full_name().to_owned()).collect();
        Self { pool, declared: Arc::new(declared) }
    }

    /// Full names of all fields that are taken out.
    #[must_use]
    pub fn declared(&self) -> Vec<String> {
        let mut names: Vec<String> = self.declared.iter().cloned().collect();
        names.sort();
        names
    }

    /// The message of type `name` encoded in `bytes` as proto3 JSON without what is secret or personal; `None` if the type is
    /// not known or the bytes do not decode. Fields that the type does not have are left out.
    #[must_use]
    pub fn value(&self, name: &str, bytes: &[u8]) -> Option<Value> {
        let descriptor = self.pool.get_message_by_name(name)?;
        let mut message = DynamicMessage::decode(descriptor, bytes).ok()?;
        let holes = clear(&mut message, &self.declared);
        let mut value = serde_json::to_value(&message).ok()?;
        mark(&mut value, &holes);
        Some(value)
    }

    /// The same as indented text of at most [`MAX_JSON`] bytes and a note.
    #[must_use]
    pub fn text(&self, name: &str, bytes: &[u8]) -> Option<String> {
        self.value(name, bytes).map(|value| bounded(&value))
    }
}

fn is_declared(field: &FieldDescriptor) -> bool {
    let Some(sensitive) = field.parent_pool().get_extension_by_name(SENSITIVE) else { return false };
    field.options().get_extension(&sensitive).as_bool() == Some(true)
}

/// Indented text of at most [`MAX_JSON`] bytes, and below it a note if that is not all.
#[must_use]
pub fn bounded(value: &Value) -> String {
    // A value's keys are texts, so that it always encodes.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    let whole = text.len();
    if whole > MAX_JSON {
        text.truncate(text.floor_char_boundary(MAX_JSON));
        text.push_str(&format!("\n… cut here: the first {} of {whole} bytes", text.len()));
    }
    text
}

fn mark(value: &mut Value, holes: &[Hole]) {
    let Value::Object(fields) = value else { return };
    for hole in holes {
        match hole {
            Hole::Here(key) => {
                fields.insert(key.clone(), Value::from(REDACTED));
            }
            Hole::Field(key, inner) => mark_at(fields, key, inner, |found| Some(found)),
            Hole::Element(key, at, inner) => mark_at(fields, key, inner, |found| found.get_mut(*at)),
            Hole::Entry(key, name, inner) => mark_at(fields, key, inner, |found| found.get_mut(name.as_str())),
        }
    }
}

fn mark_at(
    fields: &mut Map<String, Value>,
    key: &str,
    holes: &[Hole],
    within: impl FnOnce(&mut Value) -> Option<&mut Value>,
) {
    if let Some(found) = fields.get_mut(key).and_then(within) {
        mark(found, holes);
    }
}
