//! What shop requests hold: names, identifiers, currencies and lines are within their bounds, have the spelling they are
//! shown with, and a refusal names the field.

use crate::input::Input;
use baton_rpc::errors::Violations;
use baton_rpc::request_id::RequestId;
use shop_domain::currency::{Currencies, Currency};
use shop_domain::identifier::{CustomerId, ItemId, MAX_ID, OrderNumber, PaymentId};
use shop_domain::lines::{Lines, MAX_LINES, MAX_PRICE, MAX_QUANTITY};
use shop_domain::name;
use std::collections::BTreeSet;
use uuid::Uuid;

/// A text for every parser, then lines.
///
/// # Panics
/// If a law is broken.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let text = String::from_utf8_lossy(input.until_zero()).into_owned();
    words(&text);
    names(&text);
    lines(&mut input);
}

fn words(text: &str) {
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    let fits = (1..=MAX_ID).contains(&text.len());
    assert_eq!(ItemId::parse(text).is_ok(), fits && plain(text));
    assert_eq!(PaymentId::parse(text).is_ok(), fits && plain(text));
    let customer = CustomerId::parse(text);
    assert_eq!(customer.is_ok(), fits && !text.chars().any(char::is_control));
    assert!(customer.is_err() || customer.is_ok_and(|customer| customer.as_str() == text), "kept as it was given");
    if let Ok(number) = OrderNumber::parse(text) {
        assert_eq!(number.to_string(), text, "an order number has one spelling");
        assert_eq!(OrderNumber::from_bytes(number.bytes()), number);
        assert_eq!(RequestId::parse(text).map(|id| id.bytes()), Ok(number.bytes()), "the same UUID to everybody");
    }
    if let Ok(id) = RequestId::parse(text) {
        let plain = Uuid::from_bytes(id.bytes()).to_string();
        assert_eq!(RequestId::parse(&plain), Ok(id), "every spelling is the same id");
        assert!(OrderNumber::parse(&plain).is_ok());
    }
    if let Ok(currency) = Currency::from_code(text) {
        assert!(currency.as_str() == text && text.len() == 3);
    }
    let listed = Currencies::default().parse(text);
    assert!(listed.is_err() || Currency::from_code(text) == listed, "what is listed is a code");
}

fn names(text: &str) {
    if let Ok(number) = name::order(text) {
        assert_eq!(name::of_order(number), text, "a name is shown as it is given");
    }
    if let Ok(item) = name::item(text) {
        assert_eq!(format!("items/{}", item.as_str()), text);
    }
    if let Ok(payment) = name::payment(text) {
        assert_eq!(format!("payments/{}", payment.as_str()), text);
    }
}

fn lines(input: &mut Input<'_>) {
    let mut given = Vec::new();
    // One more than allowed tells whether the bound holds.
    while !input.is_empty() && given.len() <= MAX_LINES {
        let item = String::from_utf8_lossy(input.until_zero()).into_owned();
        given.push((item, input.number(), input.number()));
    }
    let mut violations = Violations::new();
    let parsed =
        Lines::parse("lines", given.iter().map(|(item, n, price)| (item.as_str(), *n, *price)), &mut violations);
    assert_eq!(parsed.is_some(), violations.is_empty(), "refused with a reason, or accepted without");
    assert!(violations.list().iter().all(|(path, _)| path.starts_with("lines")), "a flaw names its field");
    let Some(parsed) = parsed else { return };
    let lines = parsed.as_slice();
    assert!((1..=MAX_LINES).contains(&lines.len()) && lines.len() == given.len());
    assert_eq!(lines.iter().map(|line| &line.item).collect::<BTreeSet<_>>().len(), lines.len(), "each item once");
    let bounded =
        |quantity: i64, price: i64| (1..=MAX_QUANTITY).contains(&quantity) && (0..=MAX_PRICE).contains(&price);
    assert!(lines.iter().all(|line| bounded(line.quantity, line.unit_price)));
    let total: i128 = lines.iter().map(|line| i128::from(line.quantity) * i128::from(line.unit_price)).sum();
    assert_eq!(i128::from(parsed.total()), total, "the total is exact");
}
