//! The commands' payloads, parsed into what the participant works with.

use crate::claim::{Claimant, SagaId};
use crate::money::Money;
use crate::refund::Refund;
use baton_participant_kit::participant::{Answer, Command};
use baton_participant_kit::reason::{MALFORMED_PAYLOAD, UNKNOWN_COMMAND};
use prost::Message as _;
use shop_domain::currency::Currency;
use shop_domain::identifier::{OrderNumber, PaymentId};
use shop_proto::payment::v1::{CancelPayment, VerifyPayment};

/// Looks a payment up, compares it with the order and claims it for the saga.
pub const VERIFY: &str = "payment.verify";

/// Sends a payment back, if it is this order's. The undo of a payment made before the saga.
pub const CANCEL: &str = "payment.cancel";

/// Longest reason that is handed to the provider, in bytes.
pub const REASON_MAX: usize = 100;

/// A payment to be verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verify {
    /// Who asks, and for which payment.
    pub claimant: Claimant,
    /// What must have been paid.
    pub money: Money,
}

/// A command's payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// `payment.verify`.
    Verify(Verify),
    /// `payment.cancel`.
    Cancel(Refund),
}

/// Parses a command; a payload that cannot be understood is refused for good.
pub fn parse(command: &Command) -> Result<Payload, Answer> {
    let parsed = match command.name.as_str() {
        VERIFY => verify(command).map(Payload::Verify),
        CANCEL => cancel(command).map(Payload::Cancel),
        // The kit asks only for the names above.
        _ => return Err(Answer::unavailable(UNKNOWN_COMMAND, "not a payment command")),
    };
    parsed.map_err(|what| Answer::rejected(MALFORMED_PAYLOAD, format!("{what} is missing or malformed")))
}

fn verify(command: &Command) -> Result<Verify, &'static str> {
    let message = VerifyPayment::decode(command.payload.clone()).map_err(|_| "the payload")?;
    let money = Money {
        currency: Currency::from_code(&message.currency_code).map_err(|_| "currency_code")?,
        minor_units: Some(message.amount_minor_units).filter(|amount| *amount >= 0).ok_or("amount_minor_units")?,
    };
    Ok(Verify { claimant: claimant(command.key.saga, &message.payment_id, &message.order_number)?, money })
}

fn cancel(command: &Command) -> Result<Refund, &'static str> {
    let message = CancelPayment::decode(command.payload.clone()).map_err(|_| "the payload")?;
    let mut reason = message.reason;
    reason.truncate(reason.floor_char_boundary(REASON_MAX));
    if reason.is_empty() || reason.chars().any(char::is_control) {
        "ORDER_NOT_COMPLETED".clone_into(&mut reason);
    }
    Ok(Refund { claimant: claimant(command.key.saga, &message.payment_id, &message.order_number)?, reason })
}

fn claimant(saga: SagaId, payment_id: &str, order_number: &str) -> Result<Claimant, &'static str> {
    Ok(Claimant {
        payment_id: PaymentId::parse(payment_id).map_err(|_| "payment_id")?,
        order: OrderNumber::parse(order_number).map_err(|_| "order_number")?,
        saga,
    })
}
