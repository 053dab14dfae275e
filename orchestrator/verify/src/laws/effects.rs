//! Laws over effects: at most one for each half-step, where it belongs, and none that its undo has forbidden.

use super::{Case, Found, Law};
use crate::databases::dossier::{Effect, Found as Read};
use crate::databases::{ORDER, PAYMENT, STOCK};
use saga_core::saga::{Direction, StepIndex};
use shop_proto::order::v1::OrderState;
use std::collections::BTreeMap;

/// I6.
pub const ONE_PARTICIPANT: Law = Law {
    id: "I6",
    name: "every (saga, step, direction) is answered at most once, by the participant of the step",
    unit: "ledger rows",
    live: true,
    check: one_participant,
};

/// I6.
pub const EFFECT_AND_LEDGER: Law = Law {
    id: "I6",
    name: "reservations, claims and orders are what the ledgers say was done, no more and no less",
    unit: "effects",
    live: true,
    check: effect_and_ledger,
};

/// I7.
pub const UNDO_HAS_ACTION: Law = Law {
    id: "I7",
    name: "every undo in a ledger has its action there, done, refused or buried",
    unit: "undos",
    live: true,
    check: undo_has_action,
};

/// I8.
pub const NO_LATE_ACTION: Law = Law {
    id: "I8",
    name: "once an undo is in the ledger nothing of its action is left or comes back",
    unit: "undos",
    live: true,
    check: no_late_action,
};

fn one_participant(case: &Case<'_>, found: &mut Found) {
    let mut seen: BTreeMap<(i64, i64), &str> = BTreeMap::new();
    for (participant, effects) in &case.dossier.effects {
        for effect in effects {
            let (step, half) = (effect.step, effect.half().map_or("?", Direction::as_str));
            let owner = u8::try_from(effect.step).ok().and_then(|step| case.definition?.step(step));
            let owner = owner.map(|step| step.participant.as_str());
            let strange = case.definition.is_some() && owner != Some(participant.as_str());
            let other = seen.insert((effect.step, effect.direction), participant);
            found.expect(!strange && other.is_none(), || match other {
                Some(other) => {
                    format!("{}: the {half} of step {step} is answered by {other} and {participant}", case.name())
                }
                None => {
                    format!("{}: {participant} answered the {half} of step {step}, which is not its own", case.name())
                }
            });
        }
    }
}

/// The order saga's row in a ledger: step by name, and which half.
fn row<'a>(case: &Case<'a>, step: &str, direction: Direction) -> Option<&'a Effect> {
    let index = case.definition?.position(step)?;
    case.dossier.effects_of(index, direction).map(|(_, effect)| effect).next()
}

fn done(case: &Case<'_>, step: &str, direction: Direction) -> bool {
    row(case, step, direction).is_some_and(Effect::succeeded)
}

fn effect_and_ledger(case: &Case<'_>, found: &mut Found) {
    let Some(input) = case.dossier.order_input() else { return };
    if case.coverage.has(STOCK) {
        reservations(case, &input, found);
    }
    if case.coverage.has(PAYMENT) && done(case, "payment.verify", Direction::Action) {
        let ours = case.dossier.claim.row().is_some_and(|claim| claim.saga == case.dossier.id);
        found.expect(ours, || format!("{}: verified its payment, but does not hold it", case.name()));
    }
    if case.coverage.has(ORDER) && done(case, "order.confirm", Direction::Action) {
        let state = case.dossier.order.row().map(|order| order.state);
        found.expect(state == Some(OrderState::PaymentSuccess), || {
            format!("{}: confirmed its order, which is {}", case.name(), shown(state))
        });
    }
    if let Some(order) = case.dossier.order.row().filter(|order| order.saga == Some(case.dossier.id.0)) {
        let backed = match order.state {
            OrderState::PaymentSuccess => done(case, "order.confirm", Direction::Action),
            OrderState::PaymentConfirm => done(case, "order.open", Direction::Action),
            OrderState::PaymentOutOfStock | OrderState::PaymentNoPaymentInfo | OrderState::Cancelled => {
                done(case, "order.open", Direction::Undo)
            }
            OrderState::PaymentPending | OrderState::Unspecified => false,
        };
        found.expect(backed, || {
            let state = shown(Some(order.state));
            format!("{}: its order is {state}, and no row in order's ledger says why", case.name())
        });
    }
}

fn reservations(case: &Case<'_>, input: &shop_proto::order::v1::OrderSagaInput, found: &mut Found) {
    let mut wanted: BTreeMap<&str, i64> = BTreeMap::new();
    if done(case, "stock.reserve", Direction::Action) {
        for line in &input.lines {
            *wanted.entry(&line.item_id).or_default() += line.quantity;
        }
    }
    let mut made: BTreeMap<&str, i64> = BTreeMap::new();
    for hold in &case.dossier.holds {
        *made.entry(&hold.item).or_default() += hold.quantity;
        found.expect(hold.order == input.order_number, || {
            format!("{}: holds {} for order {}", case.name(), hold.item, hold.order)
        });
    }
    found.expect(wanted == made, || {
        format!("{}: stock's ledger stands for {wanted:?}, its reservations are {made:?}", case.name())
    });
}

fn shown(state: Option<OrderState>) -> &'static str {
    state.map_or("missing", |state| state.as_str_name().trim_start_matches("ORDER_STATE_"))
}

/// Every undo row with its step, if the step has an action.
fn undos<'a>(case: &Case<'a>) -> impl Iterator<Item = (&'a str, StepIndex, &'a Effect)> {
    let definition = case.definition;
    case.dossier.effects.iter().flat_map(move |(participant, effects)| {
        effects.iter().filter_map(move |effect| {
            let step = u8::try_from(effect.step).ok()?;
            let has_action = definition?.step(step)?.action.is_some();
            (has_action && effect.half() == Some(Direction::Undo)).then_some((participant.as_str(), step, effect))
        })
    })
}

fn undo_has_action(case: &Case<'_>, found: &mut Found) {
    for (participant, step, _) in undos(case) {
        let effects = &case.dossier.effects[participant];
        let action =
            effects.iter().any(|effect| effect.step == i64::from(step) && effect.half() == Some(Direction::Action));
        found.expect(action, || {
            format!("{}: {participant} undid step {step}, of whose action its ledger knows nothing", case.name())
        });
    }
}

/// Decided by what is left, not by clocks: a participant's clock may jump.
fn no_late_action(case: &Case<'_>, found: &mut Found) {
    let dossier = case.dossier;
    for (participant, step, undo) in undos(case).filter(|(.., undo)| undo.succeeded()) {
        let name = case.definition.and_then(|definition| definition.step(step)).map_or("", |step| step.name.as_str());
        let left = match (name, participant) {
            ("stock.reserve", STOCK) => dossier
                .holds
                .iter()
                .find(|hold| hold.is_held())
                .map(|hold| format!("{} of {} held", hold.quantity, hold.item)),
            ("order.open", ORDER) => dossier
                .order
                .row()
                .filter(|order| order.saga == Some(dossier.id.0))
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
    if dossier.closed && case.coverage.has(PAYMENT) {
        let claimed = match &dossier.claim {
            Read::Row(claim) => claim.saga == dossier.id && claim.state == 1,
            Read::Missing | Read::Damaged(_) => false,
        };
        let finished = done(case, "payment.taken", Direction::Undo);
        found.expect(!(claimed && finished), || {
            format!("{}: sent its payment back, and holds it still or again", case.name())
        });
    }
}
