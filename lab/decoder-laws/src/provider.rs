//! Answers of the payment provider: never found and unknown at once, never another payment's, amounts exact, and no
//! token in an error.

use baton_payment::gateway::{Cancelled, Lookup, ProviderPayment};
use baton_payment::money::{Money, from_number};
use baton_payment::wire::{HttpAnswer, access_token, cancelled, lookup, lookups};
use serde_json::Value;
use shop_domain::identifier::PaymentId;

/// Longest message of the provider that is passed on.
const MESSAGE_MAX: usize = 200;

/// Two bytes are the HTTP status, the rest the body.
///
/// # Panics
/// If a law is broken.
pub fn check(data: &[u8]) {
    let (status, body) = match data {
        [low, high, body @ ..] => (u16::from_le_bytes([*low, *high]), body),
        short => (200, short),
    };
    let answer = HttpAnswer { status, body: body.to_vec() };
    let asked = PaymentId::parse("imp_1").expect("an id");
    let envelope = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let succeeded = envelope.get("code").and_then(Value::as_i64) == Some(0);
    let looked_up = lookup(&answer, &asked);
    let sent_back = cancelled(&answer, &asked);
    match &looked_up {
        Lookup::Found(payment) => {
            of_payment(payment, &asked);
            assert_eq!(sent_back, Cancelled::Done(payment.clone()), "both calls read the same payment");
        }
        Lookup::Unknown => assert!(status == 404 && envelope.get("code").is_some(), "only an envelope says unknown"),
        Lookup::Unavailable(why) => assert!(!why.is_empty()),
    }
    match &sent_back {
        Cancelled::Done(_) => assert!(matches!(looked_up, Lookup::Found(_)), "both calls read the same payment"),
        Cancelled::Refused { message } => {
            assert!(message.len() <= MESSAGE_MAX && !succeeded, "a success is never a refusal");
        }
        Cancelled::InDoubt(why) => assert!(!why.is_empty()),
    }
    of_list(&answer, &asked);
    of_token(&answer, &envelope);
}

fn of_payment(payment: &ProviderPayment, asked: &PaymentId) {
    assert_eq!(payment.payment_id, *asked, "never another payment");
    assert!(payment.merchant_number.len() <= MESSAGE_MAX);
    let remaining = payment.remaining().minor_units;
    assert!((0..=payment.amount.minor_units).contains(&remaining), "what is left is a part of what was paid");
    for minor_units in [payment.amount.minor_units, payment.cancelled_minor_units] {
        let money = Money { currency: payment.amount.currency, minor_units };
        // With an exponent the same amount has more digits in minor units than it had on the wire.
        if let Some(number) = money.to_number() {
            assert_eq!(from_number(&number, money.currency), Some(minor_units), "an amount survives the wire");
        }
    }
}

/// A list says of one payment what it alone would say, or nothing.
fn of_list(answer: &HttpAnswer, asked: &PaymentId) {
    let other = PaymentId::parse("imp_2").expect("an id");
    let found = lookups(answer, &[other.clone(), asked.clone(), asked.clone()]);
    assert!(found.len() == 3 && found[1] == found[2], "one entry each, in order");
    for (entry, id) in found.iter().zip([&other, asked]) {
        match entry {
            Some(Lookup::Found(payment)) => of_payment(payment, id),
            Some(other) => panic!("a list only tells what it shows: {other:?}"),
            None => {}
        }
    }
}

fn of_token(answer: &HttpAnswer, envelope: &Value) {
    let token = envelope.pointer("/response/access_token").and_then(Value::as_str).unwrap_or_default();
    match access_token(answer) {
        Ok((read, _)) => assert_eq!(read, token),
        // Shorter ones may stand in any sentence.
        Err(why) => assert!(token.len() < 16 || !why.contains(token), "the token is in an error"),
    }
}
