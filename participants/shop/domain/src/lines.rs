//! The lines of an order: how many, which quantities and prices, and what they add up to.

use crate::identifier::ItemId;
use crate::reason;
use baton_rpc::errors::{Flaw, Violations};
use baton_rpc::reason::Reason;
use std::collections::BTreeSet;

/// Most lines of an order. An order of 100 lines encodes to about 9 KiB, well within a command's payload.
pub const MAX_LINES: usize = 100;
/// Most units of an item on one line.
pub const MAX_QUANTITY: i64 = 1_000_000;
/// Highest price of one unit, in minor units.
pub const MAX_PRICE: i64 = 1_000_000_000_000;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What.
    pub item: ItemId,
    /// How many: 1 to [`MAX_QUANTITY`].
    pub quantity: i64,
    /// Price of one unit in minor units: 0 to [`MAX_PRICE`].
    pub unit_price: i64,
}

/// One to [`MAX_LINES`] lines, each item once, with a total that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    lines: Vec<Line>,
    total: i64,
}

impl Lines {
    /// Checks lines given as (item id, quantity, unit price). `path` is the field's path; flaws are noted below it.
    pub fn parse<'a>(
        path: &str,
        given: impl ExactSizeIterator<Item = (&'a str, i64, i64)>,
        violations: &mut Violations,
    ) -> Option<Self> {
        if given.len() == 0 {
            violations.add(path, Flaw::new(reason::LINES_MISSING, "must hold at least one line"));
            return None;
        }
        if given.len() > MAX_LINES {
            violations.add(path, Flaw::new(reason::TOO_MANY_LINES, format!("must hold at most {MAX_LINES} lines")));
            return None;
        }
        let mut seen = BTreeSet::new();
        let count = given.len();
        let lines = given.enumerate().filter_map(|(index, (item, amount, price))| {
            let at = format!("{path}[{index}]");
            let item = violations.keep(format!("{at}.item_id"), ItemId::parse(item));
            let quantity = violations.keep(format!("{at}.quantity"), quantity(amount));
            let unit_price = violations.keep(format!("{at}.unit_price_minor_units"), price_of_unit(price));
            let item = item?;
            if !seen.insert(item.clone()) {
                let flaw = Flaw::new(reason::ITEM_REPEATED, "must not name an item that another line names");
                violations.add(format!("{at}.item_id"), flaw);
                return None;
            }
            Some(Line { item, quantity: quantity?, unit_price: unit_price? })
        });
        let lines = lines.collect::<Vec<_>>();
        if lines.len() < count {
            return None;
        }
        let total = violations.keep(path, total(&lines))?;
        Some(Self { lines, total })
    }

    /// The lines, in the order given.
    #[must_use]
    pub fn as_slice(&self) -> &[Line] {
        &self.lines
    }

    /// Sum of quantity times unit price, in minor units.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.total
    }
}

/// A quantity of 1 to [`MAX_QUANTITY`].
pub fn quantity(value: i64) -> Result<i64, Flaw> {
    bounded(value, 1, MAX_QUANTITY, reason::QUANTITY_OUT_OF_RANGE)
}

/// A unit price of 0 to [`MAX_PRICE`] minor units.
pub fn price_of_unit(value: i64) -> Result<i64, Flaw> {
    bounded(value, 0, MAX_PRICE, reason::PRICE_OUT_OF_RANGE)
}

/// A number from `low` to `high`.
pub fn bounded(value: i64, low: i64, high: i64, reason: Reason) -> Result<i64, Flaw> {
    if (low..=high).contains(&value) { Ok(value) } else { Err(Flaw::new(reason, format!("must be {low} to {high}"))) }
}

fn total(lines: &[Line]) -> Result<i64, Flaw> {
    let total = lines.iter().try_fold(0_i64, |sum, line| sum.checked_add(line.quantity.checked_mul(line.unit_price)?));
    match total {
        // No provider takes a payment of nothing, so that nobody could ever pay it.
        Some(0) => Err(Flaw::new(reason::NOTHING_TO_PAY, "must add up to 1 minor unit at least")),
        Some(total) => Ok(total),
        None => Err(Flaw::new(reason::AMOUNT_OVERFLOW, "must add up to less than 2^63 minor units")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Lines, MAX_PRICE, MAX_QUANTITY};
    use crate::reason;
    use baton_rpc::errors::Violations;
    use baton_rpc::reason::Reason;

    fn check(given: &[(&str, i64, i64)]) -> Result<i64, Vec<(String, Reason)>> {
        let mut violations = Violations::new();
        match Lines::parse("lines", given.iter().copied(), &mut violations) {
            Some(lines) if violations.is_empty() => Ok(lines.total()),
            _ => Err(violations.list().iter().map(|(path, flaw)| (path.clone(), flaw.reason)).collect()),
        }
    }

    fn flaw(path: &str, reason: Reason) -> Result<i64, Vec<(String, Reason)>> {
        Err(vec![(path.to_owned(), reason)])
    }

    #[test]
    fn good_lines_add_up() {
        assert_eq!(check(&[("a", 2, 50), ("b", 1, 0)]), Ok(100));
        assert_eq!(check(&[("a", MAX_QUANTITY, MAX_PRICE)]), Ok(MAX_QUANTITY * MAX_PRICE));
    }

    #[test]
    fn each_flaw_names_its_field() {
        assert_eq!(check(&[]), flaw("lines", reason::LINES_MISSING));
        let many = (0..101).map(|n| format!("i{n}")).collect::<Vec<_>>();
        let many = many.iter().map(|id| (id.as_str(), 1, 1)).collect::<Vec<_>>();
        assert_eq!(check(&many), flaw("lines", reason::TOO_MANY_LINES));
        assert!(check(&many[..100]).is_ok());
        for quantity in [0, -1, MAX_QUANTITY + 1, i64::MIN, i64::MAX] {
            assert_eq!(check(&[("a", quantity, 1)]), flaw("lines[0].quantity", reason::QUANTITY_OUT_OF_RANGE));
        }
        for price in [-1, MAX_PRICE + 1, i64::MIN] {
            let expected = flaw("lines[1].unit_price_minor_units", reason::PRICE_OUT_OF_RANGE);
            assert_eq!(check(&[("a", 1, 1), ("b", 1, price)]), expected);
        }
        assert_eq!(check(&[("a", 1, 1), ("a", 1, 1)]), flaw("lines[1].item_id", reason::ITEM_REPEATED));
        assert_eq!(check(&[("a b", 1, 1)]), flaw("lines[0].item_id", reason::ITEM_ID_INVALID));
    }

    #[test]
    fn what_nobody_can_pay_is_refused() {
        assert_eq!(check(&[("a", 3, 0), ("b", 1, 0)]), flaw("lines", reason::NOTHING_TO_PAY));
        assert_eq!(check(&[("a", 3, 0), ("b", 1, 1)]), Ok(1));
    }

    #[test]
    fn a_total_that_does_not_fit_is_refused() {
        let ids = (0..10).map(|n| format!("i{n}")).collect::<Vec<_>>();
        let lines = ids.iter().map(|id| (id.as_str(), MAX_QUANTITY, MAX_PRICE)).collect::<Vec<_>>();
        assert!(check(&lines[..9]).is_ok());
        assert_eq!(check(&lines), flaw("lines", reason::AMOUNT_OVERFLOW));
    }
}
