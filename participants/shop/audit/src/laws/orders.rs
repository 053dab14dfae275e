//! Laws over orders: they exist, have one saga, say what their saga says, and are what callers were told.

use super::{by_hand, has_failed, shown};
use crate::evidence::{ORDERS, OrderStates, ShopSaga};
use baton_query::filter::StateKind;
use baton_verify::coverage::{HISTORY, JOURNALS, Mode, SAGAS};
use baton_verify::evidence::{Case, Evidence};
use baton_verify::history::Kind;
use baton_verify::invariant::{Findings, Law};
use baton_verify::laws::history::answered;
use baton_verify::saga_evidence::Read;
use saga_core::saga::Direction;
use shop_proto::order::v1::OrderState;
use std::collections::BTreeSet;

/// The step that finds or creates an order.
const OPEN: &str = "order.open";

pub const ORDER_EXISTS: Law = Law::of_saga(
    "I1",
    "the order of every saga that opened it exists and names that saga",
    "opened orders",
    &[JOURNALS, ORDERS],
    order_exists,
);
pub const PROMISED_ORDER_EXISTS: Law = Law::whole(
    "I1",
    "every order a client was promised exists",
    "promised orders",
    &[HISTORY, ORDERS],
    promised_order_exists,
);
pub const ONE_SAGA: Law = Law::whole(
    "I2",
    "an order that clients spoke of has one saga, forgotten ones counted",
    "orders",
    &[HISTORY],
    one_saga,
);
pub const AGREES: Law = Law::of_saga(
    "I10",
    "order and saga agree: the order of a completed saga is paid, that of a compensated one has failed",
    "ended orders",
    &[SAGAS, ORDERS],
    agrees,
);
pub const TOLD_THE_TRUTH: Law = Law::whole(
    "I16",
    "the end a client was told is the one that is stored",
    "ends told",
    &[HISTORY, ORDERS],
    told_the_truth,
);

fn order_exists(case: &Case<'_>, found: &mut Findings) {
    let Some(step) = case.definition.and_then(|definition| definition.position(OPEN)) else { return };
    if !case.story.succeeded((step, Direction::Action)) {
        return;
    }
    let problem = match case.own::<ShopSaga>().map(|own| &own.order) {
        None | Some(Read::Missing) => Some("its order does not exist".to_owned()),
        Some(Read::Damaged(why)) => Some(format!("its order cannot be read: {why}")),
        Some(Read::Row(order)) if order.saga != Some(case.evidence.id) => {
            Some("its order names another saga".to_owned())
        }
        Some(Read::Row(_)) => None,
    };
    found.unless(|| case.name(), problem);
}

fn promised_order_exists(evidence: &Evidence, found: &mut Findings) {
    let states = evidence.own.get::<OrderStates>();
    let promised: BTreeSet<&str> = answered(&evidence.history)
        .filter(|(call, ..)| call.kind == Kind::Place && !call.key.is_empty())
        .map(|(call, ..)| call.key.as_str())
        .collect();
    for order in promised {
        let is_there = states.is_some_and(|states| states.0.contains_key(order));
        found.expect(is_there, || format!("order {order} is gone"));
    }
}

fn one_saga(evidence: &Evidence, found: &mut Findings) {
    let orders: BTreeSet<&str> = evidence.history.iter().map(|call| call.key.as_str()).collect();
    for order in orders.into_iter().filter(|order| !order.is_empty()) {
        let count = evidence.memory.ever_of(order).len();
        found.expect(count <= 1, || format!("order {order} has {count} sagas"));
    }
}

fn agrees(case: &Case<'_>, found: &mut Findings) {
    let (Some(ended), Some(own)) = (case.ended(), case.own::<ShopSaga>()) else { return };
    let Some(order) = own.order.row() else { return };
    if order.saga != Some(case.evidence.id) {
        // An order of other content was never this saga's: it stays as it was. A run whose clients are known has none.
        if case.mode == Mode::Finished {
            found.expect(false, || format!("{}: its order names another saga, or none", case.name()));
        }
        return;
    }
    let holds = match ended {
        StateKind::Completed => {
            order.state == OrderState::PaymentSuccess || by_hand(case, "order.confirm", Direction::Action)
        }
        _ => has_failed(order.state) || by_hand(case, OPEN, Direction::Undo),
    };
    found.expect(holds, || {
        format!("{}: {}, but its order is {}", case.name(), ended.as_str(), shown(Some(order.state)))
    });
}

fn told_the_truth(evidence: &Evidence, found: &mut Findings) {
    let Some(OrderStates(states)) = evidence.own.get() else { return };
    for (call, _, state) in answered(&evidence.history) {
        let Some(state) = state.and_then(end_of) else { continue };
        let stored = states.get(&call.key).copied();
        found.expect(stored == Some(state), || {
            format!("order {}: a client was told {}, it is {}", call.key, shown(Some(state)), shown(stored))
        });
    }
}

/// The order state that is told, if it is an end.
fn end_of(told: &str) -> Option<OrderState> {
    let name = if told.starts_with("ORDER_STATE_") { told.to_owned() } else { format!("ORDER_STATE_{told}") };
    OrderState::from_str_name(&name).filter(|state| *state == OrderState::PaymentSuccess || has_failed(*state))
}
