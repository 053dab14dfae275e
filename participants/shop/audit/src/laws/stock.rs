//! Laws of stock: nothing is sold twice, lost or made up.

use super::{at_large, by_hand};
use crate::evidence::{ITEMS, ShopSaga};
use baton_query::filter::StateKind;
use baton_verify::coverage::SAGAS;
use baton_verify::evidence::{Case, Evidence};
use baton_verify::invariant::{Findings, Law};
use saga_core::saga::Direction;
use std::collections::BTreeMap;

pub const STOCK_OF_ORDER: Law = Law::of_saga(
    "I3",
    "a completed order holds exactly what it ordered, an undone one nothing",
    "ended orders",
    &[SAGAS, ITEMS],
    stock_of_order,
);
pub const SHELVES: Law = Law::whole(
    "I3",
    "stock: stocked = available + reserved = initial + restocked, none negative, reserved = held",
    "items",
    &[ITEMS],
    shelves,
);

fn stock_of_order(case: &Case<'_>, found: &mut Findings) {
    let (Some(ended), Some(own)) = (case.ended(), case.own::<ShopSaga>()) else { return };
    // What a completed one holds is right only if it is known what it ordered.
    if ended == StateKind::Completed && own.input.is_none() && own.order.row().is_none() {
        return;
    }
    let mut held: BTreeMap<&str, i64> = BTreeMap::new();
    for reservation in own.reservations.iter().filter(|reservation| reservation.held) {
        *held.entry(&reservation.item).or_default() += reservation.quantity;
    }
    let sold = if ended == StateKind::Completed { own.wanted() } else { BTreeMap::new() };
    let settled =
        [Direction::Action, Direction::Undo].iter().any(|direction| by_hand(case, "stock.reserve", *direction));
    found.expect(settled || held == sold, || {
        format!("{}: it is {}, holds {held:?}, sold {sold:?}", case.name(), ended.as_str())
    });
}

fn shelves(evidence: &Evidence, found: &mut Findings) {
    for shelf in at_large(evidence, |own| &own.shelves) {
        let (item, available, reserved, stocked) = (&shelf.item, shelf.available, shelf.reserved, shelf.stocked);
        let sum = |a: i64, b: i64| i128::from(a) + i128::from(b);
        let mut problems = Vec::new();
        if available < 0 || reserved < 0 {
            problems.push(format!("available {available}, reserved {reserved}"));
        }
        if i128::from(stocked) != sum(available, reserved) {
            problems.push(format!("stocked {stocked} is not available {available} + reserved {reserved}"));
        }
        if let Some((initial, restocked)) = shelf.put_in.filter(|put_in| i128::from(stocked) != sum(put_in.0, put_in.1))
        {
            problems.push(format!("stocked {stocked} is not initial {initial} + restocked {restocked}"));
        }
        if shelf.held != reserved {
            problems.push(format!("reserved {reserved}, but its reservations hold {}", shelf.held));
        }
        if shelf.strays > 0 {
            problems.push(format!("{} units are held for orders that have no saga", shelf.strays));
        }
        found.expect(problems.is_empty(), || format!("item {item}: {}", problems.join("; ")));
    }
    for (item, count) in at_large(evidence, |own| &own.homeless) {
        found.expect(false, || format!("item {item} does not exist, but has {count} reservations"));
    }
}
