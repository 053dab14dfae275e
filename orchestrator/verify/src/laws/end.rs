//! Laws of the end: completed means all done and nothing undone, compensated that nothing is left.

use super::{Case, Found, Law};
use crate::databases::{ORDER, PAYMENT, STOCK};
use saga_core::definition::Definition;
use saga_core::saga::{Direction, State};
use shop_proto::order::v1::OrderState;
use std::collections::BTreeMap;

/// I3.
pub const STOCK_OF_ORDER: Law = Law {
    id: "I3",
    name: "a completed order holds exactly what it ordered, an undone one nothing",
    unit: "ended orders",
    live: true,
    check: stock_of_order,
};

/// I10.
pub const COMPLETED: Law = Law {
    id: "I10",
    name: "completed: every step is done, none undone, and the order says so",
    unit: "completed sagas",
    live: true,
    check: completed,
};

/// I10.
pub const COMPENSATED: Law = Law {
    id: "I10",
    name: "compensated: every step that was done is undone, and the order says so",
    unit: "compensated sagas",
    live: true,
    check: compensated,
};

fn stock_of_order(case: &Case<'_>, found: &mut Found) {
    let (Some(saga), Some(input), true) = (case.ended(), case.dossier.order_input(), case.coverage.has(STOCK)) else {
        return;
    };
    let mut held: BTreeMap<&str, i64> = BTreeMap::new();
    for hold in case.dossier.holds.iter().filter(|hold| hold.is_held()) {
        *held.entry(&hold.item).or_default() += hold.quantity;
    }
    let mut sold: BTreeMap<&str, i64> = BTreeMap::new();
    if saga.state == State::Completed {
        for line in &input.lines {
            *sold.entry(&line.item_id).or_default() += line.quantity;
        }
    }
    // What an operator settled by hand is the operator's.
    let by_hand = case.definition.and_then(|definition| definition.position("stock.reserve")).is_some_and(|step| {
        case.story.by_hand.contains(&(step, Direction::Action)) || case.story.by_hand.contains(&(step, Direction::Undo))
    });
    found.expect(by_hand || held == sold, || {
        format!("{}: it is {}, holds {held:?}, sold {sold:?}", case.name(), saga.state.name())
    });
}

fn completed(case: &Case<'_>, found: &mut Found) {
    let (Some(saga), Some(definition)) = (case.saga(), case.definition) else { return };
    if saga.state != State::Completed {
        return;
    }
    let mut problems = Vec::new();
    for (index, step) in (0u8..).zip(definition.steps()) {
        let action = (index, Direction::Action);
        if step.action.is_some() && !case.story.by_hand.contains(&action) {
            // A journal that cannot be followed is I12's.
            if case.story.broken.is_none() && !case.story.succeeded(action) {
                problems.push(format!("its journal has no success of step {index}"));
            }
            if case.coverage.has(&step.participant) && !in_ledger(case, index, Direction::Action) {
                problems.push(format!("{} has not done step {index}", step.participant));
            }
        }
        if case.dossier.effects_of(index, Direction::Undo).next().is_some() {
            problems.push(format!("{} has undone step {index}", step.participant));
        }
    }
    if let Some(state) = order_state(case)
        && state != OrderState::PaymentSuccess
        && !confirmed_by_hand(case, definition)
    {
        problems.push(format!("its order is {}", state.as_str_name()));
    }
    found.expect(problems.is_empty(), || format!("{}: completed, but {}", case.name(), problems.join("; ")));
}

fn compensated(case: &Case<'_>, found: &mut Found) {
    let (Some(saga), Some(definition)) = (case.saga(), case.definition) else { return };
    let State::Compensated { .. } = &saga.state else { return };
    let mut problems = Vec::new();
    for (index, step) in (0u8..).zip(definition.steps()) {
        if !case.coverage.has(&step.participant) {
            continue;
        }
        let acted = in_ledger(case, index, Direction::Action);
        let by = match &step.covered_by {
            Some(covering) if step.undo.is_none() => definition.position(covering),
            _ => Some(index),
        };
        let undo = by.map(|by| (by, Direction::Undo));
        let must = acted || (step.action.is_none() && step.undo.is_some());
        let undone = undo.is_some_and(|(by, direction)| {
            case.story.by_hand.contains(&(by, direction)) || in_ledger(case, by, direction)
        });
        if must && !undone {
            problems.push(format!("{} has not undone step {index}", step.participant));
        }
    }
    // An order of other content was never this saga's: it stays as it was.
    if let Some(state @ (OrderState::PaymentConfirm | OrderState::PaymentSuccess)) = order_state(case)
        && !rejected_by_hand(case, definition)
    {
        problems.push(format!("its order is {}", state.as_str_name()));
    }
    found.expect(problems.is_empty(), || format!("{}: compensated, but {}", case.name(), problems.join("; ")));
}

fn in_ledger(case: &Case<'_>, step: u8, direction: Direction) -> bool {
    case.dossier.effects_of(step, direction).any(|(_, effect)| effect.succeeded())
}

/// Where the saga's own order stands, if the order database was read and the order is this saga's.
fn order_state(case: &Case<'_>) -> Option<OrderState> {
    let order = case.dossier.order.row().filter(|_| case.coverage.has(ORDER))?;
    (order.saga == Some(case.dossier.id.0)).then_some(order.state)
}

fn confirmed_by_hand(case: &Case<'_>, definition: &Definition) -> bool {
    let step = definition.position("order.confirm");
    step.is_some_and(|step| case.story.by_hand.contains(&(step, Direction::Action)))
}

fn rejected_by_hand(case: &Case<'_>, definition: &Definition) -> bool {
    let step = definition.position("order.open");
    step.is_some_and(|step| case.story.by_hand.contains(&(step, Direction::Undo)))
}

/// True if an operator settled the refund or the verification of this saga's payment.
#[must_use]
pub fn payment_by_hand(case: &Case<'_>) -> bool {
    let Some(definition) = case.definition else { return false };
    case.story.by_hand.iter().any(|(step, _)| definition.step(*step).is_some_and(|step| step.participant == PAYMENT))
}
