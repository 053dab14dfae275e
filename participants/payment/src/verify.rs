//! Whether a payment is the one that an order needs. Pure: what the provider shows in, a judgement out.

use crate::command::Verify;
use crate::gateway::{Lookup, ProviderPayment, ProviderState};
use crate::money::Money;
use crate::{reason, refund};
use baton_participant_kit::participant::Answer;
use baton_rpc::reason::Reason;

/// What a look at the provider says of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It is the one; what was paid.
    Fits(Money),
    /// Not yet. What it is called once nobody waits any more, and what it means for people.
    NotYet(Reason, &'static str),
    /// It can be answered as it stands.
    Answered(Answer),
}

/// Judges what was found.
pub(crate) fn judge(verify: &Verify, found: &Lookup) -> Judgement {
    let payment = match found {
        Lookup::Found(payment) => payment,
        Lookup::Unknown => return Judgement::NotYet(reason::PAYMENT_UNKNOWN, "the provider knows no such payment"),
        Lookup::Unavailable(why) => return Judgement::Answered(refund::unavailable(why)),
    };
    // Whose it is comes first: its amount is nobody else's business.
    if payment.merchant_number != verify.claimant.order.to_string() {
        return refused(reason::PAYMENT_OF_OTHER_ORDER, "the payment was made under another number");
    }
    match payment.state {
        // A payment that failed may be tried again, and then be paid.
        ProviderState::Ready | ProviderState::Failed => {
            return Judgement::NotYet(reason::PAYMENT_NOT_PAID, "the customer has not paid");
        }
        ProviderState::Cancelled => return refused(reason::PAYMENT_CANCELLED, "the payment was cancelled"),
        ProviderState::Paid if payment.cancelled_minor_units != 0 => {
            return refused(reason::PAYMENT_CANCELLED, "a part of the payment was cancelled");
        }
        ProviderState::Paid => {}
    }
    paid(verify, payment)
}

fn paid(verify: &Verify, payment: &ProviderPayment) -> Judgement {
    let (wanted, paid) = (verify.money, payment.amount);
    if paid.currency != wanted.currency {
        let message = format!("the order is in {}, the payment in {}", wanted.currency, paid.currency);
        return refused(reason::PAYMENT_CURRENCY_MISMATCH, message);
    }
    if paid.minor_units != wanted.minor_units {
        return refused(reason::PAYMENT_AMOUNT_MISMATCH, format!("the order costs {wanted}, paid were {paid}"));
    }
    Judgement::Fits(paid)
}

fn refused(reason: Reason, message: impl Into<String>) -> Judgement {
    Judgement::Answered(Answer::rejected(reason, message))
}
