//! The shop's invariants: orders, payments, stock and money. Pure, each shown to fail by a planted lie.

pub mod effects;
pub mod money;
pub mod orders;
pub mod stock;

use crate::evidence::ShopAtLarge;
use baton_verify::evidence::{Case, Evidence};
use baton_verify::invariant::{Invariant, Law};
use baton_verify::saga_evidence::Effect;
use saga_core::saga::Direction;
use shop_proto::order::v1::OrderState;

/// Every one of them, in the order of the invariants.
pub const LAWS: &[Law] = &[
    orders::ORDER_EXISTS,
    orders::PROMISED_ORDER_EXISTS,
    orders::ONE_SAGA,
    stock::STOCK_OF_ORDER,
    stock::SHELVES,
    money::PAYMENT_OF_ORDER,
    money::MONEY,
    money::REFUND_ONCE,
    money::REFUNDS,
    money::CLAIMS_PAID,
    money::BYSTANDERS_UNTOUCHED,
    effects::EFFECT_AND_LEDGER,
    effects::NO_LATE_ACTION,
    orders::AGREES,
    orders::TOLD_THE_TRUTH,
];

/// The same, for an audit.
#[must_use]
pub fn invariants() -> Vec<&'static dyn Invariant> {
    LAWS.iter().map(|law| law as &dyn Invariant).collect()
}

/// Of what belongs to no single saga, one part.
fn at_large<T>(evidence: &Evidence, part: fn(&ShopAtLarge) -> &Vec<T>) -> &[T] {
    evidence.own.get().map_or(&[], |own| part(own))
}

/// The row of a half-step in a ledger, by the step's name.
fn row<'a>(case: &Case<'a>, step: &str, direction: Direction) -> Option<&'a Effect> {
    let index = case.definition?.position(step)?;
    case.evidence.effects_of(index, direction).map(|(_, effect)| effect).next()
}

fn done(case: &Case<'_>, step: &str, direction: Direction) -> bool {
    row(case, step, direction).is_some_and(Effect::succeeded)
}

/// True if an operator took this half-step upon himself: what he settled is his.
fn by_hand(case: &Case<'_>, step: &str, direction: Direction) -> bool {
    let index = case.definition.and_then(|definition| definition.position(step));
    index.is_some_and(|index| case.story.by_hand.contains(&(index, direction)))
}

fn shown(state: Option<OrderState>) -> &'static str {
    state.map_or("missing", |state| state.as_str_name().trim_start_matches("ORDER_STATE_"))
}

/// True at the ends of an order that failed.
fn has_failed(state: OrderState) -> bool {
    matches!(state, OrderState::PaymentOutOfStock | OrderState::PaymentNoPaymentInfo | OrderState::Cancelled)
}

#[cfg(test)]
mod tests;
