//! Whether JSON has the shape of a message, and if not, where: every flaw by its path, not only the first.

use crate::http::problem::Violation;
use crate::http::reason::HttpReason;
use baton_rpc::errors::MAX_VIOLATIONS;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What is wrong with `value` as a message; empty if it is one. At most 100 are told.
#[must_use]
pub fn flaws(value: &Value, message: &MessageDescriptor) -> Vec<Violation> {
    let mut found = Vec::new();
    object(value, message, "", &mut found);
    found
}

fn object(value: &Value, message: &MessageDescriptor, path: &str, found: &mut Vec<Violation>) {
    if found.len() == MAX_VIOLATIONS {
        return;
    }
    let Value::Object(fields) = value else {
        found.push(Violation::new(path, HttpReason::FieldMalformed, "takes an object"));
        return;
    };
    let mut seen = BTreeSet::new();
    for (name, value) in fields {
        if found.len() == MAX_VIOLATIONS {
            return;
        }
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match field(message, name) {
            Some(field) if !seen.insert(field.number()) => {
                found.push(Violation::new(path, HttpReason::FieldConflict, "is given twice, under two names"));
            }
            Some(field) => one(value, &field, &path, found),
            None => found.push(unknown(&path, message.fields().map(|field| field.json_name().to_owned()))),
        }
    }
}

/// A field by either of its names: as JSON has it, or as the proto file does.
#[must_use]
pub fn field(message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    message.get_field_by_json_name(name).or_else(|| message.get_field_by_name(name))
}

/// The flaw of a field, or parameter, that is not there.
pub fn unknown(path: &str, known: impl Iterator<Item = String>) -> Violation {
    let known = known.collect::<Vec<_>>().join(", ");
    let description = match known.as_str() {
        "" => "is unknown: none is taken".to_owned(),
        known => format!("is unknown; there are {known}"),
    };
    Violation::new(path, HttpReason::FieldUnknown, description)
}

fn one(value: &Value, field: &FieldDescriptor, path: &str, found: &mut Vec<Violation>) {
    match (value, nested(field)) {
        (Value::Null, _) => {}
        (Value::Array(values), Some(message)) if field.is_list() => {
            for (index, value) in values.iter().enumerate() {
                object(value, &message, &format!("{path}[{index}]"), found);
            }
        }
        (value, Some(message)) if !field.is_list() => object(value, &message, path, found),
        (value, _) => {
            // The library that will read it in the end is asked, so that both always agree.
            let alone: Map<String, Value> = [(field.json_name().to_owned(), value.clone())].into_iter().collect();
            if DynamicMessage::deserialize(field.parent_message().clone(), Value::Object(alone)).is_err() {
                let takes = if field.is_list() { format!("a list, each of it {}", kind(field)) } else { kind(field) };
                found.push(Violation::new(path, HttpReason::FieldMalformed, format!("takes {takes}")));
            }
        }
    }
}

/// The message in a field, unless JSON writes it as something other than an object.
fn nested(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(message) if !field.is_map() && message.package_name() != "google.protobuf" => Some(message),
        _ => None,
    }
}

fn kind(field: &FieldDescriptor) -> String {
    match field.kind() {
        Kind::String => "a text".to_owned(),
        Kind::Bytes => "bytes in base64".to_owned(),
        Kind::Bool => "true or false".to_owned(),
        Kind::Double | Kind::Float => "a number".to_owned(),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => "a whole number of 32 bits".to_owned(),
        Kind::Uint32 | Kind::Fixed32 => "a whole number of 32 bits, not negative".to_owned(),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => "a whole number of 64 bits, or the same as text".to_owned(),
        Kind::Uint64 | Kind::Fixed64 => "a whole number of 64 bits, not negative, or the same as text".to_owned(),
        Kind::Enum(values) => {
            let names: Vec<String> = values.values().map(|value| value.name().to_owned()).collect();
            format!("one of {}", names.join(", "))
        }
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Timestamp" => "a time as RFC 3339 has it".to_owned(),
            "google.protobuf.Duration" => "seconds, for example \"1.5s\"".to_owned(),
            _ => "an object".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::flaws;
    use baton_rpc::descriptors::Descriptors;
    use serde_json::{Value, json};

    fn told(message: &str, value: &Value) -> Vec<String> {
        let known = Descriptors::engine().with(shop_proto::DESCRIPTORS).expect("descriptors");
        let message = known.pool().get_message_by_name(message).expect("a message");
        flaws(value, &message)
            .into_iter()
            .map(|flaw| format!("{} {} {}", flaw.reason, flaw.field, flaw.description))
            .collect()
    }

    #[test]
    fn every_flaw_is_told_by_its_path() {
        let order = json!({
            "requestId": 7, "customer_id": "snake case is fine", "lines": [
                { "itemId": "apple", "quantity": "1", "unitPriceMinorUnits": 500 },
                { "itemId": "pear", "quantity": "1.5", "colour": "green" },
                "plum",
            ],
        });
        assert_eq!(
            told("shop.order.v1.CreateOrderRequest", &order),
            [
                "FIELD_UNKNOWN lines[1].colour is unknown; there are itemId, quantity, unitPriceMinorUnits",
                "FIELD_MALFORMED lines[1].quantity takes a whole number of 64 bits, or the same as text",
                "FIELD_MALFORMED lines[2] takes an object",
                "FIELD_MALFORMED requestId takes a text",
            ]
        );
    }

    #[test]
    fn enums_durations_and_wholes_have_their_forms() {
        let act = "baton.saga.v1.ActOnSagaRequest";
        let verb = told(act, &json!({ "verb": "RETRY" }));
        assert!(verb.len() == 1 && verb[0].contains("one of SAGA_VERB_UNSPECIFIED, SAGA_VERB_CANCEL"), "{verb:?}");
        assert_eq!(
            told(act, &json!({ "verb": "SAGA_VERB_RETRY", "version": "18446744073709551615" })),
            Vec::<String>::new()
        );
        assert_eq!(told(act, &json!({ "version": -1 })).len(), 1);
        assert_eq!(told(act, &json!([])), ["FIELD_MALFORMED  takes an object"]);
        assert_eq!(told(act, &json!({ "verb": null })), Vec::<String>::new());
        let twice = told(act, &json!({ "requestId": "a", "request_id": "b" }));
        assert_eq!(twice, ["FIELD_CONFLICT request_id is given twice, under two names"]);
        let retry = "baton.saga.v1.RetryPolicy";
        assert_eq!(
            told(retry, &json!({ "base": "1.5s", "cap": "90" })),
            ["FIELD_MALFORMED cap takes seconds, for example \"1.5s\""]
        );
    }
}
