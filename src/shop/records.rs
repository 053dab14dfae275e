//! The shop's answers as records to show.

use crate::records::{state, time};
use crate::show::Record;
use serde_json::{Value, json};
use shop_proto::order::v1::{Order, OrderLine, OrderProgress, OrderState};
use shop_proto::stock::v1::Item;

/// `PAYMENT_SUCCESS`, or the bare number.
#[must_use]
pub fn order_state(number: i32) -> String {
    state(number, OrderState::try_from(number).ok().map(|it| it.as_str_name()), "ORDER_STATE_")
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
        let line = |line: &OrderLine| json!({ "itemId": line.item_id, "quantity": line.quantity, "unitPrice": line.unit_price_minor_units });
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
