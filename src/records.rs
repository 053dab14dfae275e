//! Answers of the services as records to show: names as in proto JSON, states without their prefix, times in RFC 3339.

use crate::show::Record;
use baton_proto::baton::saga::v1::{Saga, SagaEvent, SagaState};
use baton_proto::shop::order::v1::{Order, OrderProgress, OrderState};
use baton_proto::shop::stock::v1::Item;
use prost_types::Timestamp;
use serde_json::{Value, json};

/// RFC 3339 in UTC, or nothing.
fn time(stamp: Option<&Timestamp>) -> Value {
    let text =
        stamp.and_then(|stamp| jiff::Timestamp::new(stamp.seconds, stamp.nanos).ok()).map(|time| time.to_string());
    json!(text)
}

/// `PAYMENT_SUCCESS`, or the bare number of a state that this build does not know.
#[must_use]
pub fn order_state(number: i32) -> String {
    OrderState::try_from(number)
        .map_or_else(|_| number.to_string(), |state| state.as_str_name().trim_start_matches("ORDER_STATE_").to_owned())
}

/// `COMPLETED`, or the bare number of a state that this build does not know.
#[must_use]
pub fn saga_state(number: i32) -> String {
    SagaState::try_from(number)
        .map_or_else(|_| number.to_string(), |state| state.as_str_name().trim_start_matches("SAGA_STATE_").to_owned())
}

impl Record for Item {
    const COLUMNS: &'static [&'static str] =
        &["name", "displayName", "currencyCode", "unitPrice", "available", "reserved", "stocked"];
    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("name", json!(self.name)),
            ("displayName", json!(self.display_name)),
            ("currencyCode", json!(self.currency_code)),
            ("unitPrice", json!(self.unit_price_minor_units)),
            ("available", json!(self.available)),
            ("reserved", json!(self.reserved)),
            ("stocked", json!(self.stocked)),
            ("createTime", time(self.create_time.as_ref())),
            ("updateTime", time(self.update_time.as_ref())),
        ]
    }
}

impl Record for Order {
    const COLUMNS: &'static [&'static str] = &["name", "state", "total", "customerId", "saga", "reason", "createTime"];
    fn fields(&self) -> Vec<(&'static str, Value)> {
        let line = |line: &baton_proto::shop::order::v1::OrderLine| json!({ "itemId": line.item_id, "quantity": line.quantity, "unitPrice": line.unit_price_minor_units });
        let total = self
            .total
            .as_ref()
            .map(|total| json!({ "currencyCode": total.currency_code, "minorUnits": total.minor_units }));
        vec![
            ("name", json!(self.name)),
            ("state", json!(order_state(self.state))),
            ("total", json!(total)),
            ("lines", self.lines.iter().map(line).collect()),
            ("customerId", json!(self.customer_id)),
            ("saga", json!(self.saga)),
            ("reason", json!(self.reason)),
            ("createTime", time(self.create_time.as_ref())),
            ("updateTime", time(self.update_time.as_ref())),
        ]
    }
}

impl Record for OrderProgress {
    const COLUMNS: &'static [&'static str] = &["order", "state", "step", "reason", "message"];
    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("order", json!(self.order)),
            ("saga", json!(self.saga)),
            ("state", json!(order_state(self.state))),
            ("done", json!(self.done)),
            ("step", json!(self.step)),
            ("reason", json!(self.reason)),
            ("message", json!(self.message)),
            ("version", json!(self.version)),
        ]
    }
}

impl Record for Saga {
    const COLUMNS: &'static [&'static str] =
        &["name", "definition", "state", "step", "direction", "attempt", "businessKey", "reason", "wakeTime"];
    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("name", json!(self.name)),
            ("definition", json!(self.definition)),
            ("definitionVersion", json!(self.definition_version)),
            ("state", json!(saga_state(self.state))),
            ("step", json!(self.step)),
            ("direction", json!(self.direction)),
            ("attempt", json!(self.attempt)),
            ("wakeTime", time(self.wake_time.as_ref())),
            ("version", json!(self.version)),
            ("businessKey", json!(self.business_key)),
            ("reason", json!(self.reason)),
            ("message", json!(self.message)),
            ("createTime", time(self.create_time.as_ref())),
            ("updateTime", time(self.update_time.as_ref())),
            ("traceId", json!(self.trace_id)),
        ]
    }
}

impl Record for SagaEvent {
    const COLUMNS: &'static [&'static str] =
        &["version", "eventTime", "event", "from", "to", "step", "direction", "attempt", "reason"];
    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("name", json!(self.name)),
            ("version", json!(self.version)),
            ("eventTime", time(self.event_time.as_ref())),
            ("event", json!(self.event)),
            ("from", json!(self.from)),
            ("to", json!(self.to)),
            ("step", json!(self.step)),
            ("direction", json!(self.direction)),
            ("attempt", json!(self.attempt)),
            ("reason", json!(self.reason)),
            ("message", json!(self.message)),
        ]
    }
}
