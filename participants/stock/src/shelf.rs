//! What commands do to the items of a batch, on values: decided one by one, written once per item.

use crate::item::Item;
use crate::reservation::Reservation;
use baton_participant_kit::participant::Answer;
use shop_domain::currency::Currency;
use shop_domain::identifier::OrderNumber;
use shop_domain::lines::{Line, Lines};
use shop_domain::reason;
use shop_proto::stock::v1::ReservationState;
use std::collections::{BTreeMap, BTreeSet};

/// The locked items of a batch and what has become of them.
#[derive(Debug, Default)]
pub struct Shelf {
    items: BTreeMap<String, Item>,
    touched: BTreeSet<String>,
    made: Vec<Reservation>,
    released: BTreeSet<[u8; 16]>,
}

/// What is to be written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Items whose stock has moved, each once.
    pub items: Vec<Item>,
    /// New reservations.
    pub made: Vec<Reservation>,
    /// Sagas whose reservations are given back.
    pub released: Vec<[u8; 16]>,
}

impl Shelf {
    /// A shelf of these items.
    #[must_use]
    pub fn new(items: impl IntoIterator<Item = Item>) -> Self {
        Self { items: items.into_iter().map(|item| (item.id.clone(), item)).collect(), ..Self::default() }
    }

    /// Holds all lines, or none and says why: the catalogue first, then the stock, in the order of the lines.
    pub fn reserve(
        &mut self,
        saga: [u8; 16],
        order: OrderNumber,
        currency: Currency,
        lines: &Lines,
        now_us: i64,
    ) -> Answer {
        if let Some(refusal) = lines.as_slice().iter().find_map(|line| self.refuse_by_catalogue(currency, line)) {
            return refusal;
        }
        if let Some(refusal) = lines.as_slice().iter().find_map(|line| self.refuse_by_stock(line)) {
            return refusal;
        }
        for line in lines.as_slice() {
            let id = line.item.as_str();
            if let Some(item) = self.items.get_mut(id) {
                item.available -= line.quantity;
                item.reserved += line.quantity;
                item.updated_at = now_us.max(item.updated_at);
                self.touched.insert(id.to_owned());
            }
            self.made.push(Reservation {
                saga,
                item: id.to_owned(),
                order,
                quantity: line.quantity,
                state: ReservationState::Held,
                created_at: now_us,
            });
        }
        Answer::done()
    }

    /// Gives back what the saga holds: these are its reservations. Released ones are left as they are.
    pub fn release(&mut self, saga: [u8; 16], reservations: &[Reservation], now_us: i64) -> Answer {
        let held = reservations.iter().filter(|one| one.state == ReservationState::Held);
        for one in held {
            // A reservation's item is never deleted, and was locked with the batch.
            if let Some(item) = self.items.get_mut(&one.item) {
                item.available += one.quantity;
                item.reserved -= one.quantity;
                item.updated_at = now_us.max(item.updated_at);
                self.touched.insert(one.item.clone());
            }
            self.released.insert(saga);
        }
        Answer::done()
    }

    /// What is to be written.
    #[must_use]
    pub fn changes(mut self) -> Changes {
        let items = self.touched.iter().filter_map(|id| self.items.remove(id)).collect();
        Changes { items, made: self.made, released: self.released.into_iter().collect() }
    }

    fn refuse_by_catalogue(&self, currency: Currency, line: &Line) -> Option<Answer> {
        let id = line.item.as_str();
        let Some(item) = self.items.get(id) else {
            return Some(Answer::rejected(reason::ITEM_UNKNOWN, format!("item {id} does not exist")));
        };
        if item.currency != currency.as_str() {
            let text = format!("item {id} is sold in {}, not in {currency}", item.currency);
            return Some(Answer::rejected(reason::CURRENCY_MISMATCH, text));
        }
        if item.unit_price != line.unit_price {
            let text = format!("item {id} costs {} minor units, not {}", item.unit_price, line.unit_price);
            return Some(Answer::rejected(reason::PRICE_CHANGED, text));
        }
        None
    }

    fn refuse_by_stock(&self, line: &Line) -> Option<Answer> {
        let id = line.item.as_str();
        let available = self.items.get(id).map_or(0, |item| item.available);
        (available < line.quantity).then(|| {
            let text = format!("item {id} has {available} units available, {} were ordered", line.quantity);
            Answer::rejected(reason::OUT_OF_STOCK, text)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Shelf;
    use crate::item::Item;
    use baton_rpc::errors::Violations;
    use shop_domain::currency::Currency;
    use shop_domain::identifier::OrderNumber;
    use shop_domain::lines::Lines;

    fn item(id: &str, available: i64) -> Item {
        Item {
            id: id.to_owned(),
            display_name: String::new(),
            currency: "KRW".to_owned(),
            unit_price: 100,
            available,
            reserved: 0,
            stocked: available,
            initial_stock: available,
            created_at: 1,
            updated_at: 1,
        }
    }

    fn reserve(shelf: &mut Shelf, saga: u8, currency: &str, lines: &[(&str, i64, i64)]) -> String {
        let lines = Lines::parse("lines", lines.iter().copied(), &mut Violations::new()).unwrap();
        let currency = Currency::from_code(currency).unwrap();
        let answer = shelf.reserve([saga; 16], OrderNumber::from_bytes([saga; 16]), currency, &lines, 9);
        format!("{} {}", answer.outcome(), answer.reason())
    }

    #[test]
    fn all_lines_or_none_and_the_reason_names_what_is_wrong() {
        let mut shelf = Shelf::new([item("a", 5), item("b", 1)]);
        assert_eq!(reserve(&mut shelf, 1, "KRW", &[("a", 3, 100), ("b", 1, 100)]), "succeeded ");
        assert_eq!(reserve(&mut shelf, 2, "KRW", &[("a", 2, 100), ("b", 1, 100)]), "rejected OUT_OF_STOCK");
        assert_eq!(reserve(&mut shelf, 3, "KRW", &[("a", 1, 99)]), "rejected PRICE_CHANGED");
        assert_eq!(reserve(&mut shelf, 4, "USD", &[("a", 1, 100)]), "rejected CURRENCY_MISMATCH");
        assert_eq!(reserve(&mut shelf, 5, "KRW", &[("a", 9, 100), ("x", 1, 100)]), "rejected ITEM_UNKNOWN");
        assert_eq!(reserve(&mut shelf, 6, "KRW", &[("a", 2, 100)]), "succeeded ");
        let changes = shelf.changes();
        let left = changes.items.iter().map(|item| (item.available, item.reserved)).collect::<Vec<_>>();
        assert_eq!(left, [(0, 5), (0, 1)]);
        assert!(changes.items.iter().all(Item::is_conserved));
        assert_eq!(changes.made.len(), 3);
    }

    #[test]
    fn what_is_released_can_be_reserved_again_in_the_same_batch() {
        let mut shelf = Shelf::new([item("a", 2)]);
        reserve(&mut shelf, 1, "KRW", &[("a", 2, 100)]);
        let made = shelf.made.clone();
        shelf.release([1; 16], &made, 10);
        assert_eq!(reserve(&mut shelf, 2, "KRW", &[("a", 2, 100)]), "succeeded ");
        assert_eq!(shelf.changes().released, [[1; 16]]);
    }
}
