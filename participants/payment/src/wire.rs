//! Reads the answers of PortOne's V1 REST API. Pure: bytes in, verdict out.

use crate::gateway::{Cancelled, Lookup, ProviderPayment, ProviderState};
use crate::money::{Money, from_number};
use serde::Deserialize;
use serde_json::{Number, Value};
use shop_domain::currency::Currency;
use shop_domain::identifier::PaymentId;
use std::collections::HashMap;

/// Longest part of a provider's message that is passed on, in bytes.
const MESSAGE_MAX: usize = 200;

/// Longest merchant number that is kept, in bytes; ours have 36.
const MERCHANT_NUMBER_MAX: usize = 200;

/// An HTTP answer.
#[derive(Clone, Debug)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Every answer of the API. `code` 0 is success, whatever the HTTP status says.
#[derive(Debug, Deserialize)]
struct Envelope {
    code: i64,
    message: Option<String>,
    #[serde(default)]
    response: Value,
}

#[derive(Debug, Deserialize)]
struct Payment {
    imp_uid: String,
    merchant_uid: Option<String>,
    status: String,
    amount: Number,
    cancel_amount: Option<Number>,
    currency: String,
}

#[derive(Deserialize)]
struct AccessToken {
    access_token: String,
    expired_at: i64,
    now: i64,
}

/// What `GET /payments/{imp_uid}` said about `payment_id`.
#[must_use]
pub fn lookup(answer: &HttpAnswer, payment_id: &PaymentId) -> Lookup {
    match envelope(answer) {
        Ok(envelope) if envelope.code == 0 => match payment(&envelope.response, payment_id) {
            Ok(payment) => Lookup::Found(payment),
            Err(why) => Lookup::Unavailable(why.to_owned()),
        },
        // Only an envelope says that a payment does not exist: a bare 404 may come from a proxy or a wrong base URL.
        Ok(_) if answer.status == 404 => Lookup::Unknown,
        Ok(envelope) => Lookup::Unavailable(format!("HTTP {}, code {}", answer.status, envelope.code)),
        Err(why) => Lookup::Unavailable(why),
    }
}

/// What `GET /payments?imp_uid[]=…` said about each of `payment_ids`; `None` for those it does not show, or not so that it
/// can be understood.
#[must_use]
pub fn lookups(answer: &HttpAnswer, payment_ids: &[PaymentId]) -> Vec<Option<Lookup>> {
    let list = match envelope(answer) {
        Ok(Envelope { code: 0, response: Value::Array(list), .. }) => list,
        _ => Vec::new(),
    };
    let shown: HashMap<&str, &Value> =
        list.iter().filter_map(|payment| Some((payment.get("imp_uid")?.as_str()?, payment))).collect();
    payment_ids.iter().map(|id| payment(shown.get(id.as_str())?, id).ok().map(Lookup::Found)).collect()
}

/// What `POST /payments/cancel` said about `payment_id`.
#[must_use]
pub fn cancelled(answer: &HttpAnswer, payment_id: &PaymentId) -> Cancelled {
    match envelope(answer) {
        Ok(envelope) if envelope.code == 0 => match payment(&envelope.response, payment_id) {
            Ok(payment) => Cancelled::Done(payment),
            Err(why) => Cancelled::InDoubt(why.to_owned()),
        },
        // The API refuses with 200, 400 or 404; other statuses may hide an effect.
        Ok(envelope) if matches!(answer.status, 200 | 400 | 404) => {
            Cancelled::Refused { message: cut(envelope.message.unwrap_or_default(), MESSAGE_MAX) }
        }
        Ok(envelope) => Cancelled::InDoubt(format!("HTTP {}, code {}", answer.status, envelope.code)),
        Err(why) => Cancelled::InDoubt(why),
    }
}

/// What `POST /users/getToken` said: the token and its life in seconds.
pub fn access_token(answer: &HttpAnswer) -> Result<(String, u64), String> {
    let envelope = envelope(answer)?;
    if envelope.code != 0 {
        return Err(format!("no token: HTTP {}, code {}", answer.status, envelope.code));
    }
    // Neither error may quote the body: it holds the token.
    let token: AccessToken =
        serde_json::from_value(envelope.response).map_err(|_| "no token in the answer".to_owned())?;
    let life_s = u64::try_from(token.expired_at.saturating_sub(token.now)).unwrap_or(0);
    Ok((token.access_token, life_s))
}

/// JSON is UTF-8. The parser looks at that only where it keeps a text, so that garbage in a field nobody reads would pass,
/// and a garbled answer could say for good that a payment does not exist.
fn envelope(answer: &HttpAnswer) -> Result<Envelope, String> {
    let text = std::str::from_utf8(&answer.body).ok();
    let envelope = text.and_then(|text| serde_json::from_str(text).ok());
    envelope.ok_or_else(|| format!("HTTP {} without an envelope", answer.status))
}

fn payment(response: &Value, asked: &PaymentId) -> Result<ProviderPayment, &'static str> {
    let payment = Payment::deserialize(response).map_err(|_| "the answer holds no payment")?;
    if payment.imp_uid != asked.as_str() {
        return Err("the answer is about another payment");
    }
    let state = match payment.status.as_str() {
        "ready" => ProviderState::Ready,
        "paid" => ProviderState::Paid,
        "failed" => ProviderState::Failed,
        "cancelled" => ProviderState::Cancelled,
        _ => return Err("the payment's status is not one of the API's"),
    };
    let currency = Currency::from_code(&payment.currency).map_err(|_| "the payment's currency is no ISO 4217 code")?;
    let minor = |number: &Number| from_number(number, currency).ok_or("an amount is not one of its currency");
    let payment = ProviderPayment {
        payment_id: asked.clone(),
        merchant_number: cut(payment.merchant_uid.unwrap_or_default(), MERCHANT_NUMBER_MAX),
        state,
        amount: Money { currency, minor_units: minor(&payment.amount)? },
        cancelled_minor_units: payment.cancel_amount.as_ref().map_or(Ok(0), minor)?,
    };
    // Taken by its word it would be paid or refunded for good, with money left that the amounts speak of.
    if payment.is_coherent() { Ok(payment) } else { Err("the payment's status contradicts its amounts") }
}

fn cut(mut text: String, most: usize) -> String {
    text.truncate(text.floor_char_boundary(most));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn id() -> PaymentId {
        PaymentId::parse("imp_1").expect("an id")
    }

    fn answer(status: u16, body: &Value) -> HttpAnswer {
        HttpAnswer { status, body: body.to_string().into_bytes() }
    }

    fn paid() -> Value {
        json!({ "imp_uid": "imp_1", "merchant_uid": "order", "status": "paid", "amount": 1000, "cancel_amount": 400,
                "currency": "KRW", "a_field_of_tomorrow": [1] })
    }

    fn success(payment: &Value) -> Value {
        json!({ "code": 0, "message": null, "response": payment })
    }

    #[test]
    fn success_is_the_code_and_nothing_else() {
        for status in [200, 201, 404, 500] {
            let Lookup::Found(payment) = lookup(&answer(status, &success(&paid())), &id()) else { panic!("{status}") };
            assert_eq!(payment.remaining().minor_units, 600);
            assert_eq!(payment.merchant_number, "order");
        }
        let refused = json!({ "code": -1, "message": "no", "response": null });
        assert_eq!(lookup(&answer(404, &refused), &id()), Lookup::Unknown);
        for status in [200, 400, 401, 403, 409, 429, 500, 503] {
            assert!(matches!(lookup(&answer(status, &refused), &id()), Lookup::Unavailable(_)), "{status}");
        }
        for status in [200, 400, 404] {
            assert_eq!(cancelled(&answer(status, &refused), &id()), Cancelled::Refused { message: "no".into() });
        }
        for status in [401, 409, 429, 500, 502, 503] {
            assert!(matches!(cancelled(&answer(status, &refused), &id()), Cancelled::InDoubt(_)), "{status}");
        }
        assert!(matches!(cancelled(&answer(200, &success(&paid())), &id()), Cancelled::Done(_)));
    }

    #[test]
    fn what_cannot_be_understood_is_neither_found_nor_unknown() {
        let with = |field: &str, value: Value| {
            let mut payment = paid();
            payment[field] = value;
            success(&payment)
        };
        let bodies = [
            with("imp_uid", json!("imp_2")),
            with("status", json!("disputed")),
            with("amount", json!("1000")),
            with("amount", json!(1000.5)),
            with("amount", json!(-1)),
            with("amount", json!(null)),
            with("cancel_amount", json!(0.1)),
            // A word and amounts that contradict each other.
            with("status", json!("cancelled")),
            with("status", json!("ready")),
            with("status", json!("failed")),
            with("cancel_amount", json!(1000)),
            with("cancel_amount", json!(1001)),
            with("currency", json!("won")),
            with("currency", json!(null)),
            success(&json!(null)),
            success(&json!([])),
            json!({ "message": null, "response": paid() }),
            json!({ "code": "0", "response": paid() }),
            json!("text"),
        ];
        for body in bodies {
            for status in [200, 404] {
                let answer = answer(status, &body);
                assert!(matches!(lookup(&answer, &id()), Lookup::Unavailable(_)), "{status} {body}");
                assert!(matches!(cancelled(&answer, &id()), Cancelled::InDoubt(_)), "{status} {body}");
            }
        }
        // Garbage in a field that nobody reads.
        let garbled = HttpAnswer { status: 404, body: b"{\"code\": -1, \"x\": \"\xbb\", \"response\": null}".to_vec() };
        assert!(matches!(lookup(&garbled, &id()), Lookup::Unavailable(_)));
        assert!(matches!(cancelled(&garbled, &id()), Cancelled::InDoubt(_)));
        let page = HttpAnswer { status: 404, body: b"<html>not here</html>".to_vec() };
        assert!(matches!(lookup(&page, &id()), Lookup::Unavailable(_)));
    }

    #[test]
    fn a_list_tells_what_it_shows_and_leaves_the_rest_open() {
        let ids: Vec<PaymentId> =
            ["imp_2", "imp_1", "imp_3"].iter().map(|id| PaymentId::parse(id).expect("an id")).collect();
        let mut odd = paid();
        odd["imp_uid"] = json!("imp_3");
        odd["amount"] = json!(-1);
        let found = lookups(&answer(200, &success(&json!([paid(), odd, "text"]))), &ids);
        assert!(matches!(&found[..], [None, Some(Lookup::Found(payment)), None] if payment.payment_id == ids[1]));
        for body in [success(&paid()), json!({ "code": 1, "message": "no", "response": [paid()] }), json!("text")] {
            assert_eq!(lookups(&answer(200, &body), &ids), [None, None, None]);
        }
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let body = json!({ "code": 1, "message": "환".repeat(500), "response": null });
        let Cancelled::Refused { message } = cancelled(&answer(200, &body), &id()) else { panic!("refused") };
        assert!(message.len() <= MESSAGE_MAX && message.chars().all(|letter| letter == '환'));
    }
}
