//! Laws of money: what the provider's own ledger holds for an order is what the order is worth, and goes back at most once.

use super::end::payment_by_hand;
use super::{Case, Found, Law};
use crate::evidence::LedgerPayment;
use saga_core::saga::State;
use shop_proto::order::v1::OrderSagaInput;

/// I4.
pub const PAYMENT_OF_ORDER: Law = Law {
    id: "I4",
    name: "a completed order's payment is its total and was kept, an undone order's payment went back in full",
    unit: "ended orders",
    live: true,
    check: payment_of_order,
};

/// I5.
pub const REFUND_ONCE: Law = Law {
    id: "I5",
    name: "one capture for each order, at most one refund of it, never more than was paid",
    unit: "payments",
    live: true,
    check: refund_once,
};

/// The payment that a saga names and that was made under its order's number: the only one it may touch.
#[must_use]
pub fn named<'a>(case: &Case<'a>, input: &OrderSagaInput) -> Option<&'a LedgerPayment> {
    let ours =
        |payment: &&LedgerPayment| payment.imp_uid == input.payment_id && payment.merchant_uid == input.order_number;
    case.dossier.paid.iter().find(ours)
}

/// What the order is worth, minor units.
#[must_use]
pub fn worth(input: &OrderSagaInput) -> i128 {
    input.lines.iter().map(|line| i128::from(line.quantity) * i128::from(line.unit_price_minor_units)).sum()
}

fn payment_of_order(case: &Case<'_>, found: &mut Found) {
    let (Some(saga), Some(input), true) = (case.ended(), case.dossier.order_input(), case.coverage.provider) else {
        return;
    };
    if payment_by_hand(case) {
        return;
    }
    let payment = named(case, &input);
    let problem = match (&saga.state, payment) {
        (State::Completed, None) => Some("completed, but the provider knows no such payment of this order".to_owned()),
        (State::Completed, Some(payment)) => {
            let kept = i128::from(payment.paid) - i128::from(payment.refunded);
            let (worth, currency) = (worth(&input), &input.currency_code);
            (kept != worth || payment.currency != *currency)
                .then(|| format!("worth {worth} {currency}, but the provider keeps {kept} {}", payment.currency))
        }
        (_, Some(payment)) if payment.paid != payment.refunded => {
            Some(format!("undone, but {} of {} went back", payment.refunded, payment.paid))
        }
        _ => None,
    };
    found.expect(problem.is_none(), || format!("{}: {}", case.name(), problem.unwrap_or_default()));
}

fn refund_once(case: &Case<'_>, found: &mut Found) {
    for payment in &case.dossier.paid {
        let once = payment.refunds <= 1 && payment.refunded <= payment.paid && payment.refunded >= 0;
        found.expect(once, || {
            let LedgerPayment { imp_uid, paid, refunded, refunds, .. } = payment;
            format!("{}: payment {imp_uid} of {paid} was refunded {refunds} times, {refunded} in all", case.name())
        });
    }
    let live = case.dossier.paid.iter().filter(|payment| payment.paid > payment.refunded).count();
    if live > 1 {
        found.broken.push(format!("{}: {live} captures of its order are kept", case.name()));
    }
}
