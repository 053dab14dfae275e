//! Requests to the sandbox provider: fields are bounded, amounts are exact or refused.

use baton_sandbox::amount::{Decimal, exponent, to_json};
use baton_sandbox::fields::{Fields, ID_MAX, TEXT_MAX};
use serde_json::Value;

/// What a request may hold.
const NAMES: [&str; 4] = ["imp_uid", "merchant_uid", "amount", "reason"];

/// The bytes are a JSON body, and the text of an amount.
///
/// # Panics
/// If a law is broken.
pub fn check(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        of_amount(&Value::String(text.to_owned()));
    }
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    of_amount(&value);
    let is_object = value.is_object();
    let Ok(fields) = Fields::from_value(value.clone()) else {
        assert!(!is_object, "an object is a request");
        return;
    };
    for name in NAMES {
        if let Ok(Some(text)) = fields.text(name) {
            assert!((1..=TEXT_MAX).contains(&text.len()) && !text.chars().any(char::is_control));
        }
        if let Ok(Some(id)) = fields.id(name) {
            assert!((1..=ID_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()));
        }
        assert!(fields.required_id(name).is_err() || fields.id(name).is_ok_and(|id| id.is_some()));
        if let Some(given) = value.get(name).filter(|given| !given.is_null()) {
            assert_eq!(fields.amount(name).ok().flatten(), Decimal::from_json(given));
            of_amount(given);
        }
    }
}

fn of_amount(value: &Value) {
    let Some(decimal) = Decimal::from_json(value) else { return };
    for currency in ["KRW", "USD"] {
        let places = exponent(currency).expect("a currency of the sandbox");
        let Some(minor) = decimal.to_minor(places) else { continue };
        assert!(minor >= 0, "an amount is not negative");
        if minor < 1_000_000_000_000_000 {
            let again = Decimal::from_json(&to_json(minor, currency)).and_then(|decimal| decimal.to_minor(places));
            assert_eq!(again, Some(minor), "an amount survives the wire");
        }
    }
}
