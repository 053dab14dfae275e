//! Encoded messages as JSON for people: decoded by their descriptors, and what a field's declaration says is secret or
//! personal (`baton.annotations.v1.sensitive`) taken out.

use baton_proto::DESCRIPTORS;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, MapKey, MessageDescriptor, Value as Field};
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::sync::LazyLock;

/// Stands where something was taken out.
pub const REDACTED: &str = "[redacted]";

/// The option that says so.
const SENSITIVE: &str = "baton.annotations.v1.sensitive";

/// Longest JSON text that is shown, bytes; what is longer is cut and says so.
pub const MAX_JSON: usize = 16 * 1024;

/// What is known of the messages of this build.
struct Known {
    pool: DescriptorPool,
    /// Full names of fields that are taken out.
    declared: HashSet<String>,
}

// The descriptors were encoded by this build; a build in which they do not decode knows no message and shows none.
static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap_or_default();
    let fields = pool.all_messages().flat_map(|message| message.fields().collect::<Vec<_>>());
    let declared = fields.filter(is_declared).map(|field| field.full_name().to_owned()).collect();
    Known { pool, declared }
});

fn is_declared(field: &FieldDescriptor) -> bool {
    let Some(sensitive) = field.parent_pool().get_extension_by_name(SENSITIVE) else { return false };
    field.options().get_extension(&sensitive).as_bool() == Some(true)
}

/// Full names of all fields that are taken out.
#[must_use]
pub fn declared() -> Vec<String> {
    let mut names: Vec<String> = KNOWN.declared.iter().cloned().collect();
    names.sort();
    names
}

/// The message of type `name` encoded in `bytes` as proto3 JSON without what is secret or personal; `None` if this build
/// does not know the type or the bytes do not decode. Fields that the type does not have are left out.
#[must_use]
pub fn value(name: &str, bytes: &[u8]) -> Option<Value> {
    let descriptor = KNOWN.pool.get_message_by_name(name)?;
    let mut message = DynamicMessage::decode(descriptor, bytes).ok()?;
    let holes = take_out(&mut message);
    let mut value = serde_json::to_value(&message).ok()?;
    mark(&mut value, &holes);
    Some(value)
}

/// The same as indented text of at most [`MAX_JSON`] bytes and a note.
#[must_use]
pub fn text(name: &str, bytes: &[u8]) -> Option<String> {
    value(name, bytes).map(|value| bounded(&value))
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

/// Where something was taken out: a path through a message's JSON.
enum Hole {
    Here(String),
    Field(String, Vec<Hole>),
    Element(String, usize, Vec<Hole>),
    Entry(String, String, Vec<Hole>),
}

/// Clears every declared field at any depth, so that nothing that comes after can show it.
fn take_out(message: &mut DynamicMessage) -> Vec<Hole> {
    let present: Vec<FieldDescriptor> = message.fields().map(|(field, _)| field).collect();
    let mut holes = Vec::new();
    for field in present {
        let key = field.json_name().to_owned();
        if KNOWN.declared.contains(field.full_name()) || is_undeclared(field.kind().as_message()) {
            message.clear_field(&field);
            holes.push(Hole::Here(key));
            continue;
        }
        match message.get_field_mut(&field) {
            Field::Message(inner) => holes.push(Hole::Field(key, take_out(inner))),
            Field::List(elements) => {
                for (at, element) in elements.iter_mut().enumerate() {
                    if let Field::Message(inner) = element {
                        holes.push(Hole::Element(key.clone(), at, take_out(inner)));
                    }
                }
            }
            Field::Map(entries) => {
                for (name, entry) in entries.iter_mut() {
                    if let Field::Message(inner) = entry {
                        holes.push(Hole::Entry(key.clone(), map_key(name), take_out(inner)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use baton_proto::baton::participant::v1::{Rejected, Reply, ReplyBatch, reply};
    use baton_proto::shop::order::v1::{ListOrdersResponse, OpenOrder, Order, OrderLine};
    use prost::Message as _;

    const CANARY: &str = "canary-7f3a";

    #[test]
    fn declarations_reach_the_pool() {
        let declared = declared();
        for field in [
            "shop.order.v1.OrderSagaInput.customer_id",
            "shop.order.v1.OpenOrder.customer_id",
            "baton.participant.v1.Command.payload",
            "baton.participant.v1.Succeeded.output",
            "baton.participant.v1.Rejected.message",
        ] {
            assert!(declared.iter().any(|known| known == field), "{field} in {declared:?}");
        }
        assert!(!declared.iter().any(|field| field.contains("payment_id") || field.contains("order_number")));
    }

    #[test]
    fn what_is_declared_is_taken_out_at_any_depth_and_the_rest_stays() {
        let order = Order { name: "orders/1".into(), customer_id: CANARY.into(), ..Order::default() };
        let list = ListOrdersResponse { orders: vec![Order::default(), order], next_page_token: "next".into() };
        let text = text("shop.order.v1.ListOrdersResponse", &list.encode_to_vec()).expect("JSON");
        assert!(!text.contains(CANARY) && text.contains("orders/1") && text.contains("next"), "{text}");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["orders"][1]["customerId"], REDACTED);

        let outcome = reply::Outcome::Rejected(Rejected { reason: "NO".into(), message: CANARY.into() });
        let batch = ReplyBatch { replies: vec![Reply { outcome: Some(outcome), ..Reply::default() }] };
        let value = super::value("baton.participant.v1.ReplyBatch", &batch.encode_to_vec()).expect("JSON");
        assert_eq!(value["replies"][0]["rejected"]["message"], REDACTED);
        assert_eq!(value["replies"][0]["rejected"]["reason"], "NO");
    }

    /// Every declared field that holds a text or bytes, one after the other, wherever it stands.
    #[test]
    fn a_canary_in_any_declared_field_is_never_shown() {
        let fields = KNOWN.pool.all_messages().flat_map(|message| message.fields().collect::<Vec<_>>());
        let declared: Vec<FieldDescriptor> = fields.filter(is_declared).collect();
        assert!(declared.len() >= 9, "{declared:?}");
        for field in declared {
            let mut message = DynamicMessage::new(field.parent_message().clone());
            let canary = match field.kind() {
                prost_reflect::Kind::Bytes => Field::Bytes(CANARY.into()),
                _ => Field::String(CANARY.to_owned()),
            };
            message.set_field(&field, canary);
            let shown = text(field.parent_message().full_name(), &message.encode_to_vec()).expect("JSON");
            let encoded = "Y2FuYXJ5LTdmM2E=";
            assert!(!shown.contains(CANARY) && !shown.contains(encoded) && shown.contains(REDACTED), "{shown}");
        }
    }

    #[test]
    fn what_does_not_decode_is_not_guessed_and_what_is_long_is_cut() {
        assert_eq!(value("shop.order.v1.OpenOrder", &[0xff, 0xff]), None);
        assert_eq!(value("shop.order.v1.Nothing", &[]), None);
        let line = OrderLine { item_id: "é".repeat(32), quantity: 1, unit_price_minor_units: 1 };
        let open = OpenOrder { lines: vec![line; 400], ..OpenOrder::default() };
        let text = text("shop.order.v1.OpenOrder", &open.encode_to_vec()).expect("JSON");
        assert!(text.len() < MAX_JSON + 80 && text.contains("\n… cut here: the first 163"), "{}", text.len());
    }
}
