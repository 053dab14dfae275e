//! Amounts: decimal numbers on the wire, whole minor units in the ledger, nothing approximate in between.

use serde_json::{Number, Value};

/// More digits than this are refused: up to 15, a double's shortest text is the decimal it was read from.
const DIGITS_MAX: usize = 15;

/// The currencies of the sandbox with the number of their decimal places (ISO 4217).
const CURRENCIES: [(&str, u32); 12] = [
    ("KRW", 0),
    ("JPY", 0),
    ("VND", 0),
    ("USD", 2),
    ("EUR", 2),
    ("GBP", 2),
    ("CNY", 2),
    ("HKD", 2),
    ("SGD", 2),
    ("TWD", 2),
    ("THB", 2),
    ("AUD", 2),
];

/// Decimal places of a currency, or `None` for one that the sandbox does not know.
#[must_use]
pub fn exponent(currency: &str) -> Option<u32> {
    CURRENCIES.iter().find(|(code, _)| *code == currency).map(|(_, exponent)| *exponent)
}

/// A decimal number as it stood in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    digits: i64,
    places: u32,
}

impl Decimal {
    /// Reads a JSON number or, from a form, its text. `None` if it is negative, has an exponent or too many digits.
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => Self::parse(&number.to_string()),
            Value::String(text) => Self::parse(text.trim()),
            _ => None,
        }
    }

    /// Reads `12`, `12.5` or `12.50`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let fraction = fraction.trim_end_matches('0');
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_number(whole) || !is_number(fraction) || whole.len() + fraction.len() > DIGITS_MAX {
            return None;
        }
        let digits = format!("{whole}{fraction}").parse().ok()?;
        Some(Self { digits, places: u32::try_from(fraction.len()).ok()? })
    }

    /// The number in minor units of a currency with `exponent` decimal places; `None` if it is finer than that.
    #[must_use]
    pub fn to_minor(self, exponent: u32) -> Option<i64> {
        let shift = exponent.checked_sub(self.places)?;
        self.digits.checked_mul(10_i64.checked_pow(shift)?)
    }
}

/// Minor units as the API's JSON number: 1234 of a currency with two decimal places is 12.34, 1200 is 12.
#[must_use]
pub fn to_json(minor: i64, currency: &str) -> Value {
    let exponent = exponent(currency).unwrap_or(0);
    let unit = 10_i64.pow(exponent);
    if minor % unit == 0 {
        return Value::Number(Number::from(minor / unit));
    }
    let places = usize::try_from(exponent).unwrap_or(0);
    let text = format!("{}.{:0places$}", minor / unit, (minor % unit).abs());
    text.parse().ok().and_then(Number::from_f64).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_decimal_becomes_minor_units_exactly_or_not_at_all() {
        let minor = |value: Value, exponent| Decimal::from_json(&value).and_then(|decimal| decimal.to_minor(exponent));
        assert_eq!(minor(json!(1000), 0), Some(1000));
        assert_eq!(minor(json!(1000.0), 0), Some(1000));
        assert_eq!(minor(json!("1000"), 0), Some(1000));
        assert_eq!(minor(json!(12.34), 2), Some(1234));
        assert_eq!(minor(json!(12.3), 2), Some(1230));
        assert_eq!(minor(json!(12), 2), Some(1200));
        assert_eq!(minor(json!(12.5), 0), None);
        assert_eq!(minor(json!(12.345), 2), None);
        assert_eq!(minor(json!(-1), 0), None);
        assert_eq!(minor(json!(1e300), 0), None);
        assert_eq!(minor(json!("1,000"), 0), None);
        assert_eq!(minor(json!(""), 0), None);
    }

    #[test]
    fn every_amount_survives_the_wire() {
        for minor in (0..100_000).chain([999_999_999_999_999, 123_456_789_012_345]) {
            let text = serde_json::to_string(&to_json(minor, "USD")).expect("a number");
            let value: Value = serde_json::from_str(&text).expect("a number");
            assert_eq!(Decimal::from_json(&value).and_then(|decimal| decimal.to_minor(2)), Some(minor), "{text}");
        }
        assert_eq!(to_json(1500, "KRW"), json!(1500));
    }
}
