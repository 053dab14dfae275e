//! Resource names: `orders/{order}`, `items/{item}`, `payments/{payment}`, `sagas/{uuid}`.

use super::identifier::{ItemId, OrderNumber, PaymentId};
use crate::errors::Flaw;
use crate::reason::Reason;
use uuid::Uuid;

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

/// `sagas/{uuid}` of a saga's 16 bytes.
#[must_use]
pub fn of_saga(id: [u8; 16]) -> String {
    format!("sagas/{}", Uuid::from_bytes(id).as_hyphenated())
}

/// `orders/{order}`.
#[must_use]
pub fn of_order(number: OrderNumber) -> String {
    format!("orders/{number}")
}

fn child<'a>(name: &'a str, collection: &str) -> Result<&'a str, Flaw> {
    if name.is_empty() {
        return Err(Flaw::new(Reason::FieldRequired, format!("must be {collection}/ and an id")));
    }
    name.strip_prefix(collection)
        .and_then(|rest| rest.strip_prefix('/'))
        .filter(|id| !id.is_empty())
        .ok_or_else(|| Flaw::new(Reason::NameInvalid, format!("must be {collection}/ and an id")))
}

#[cfg(test)]
mod tests {
    use super::{item, order};
    use crate::reason::Reason;

    #[test]
    fn names_are_a_collection_and_an_id() {
        assert_eq!(item("items/a-1").unwrap().as_str(), "a-1");
        let cases = [("", Reason::FieldRequired), ("items/", Reason::NameInvalid), ("a-1", Reason::NameInvalid)];
        for (name, reason) in cases {
            assert_eq!(item(name).unwrap_err().reason, reason, "{name}");
        }
        assert_eq!(item("items/a/b").unwrap_err().reason, Reason::ItemIdInvalid);
        assert_eq!(order("orders/7").unwrap_err().reason, Reason::OrderNumberInvalid);
    }
}
