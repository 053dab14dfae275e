//! Money in whole minor units, and the way to and from the decimal numbers of the provider's API.

use serde_json::Number;
use shop_domain::currency::Currency;
use std::fmt;

/// More digits than this are refused: up to 15, a double's shortest text is the decimal it was read from.
const DIGITS_MAX: usize = 15;

/// An amount of a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    /// ISO 4217.
    pub currency: Currency,
    /// The amount in the currency's smallest unit.
    pub minor_units: i64,
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} minor units of {}", self.minor_units, self.currency)
    }
}

impl Money {
    /// The API's number: 1234 of a currency with cents is 12.34. `None` if it is negative, has too many digits for a
    /// number that every JSON library reads exactly, or is of no currency in use.
    #[must_use]
    pub fn to_number(&self) -> Option<Number> {
        let decimals = self.currency.decimals()?;
        let unit = 10_i64.pow(decimals);
        if self.minor_units < 0 || self.minor_units.to_string().len() > DIGITS_MAX {
            return None;
        }
        if self.minor_units % unit == 0 {
            return Some(Number::from(self.minor_units / unit));
        }
        let places = usize::try_from(decimals).ok()?;
        let text = format!("{}.{:0places$}", self.minor_units / unit, self.minor_units % unit);
        Number::from_f64(text.parse().ok()?)
    }
}

/// The API's number in minor units of `currency`, exactly. `None` if it is negative, finer than the currency's smallest
/// unit, has more digits than a double carries, or if the currency is not in use.
#[must_use]
pub fn from_number(number: &Number, currency: Currency) -> Option<i64> {
    let text = number.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) || whole.len() + fraction.len() > DIGITS_MAX {
        return None;
    }
    let shift = currency.decimals()?.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    format!("{whole}{fraction}").parse::<i64>().ok()?.checked_mul(10_i64.pow(shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::from_code(code).expect("a code")
    }

    fn number(text: &str) -> Number {
        serde_json::from_str(text).expect("a number")
    }

    #[test]
    fn numbers_are_read_exactly_or_not_at_all() {
        let read = |text: &str, code: &str| from_number(&number(text), currency(code));
        assert_eq!(read("15000", "KRW"), Some(15_000));
        assert_eq!(read("15000.0", "KRW"), Some(15_000));
        assert_eq!(read("15000.5", "KRW"), None);
        assert_eq!(read("12.34", "USD"), Some(1_234));
        assert_eq!(read("12.3", "USD"), Some(1_230));
        assert_eq!(read("12.345", "USD"), None);
        assert_eq!(read("1.234", "KWD"), Some(1_234));
        assert_eq!(read("10", "XPF"), Some(10));
        assert_eq!(read("10", "QQQ"), None);
        assert_eq!(read("-1", "KRW"), None);
        assert_eq!(read("1e20", "KRW"), None);
        assert_eq!(read("9999999999999999", "KRW"), None);
        assert_eq!(read("0", "KRW"), Some(0));
    }

    #[test]
    fn what_is_written_is_read_back() {
        for code in ["KRW", "USD", "KWD"] {
            for minor_units in (0..20_000).chain([999_999_999_999_999, 123_456_789_012_345]) {
                let money = Money { currency: currency(code), minor_units };
                let text = money.to_number().expect("a number").to_string();
                assert_eq!(from_number(&number(&text), money.currency), Some(minor_units), "{text} {code}");
            }
        }
        assert_eq!(Money { currency: currency("USD"), minor_units: -1 }.to_number(), None);
        assert_eq!(Money { currency: currency("USD"), minor_units: i64::MAX }.to_number(), None);
    }
}
