//! Laws over effects: what the shop's tables hold is what the ledgers say was done, and nothing that an undo has forbidden.

use super::{done, has_failed, shown};
use crate::evidence::{CLAIMS, ITEMS, ORDERS, ShopSaga};
use crate::{ORDER, STOCK};
use baton_verify::coverage::{JOURNALS, LEDGERS};
use baton_verify::evidence::Case;
use baton_verify::invariant::{Findings, Law};
use baton_verify::laws::effects::undos;
use saga_core::saga::Direction;
use shop_proto::order::v1::{OrderSagaInput, OrderState};
use std::collections::BTreeMap;

pub const EFFECT_AND_LEDGER: Law = Law::of_saga(
    "I6",
    "reservations, claims and orders are what the ledgers say was done, no more and no less",
    "effects",
    &[JOURNALS, LEDGERS],
    effect_and_ledger,
);
pub const NO_LATE_ACTION: Law = Law::of_saga(
    "I8",
    "once an undo is in the ledger nothing of its action is left or comes back",
    "undos",
    &[LEDGERS],
    no_late_action,
);

fn effect_and_ledger(case: &Case<'_>, found: &mut Findings) {
    let Some((own, input)) = case.own::<ShopSaga>().and_then(|own| Some((own, own.input.as_ref()?))) else { return };
    if case.coverage.has(ITEMS) {
        reservations(case, own, input, found);
    }
    if case.coverage.has(CLAIMS) && done(case, "payment.verify", Direction::Action) {
        let ours = own.claim.row().is_some_and(|claim| claim.saga == case.evidence.id);
        found.expect(ours, || format!("{}: verified its payment, but does not hold it", case.name()));
    }
    if case.coverage.has(ORDERS) && done(case, "order.confirm", Direction::Action) {
        let state = own.order.row().map(|order| order.state);
        found.expect(state == Some(OrderState::PaymentSuccess), || {
            format!("{}: confirmed its order, which is {}", case.name(), shown(state))
        });
    }
    if let Some(order) = own.order.row().filter(|order| order.saga == Some(case.evidence.id)) {
        let backed = match order.state {
            OrderState::PaymentSuccess => done(case, "order.confirm", Direction::Action),
            OrderState::PaymentConfirm => done(case, "order.open", Direction::Action),
            state => has_failed(state) && done(case, "order.open", Direction::Undo),
        };
        found.expect(backed, || {
            let state = shown(Some(order.state));
            format!("{}: its order is {state}, and no row in order's ledger says why", case.name())
        });
    }
}

fn reservations(case: &Case<'_>, own: &ShopSaga, input: &OrderSagaInput, found: &mut Findings) {
    let wanted = if done(case, "stock.reserve", Direction::Action) { own.wanted() } else { BTreeMap::new() };
    let mut made: BTreeMap<&str, i64> = BTreeMap::new();
    for reservation in &own.reservations {
        *made.entry(&reservation.item).or_default() += reservation.quantity;
        found.expect(reservation.order == input.order_number, || {
            format!("{}: holds {} for order {}", case.name(), reservation.item, reservation.order)
        });
    }
    found.expect(wanted == made, || {
        format!("{}: stock's ledger stands for {wanted:?}, its reservations are {made:?}", case.name())
    });
}

/// Decided by what is left, not by clocks: a participant's clock may jump.
fn no_late_action(case: &Case<'_>, found: &mut Findings) {
    let Some(own) = case.own::<ShopSaga>() else { return };
    for (participant, step, undo) in undos(case).filter(|(.., undo)| undo.succeeded()) {
        let name = case.definition.and_then(|definition| definition.step(step)).map_or("", |step| step.name.as_str());
        let left = match (name, participant) {
            ("stock.reserve", STOCK) => {
                let held = own.reservations.iter().find(|reservation| reservation.held);
                held.map(|held| format!("{} of {} held", held.quantity, held.item))
            }
            ("order.open", ORDER) => own
                .order
                .row()
                .filter(|order| order.saga == Some(case.evidence.id))
                .filter(|order| matches!(order.state, OrderState::PaymentConfirm | OrderState::PaymentSuccess))
                .map(|order| format!("its order {}", shown(Some(order.state)))),
            _ => None,
        };
        found.expect(left.is_none(), || {
            let left = left.unwrap_or_default();
            format!("{}: {participant} undid step {step} (attempt {}), yet left {left}", case.name(), undo.attempt)
        });
    }
    // The undo of a payment made before the saga closes it for claims.
    if own.closed && case.coverage.has(CLAIMS) {
        let claimed = own.claim.row().is_some_and(|claim| claim.saga == case.evidence.id && claim.state == 1);
        let finished = done(case, "payment.taken", Direction::Undo);
        found.expect(!(claimed && finished), || {
            format!("{}: sent its payment back, and holds it still or again", case.name())
        });
    }
}
