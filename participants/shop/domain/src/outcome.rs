//! How an order that was undone ends, by the reason its saga unwound for.

use shop_proto::order::v1::OrderState;

/// The end state of an order whose saga unwound for `reason`: the document's two states, or cancelled.
#[must_use]
pub fn state_after(reason: &str) -> OrderState {
    match reason {
        "OUT_OF_STOCK" | "PRICE_CHANGED" | "ITEM_UNKNOWN" | "CURRENCY_MISMATCH" => OrderState::PaymentOutOfStock,
        payment if payment.starts_with("PAYMENT_") => OrderState::PaymentNoPaymentInfo,
        _ => OrderState::Cancelled,
    }
}
