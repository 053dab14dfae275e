//! Laws of money: what the provider's own ledger holds for an order is what the order is worth, and goes back at most once.

use super::at_large;
use crate::PAYMENT;
use crate::evidence::{BYSTANDERS, CLAIMS, Claim, PAYMENTS, Payment, ShopSaga};
use baton_query::filter::StateKind;
use baton_verify::coverage::{Mode, SAGAS};
use baton_verify::evidence::{Case, Evidence};
use baton_verify::invariant::{Findings, Law};

pub const PAYMENT_OF_ORDER: Law = Law::of_saga(
    "I4",
    "a completed order's payment is its total and was kept, an undone order's payment went back in full",
    "ended orders",
    &[SAGAS, PAYMENTS],
    payment_of_order,
);
pub const MONEY: Law = Law::of_saga(
    "I4",
    "money: paid - refunded of ended orders = totals of completed orders, per currency",
    "currencies",
    &[SAGAS, PAYMENTS],
    money,
);
pub const REFUND_ONCE: Law = Law::of_saga(
    "I5",
    "one capture for each order, at most one refund of it, never more than was paid",
    "payments",
    &[SAGAS, PAYMENTS],
    refund_once,
);
pub const REFUNDS: Law = Law::whole(
    "I5",
    "the provider refunded only what its own order's saga took in order to send it back",
    "refunds",
    &[CLAIMS, PAYMENTS],
    refunds,
);
pub const CLAIMS_PAID: Law = Law::whole(
    "I5",
    "every claim is on a payment the provider made for that very order and amount",
    "claims",
    &[CLAIMS, PAYMENTS],
    claims_paid,
);
/// I5: nobody may refund somebody else's money.
pub const BYSTANDERS_UNTOUCHED: Law =
    Law::whole("I5", "payments of other orders are untouched", "payments", &[BYSTANDERS], bystanders_untouched);

/// The payments that a saga answers for: the one that it names and that was made under its order's number, the only one it
/// may touch. In a run whose clients are known, and where the name is not, all that were made under its order's number.
fn ours<'a>(case: &Case<'_>, own: &'a ShopSaga) -> impl Iterator<Item = &'a Payment> {
    let named = own.input.as_ref().filter(|_| case.mode != Mode::Finished);
    own.payments.iter().filter(move |payment| {
        named.is_none_or(|input| payment.imp_uid == input.payment_id && payment.merchant_uid == input.order_number)
    })
}

/// The end of an order whose money is to be judged. What an operator settled of a payment is the operator's.
fn ended<'a>(case: &Case<'a>) -> Option<(StateKind, &'a ShopSaga, i128, &'a str)> {
    let (state, own) = (case.ended()?, case.own::<ShopSaga>()?);
    let (worth, currency) = own.worth()?;
    let is_payment =
        |step: &u8| case.definition.and_then(|it| it.step(*step)).is_some_and(|step| step.participant == PAYMENT);
    let by_hand = case.story.by_hand.iter().any(|(step, _)| is_payment(step));
    (!by_hand).then_some((state, own, worth, currency))
}

fn payment_of_order(case: &Case<'_>, found: &mut Findings) {
    let Some((state, own, worth, currency)) = ended(case) else { return };
    let problem = if state == StateKind::Completed {
        let kept: i128 = ours(case, own).map(Payment::kept).sum();
        let foreign = ours(case, own).find(|payment| payment.currency != currency);
        match (ours(case, own).next(), foreign) {
            (None, _) => Some("completed, but the provider knows no such payment of this order".to_owned()),
            (_, Some(payment)) => {
                Some(format!("worth {worth} {currency}, but the provider keeps {kept} {}", payment.currency))
            }
            (_, None) => (kept != worth).then(|| format!("worth {worth} {currency}, but the provider keeps {kept}")),
        }
    } else {
        let left = ours(case, own).find(|payment| payment.paid != payment.refunded);
        left.map(|payment| format!("undone, but {} of {} went back", payment.refunded, payment.paid))
    };
    found.unless(|| case.name(), problem);
}

fn money(case: &Case<'_>, found: &mut Findings) {
    let Some((state, own, worth, currency)) = ended(case) else { return };
    for payment in ours(case, own) {
        found.weigh(&payment.currency, payment.kept(), 0);
    }
    if state == StateKind::Completed {
        let total = own.order.row().map_or(worth, |order| i128::from(order.total));
        found.weigh(currency, 0, total);
    }
}

fn refund_once(case: &Case<'_>, found: &mut Findings) {
    let Some(own) = case.own::<ShopSaga>() else { return };
    for payment in &own.payments {
        let once = payment.refunds <= 1 && payment.refunded <= payment.paid && payment.refunded >= 0;
        found.expect(once, || {
            let Payment { imp_uid, paid, refunded, refunds, .. } = payment;
            format!("{}: payment {imp_uid} of {paid} was refunded {refunds} times, {refunded} in all", case.name())
        });
    }
    let live = own.payments.iter().filter(|payment| payment.paid > payment.refunded).count();
    if live > 1 {
        found.broken.push(format!("{}: {live} captures of its order are kept", case.name()));
    }
}

fn refunds(evidence: &Evidence, found: &mut Findings) {
    for (payment, claim) in at_large(evidence, |own| &own.refunds) {
        // 2 refunded, 3 refunding: written before the provider is asked.
        let taken = |claim: &Claim| claim.order == payment.merchant_uid && matches!(claim.state, 2 | 3);
        found.expect(claim.as_ref().is_some_and(taken), || {
            let who = match claim {
                None => "no saga took it".to_owned(),
                Some(claim) => format!("saga {} has it for order {}, state {}", claim.saga, claim.order, claim.state),
            };
            format!("payment {} of order {} was refunded, but {who}", payment.imp_uid, payment.merchant_uid)
        });
    }
}

fn claims_paid(evidence: &Evidence, found: &mut Findings) {
    for (claim, payment) in at_large(evidence, |own| &own.claims) {
        let problem = match payment {
            None => Some("the provider knows no such payment".to_owned()),
            Some(payment) if payment.merchant_uid != claim.order => {
                Some(format!("it was made for order {}", payment.merchant_uid))
            }
            Some(payment) if payment.paid != claim.amount || payment.currency != claim.currency => Some(format!(
                "claimed as {} {}, the provider took {} {}",
                claim.amount, claim.currency, payment.paid, payment.currency
            )),
            Some(payment) if claim.state == 2 && payment.refunded != payment.paid => {
                Some(format!("marked as sent back, but {} of {} went back", payment.refunded, payment.paid))
            }
            Some(_) => None,
        };
        found.unless(|| format!("payment {} of order {}", claim.payment, claim.order), problem);
    }
}

fn bystanders_untouched(evidence: &Evidence, found: &mut Findings) {
    for bystander in at_large(evidence, |own| &own.bystanders) {
        let Payment { imp_uid, paid, refunded, .. } = &bystander.payment;
        found.expect(*refunded == bystander.refunded && *paid != 0, || {
            format!("payment {imp_uid}: paid {paid}, refunded {refunded}, expected {}", bystander.refunded)
        });
    }
}
