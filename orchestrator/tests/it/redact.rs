//! What is secret or personal is not shown, at any depth.

use baton_orchestrator::redact::{MAX_JSON, REDACTED, Redactor};
use baton_proto::baton::participant::v1::{Rejected, Reply, ReplyBatch, reply};
use baton_shop::descriptors::descriptors;
use prost::Message as _;
use prost_reflect::{DynamicMessage, Value as Field};
use serde_json::Value;
use shop_proto::order::v1::{ListOrdersResponse, OpenOrder, Order, OrderLine};

fn redactor() -> Redactor {
    Redactor::new(&descriptors())
}

const CANARY: &str = "canary-7f3a";

#[test]
fn declarations_reach_the_pool() {
    let declared = redactor().declared();
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
    let text = redactor().text("shop.order.v1.ListOrdersResponse", &list.encode_to_vec()).expect("JSON");
    assert!(!text.contains(CANARY) && text.contains("orders/1") && text.contains("next"), "{text}");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(value["orders"][1]["customerId"], REDACTED);

    let outcome = reply::Outcome::Rejected(Rejected { reason: "NO".into(), message: CANARY.into() });
    let batch = ReplyBatch { replies: vec![Reply { outcome: Some(outcome), ..Reply::default() }] };
    let value = redactor().value("baton.participant.v1.ReplyBatch", &batch.encode_to_vec()).expect("JSON");
    assert_eq!(value["replies"][0]["rejected"]["message"], REDACTED);
    assert_eq!(value["replies"][0]["rejected"]["reason"], "NO");
}

/// Every declared field that holds a text or bytes, one after the other, wherever it stands.
#[test]
fn a_canary_in_any_declared_field_is_never_shown() {
    let (known, declared) = (descriptors(), redactor().declared());
    let fields = known.pool().all_messages().flat_map(|message| message.fields().collect::<Vec<_>>());
    let declared: Vec<_> = fields.filter(|field| declared.iter().any(|it| it == field.full_name())).collect();
    assert!(declared.len() >= 9, "{declared:?}");
    for field in declared {
        let mut message = DynamicMessage::new(field.parent_message().clone());
        let canary = match field.kind() {
            prost_reflect::Kind::Bytes => Field::Bytes(CANARY.into()),
            _ => Field::String(CANARY.to_owned()),
        };
        message.set_field(&field, canary);
        let shown = redactor().text(field.parent_message().full_name(), &message.encode_to_vec()).expect("JSON");
        let encoded = "Y2FuYXJ5LTdmM2E=";
        assert!(!shown.contains(CANARY) && !shown.contains(encoded) && shown.contains(REDACTED), "{shown}");
    }
}

#[test]
fn what_does_not_decode_is_not_guessed_and_what_is_long_is_cut() {
    assert_eq!(redactor().value("shop.order.v1.OpenOrder", &[0xff, 0xff]), None);
    assert_eq!(redactor().value("shop.order.v1.Nothing", &[]), None);
    let line = OrderLine { item_id: "é".repeat(32), quantity: 1, unit_price_minor_units: 1 };
    let open = OpenOrder { lines: vec![line; 400], ..OpenOrder::default() };
    let text = redactor().text("shop.order.v1.OpenOrder", &open.encode_to_vec()).expect("JSON");
    assert!(text.len() < MAX_JSON + 80 && text.contains("\n… cut here: the first 163"), "{}", text.len());
}
