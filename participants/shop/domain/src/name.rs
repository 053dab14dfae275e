//! Resource names: `orders/{order}`, `items/{item}` and `payments/{payment}`.

use crate::identifier::{ItemId, OrderNumber, PaymentId};
use baton_rpc::errors::Flaw;
use baton_rpc::name::child;

/// The order number in `orders/{order}`.
pub fn order(name: &str) -> Result<OrderNumber, Flaw> {
    OrderNumber::parse(child(name, "orders")?)
}

/// The item id in `items/{item}`.
pub fn item(name: &str) -> Result<ItemId, Flaw> {
    ItemId::parse(child(name, "items")?)
}

/// The payment id in `payments/{payment}`.
pub fn payment(name: &str) -> Result<PaymentId, Flaw> {
    PaymentId::parse(child(name, "payments")?)
}

/// `orders/{order}`.
#[must_use]
pub fn of_order(number: OrderNumber) -> String {
    format!("orders/{number}")
}

#[cfg(test)]
mod tests {
    use super::{item, order};
    use crate::reason;
    use baton_rpc::reason::Reason;

    #[test]
    fn names_are_a_collection_and_an_id() {
        assert_eq!(item("items/a-1").unwrap().as_str(), "a-1");
        let cases = [("", Reason::FIELD_REQUIRED), ("items/", Reason::NAME_INVALID), ("a-1", Reason::NAME_INVALID)];
        for (name, reason) in cases {
            assert_eq!(item(name).unwrap_err().reason, reason, "{name}");
        }
        assert_eq!(item("items/a/b").unwrap_err().reason, reason::ITEM_ID_INVALID);
        assert_eq!(order("orders/7").unwrap_err().reason, reason::ORDER_NUMBER_INVALID);
    }
}
