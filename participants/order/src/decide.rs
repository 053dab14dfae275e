//! What a command does to an order, on values: the next order, or a refusal.

use crate::command::Payload;
use crate::order::{Content, Order};
use baton_participant_kit::participant::Answer;
use baton_rpc::reason::is_reason;
use shop_domain::identifier::OrderNumber;
use shop_domain::outcome::state_after;
use shop_domain::reason;
use shop_proto::order::v1::OrderState;

/// Why a command is not carried out.
#[derive(Debug)]
pub struct Refusal {
    /// What its saga hears.
    pub answer: Answer,
    /// The order as it is closed by being refused; mostly it stays as it is.
    pub closed: Option<Box<Order>>,
}

impl From<Answer> for Refusal {
    fn from(answer: Answer) -> Self {
        Self { answer, closed: None }
    }
}

/// Applies a command of `saga` to the order it names. `Ok(None)`: it is done already, nothing changes.
pub fn decide(payload: Payload, saga: [u8; 16], order: Option<&Order>, now_us: i64) -> Result<Option<Order>, Refusal> {
    match (payload, order) {
        (Payload::Open { number, content, total }, None) => {
            Ok(Some(made(number, content, total, saga, now_us, OrderState::PaymentConfirm)))
        }
        (Payload::Open { content, .. }, Some(order)) => {
            if !order.content.same_as(&content) {
                let text = "the order was created with another customer, currency or other lines";
                return Err(Refusal {
                    answer: Answer::rejected(reason::ORDER_MISMATCH, text),
                    closed: closed(order, saga, now_us),
                });
            }
            if order.state != OrderState::PaymentPending {
                let text = format!("the order is {}, not PAYMENT_PENDING", short(order.state));
                return Err(Answer::rejected(reason::ORDER_NOT_PENDING, text).into());
            }
            Ok(Some(next(order, OrderState::PaymentConfirm, Some(saga), String::new(), now_us)))
        }
        (Payload::Reject { reason, .. }, Some(order)) if order.saga == Some(saga) => match order.state {
            OrderState::PaymentConfirm => {
                let reason = stored_reason(reason);
                Ok(Some(next(order, state_after(&reason), order.saga, reason, now_us)))
            }
            OrderState::PaymentOutOfStock | OrderState::PaymentNoPaymentInfo | OrderState::Cancelled => Ok(None),
            OrderState::Unspecified | OrderState::PaymentPending | OrderState::PaymentSuccess => {
                Err(wrong_state(Some(order)).into())
            }
        },
        // The saga gave up before it could open the order: what was created is closed, what was not is not made.
        (Payload::Reject { reason, .. }, Some(order))
            if order.saga.is_none() && order.state == OrderState::PaymentPending =>
        {
            let reason = stored_reason(reason);
            Ok(Some(next(order, state_after(&reason), Some(saga), reason, now_us)))
        }
        // It was never created, and its caller is told that it was refused: that is what it stays.
        (Payload::Reject { number, reason, order: Some((content, total)) }, None) => {
            let reason = stored_reason(reason);
            let order = made(number, content, total, saga, now_us, state_after(&reason));
            Ok(Some(Order { reason, ..order }))
        }
        // Another saga's order, or none: this saga never opened it, and there is nothing to undo.
        (Payload::Reject { .. }, _) => Ok(None),
        (Payload::Confirm { .. }, Some(order)) if order.saga == Some(saga) => match order.state {
            OrderState::PaymentConfirm => {
                Ok(Some(next(order, OrderState::PaymentSuccess, order.saga, String::new(), now_us)))
            }
            OrderState::PaymentSuccess => Ok(None),
            OrderState::Unspecified
            | OrderState::PaymentPending
            | OrderState::PaymentOutOfStock
            | OrderState::PaymentNoPaymentInfo
            | OrderState::Cancelled => Err(wrong_state(Some(order)).into()),
        },
        (Payload::Confirm { .. }, order) => Err(wrong_state(order).into()),
    }
}

/// An order that nobody has created, of a saga that names all of it.
fn made(number: OrderNumber, content: Content, total: i64, saga: [u8; 16], now_us: i64, state: OrderState) -> Order {
    Order {
        number,
        content,
        total,
        state,
        saga: Some(saga),
        reason: String::new(),
        request: None,
        created_at: now_us,
        updated_at: now_us,
    }
}

/// An order's number is used up by the first saga that was started under it. If that one asks for other content, nobody will
/// ever place the order as it was created, and a customer must not take it for one that is still to be paid.
fn closed(order: &Order, saga: [u8; 16], now_us: i64) -> Option<Box<Order>> {
    let reason = reason::ORDER_MISMATCH.as_str().to_owned();
    let untouched = order.state == OrderState::PaymentPending && order.saga.is_none();
    untouched.then(|| Box::new(next(order, state_after(&reason), Some(saga), reason, now_us)))
}

fn next(order: &Order, state: OrderState, saga: Option<[u8; 16]>, reason: String, now_us: i64) -> Order {
    let updated_at = now_us.max(order.updated_at);
    Order { state, saga, reason, updated_at, ..order.clone() }
}

/// An undo must not fail over its reason: what is no reason is stored as none given.
fn stored_reason(reason: String) -> String {
    if is_reason(&reason) { reason } else { "UNSPECIFIED".to_owned() }
}

/// The saga's history and the order disagree. That cannot come from a correct history; refusing parks the saga, so that a
/// person looks.
fn wrong_state(order: Option<&Order>) -> Answer {
    let text = match order {
        None => "the order does not exist".to_owned(),
        Some(order) => format!("the order is {}, or belongs to another saga", short(order.state)),
    };
    Answer::rejected(reason::ORDER_STATE, text)
}

fn short(state: OrderState) -> &'static str {
    state.as_str_name().trim_start_matches("ORDER_STATE_")
}

#[cfg(test)]
mod tests {
    use super::{decide, stored_reason};
    use crate::command::Payload;
    use crate::order::{Content, Order};
    use shop_domain::identifier::OrderNumber;
    use shop_domain::outcome::state_after;
    use shop_proto::order::v1::{OrderLine, OrderState};

    const SAGA: [u8; 16] = [1; 16];

    fn content(item: &str) -> Content {
        let line = |id: &str| OrderLine { item_id: id.to_owned(), quantity: 1, unit_price_minor_units: 5 };
        Content { customer: "c".to_owned(), currency: "KRW".to_owned(), lines: vec![line(item), line("z")] }
    }

    fn order(state: OrderState, saga: Option<[u8; 16]>) -> Order {
        let number = OrderNumber::from_bytes([9; 16]);
        let (reason, request) = (String::new(), None);
        Order { number, content: content("a"), total: 10, state, saga, reason, request, created_at: 1, updated_at: 50 }
    }

    fn payload(verb: &str) -> Payload {
        let number = OrderNumber::from_bytes([9; 16]);
        match verb {
            "open" => Payload::Open { number, content: content("a"), total: 10 },
            "reject" => Payload::Reject { number, reason: "OUT_OF_STOCK".to_owned(), order: None },
            _ => Payload::Confirm { number },
        }
    }

    #[test]
    fn the_table_of_commands_and_states() {
        use OrderState::{
            Cancelled, PaymentConfirm, PaymentNoPaymentInfo, PaymentOutOfStock, PaymentPending, PaymentSuccess,
        };
        let outcome = |verb: &str, order: Option<&Order>| match decide(payload(verb), SAGA, order, 7) {
            Ok(Some(next)) => format!("{:?}", next.state),
            Ok(None) => "same".to_owned(),
            Err(refusal) => refusal.answer.reason().to_owned(),
        };
        let states =
            [PaymentPending, PaymentConfirm, PaymentSuccess, PaymentOutOfStock, PaymentNoPaymentInfo, Cancelled];
        let own = |verb: &str| states.map(|state| outcome(verb, Some(&order(state, Some(SAGA))))).join(" ");
        let no = "ORDER_NOT_PENDING";
        assert_eq!(own("open"), format!("PaymentConfirm {no} {no} {no} {no} {no}"));
        assert_eq!(own("reject"), "ORDER_STATE PaymentOutOfStock ORDER_STATE same same same");
        assert_eq!(own("confirm"), "ORDER_STATE PaymentSuccess same ORDER_STATE ORDER_STATE ORDER_STATE");
        assert_eq!(
            ["open", "reject", "confirm"].map(|verb| outcome(verb, None)).join(" "),
            "PaymentConfirm same ORDER_STATE"
        );
        let foreign = |verb: &str| states.map(|state| outcome(verb, Some(&order(state, Some([2; 16]))))).join(" ");
        assert_eq!(foreign("reject"), ["same"; 6].join(" "));
        assert_eq!(foreign("confirm"), ["ORDER_STATE"; 6].join(" "));
        let unopened = |verb: &str| outcome(verb, Some(&order(PaymentPending, None)));
        assert_eq!(
            ["open", "reject", "confirm"].map(unopened).join(" "),
            "PaymentConfirm PaymentOutOfStock ORDER_STATE"
        );
    }

    #[test]
    fn an_order_of_other_content_is_not_opened() {
        let other = Payload::Open { number: OrderNumber::from_bytes([9; 16]), content: content("b"), total: 10 };
        let pending = order(OrderState::PaymentPending, None);
        let refusal = decide(other.clone(), SAGA, Some(&pending), 7).unwrap_err();
        assert_eq!(refusal.answer.reason(), "ORDER_MISMATCH");
        let closed = refusal.closed.expect("nobody can place it any more");
        assert_eq!(
            (closed.state, closed.saga, closed.reason.as_str()),
            (OrderState::Cancelled, Some(SAGA), "ORDER_MISMATCH")
        );
        let opened = order(OrderState::PaymentConfirm, Some([2; 16]));
        assert!(decide(other, SAGA, Some(&opened), 7).unwrap_err().closed.is_none(), "another saga is at work on it");
        let mut turned = content("a");
        turned.lines.reverse();
        let same = Payload::Open { number: OrderNumber::from_bytes([9; 16]), content: turned, total: 10 };
        let next = decide(same, SAGA, Some(&pending), 7).unwrap().unwrap();
        assert_eq!((next.saga, next.updated_at), (Some(SAGA), 50), "time does not go back");
    }

    #[test]
    fn an_order_that_was_never_created_is_stored_as_refused() {
        let number = OrderNumber::from_bytes([9; 16]);
        let reject = |order| Payload::Reject { number, reason: "ATTEMPTS_SPENT".to_owned(), order };
        let refused =
            decide(reject(Some((content("a"), 10))), SAGA, None, 7).unwrap().expect("what its caller is told");
        assert_eq!((refused.state, refused.saga, refused.total), (OrderState::Cancelled, Some(SAGA), 10));
        assert_eq!(refused.reason, "ATTEMPTS_SPENT");
        assert_eq!(decide(reject(None), SAGA, None, 7).unwrap(), None, "a saga of a build before does not name it");
        let theirs = order(OrderState::PaymentConfirm, Some([2; 16]));
        assert_eq!(decide(reject(Some((content("a"), 10))), SAGA, Some(&theirs), 7).unwrap(), None);
    }

    #[test]
    fn reasons_lead_to_the_documents_states() {
        for reason in ["OUT_OF_STOCK", "PRICE_CHANGED", "ITEM_UNKNOWN", "CURRENCY_MISMATCH"] {
            assert_eq!(state_after(reason), OrderState::PaymentOutOfStock);
        }
        assert_eq!(state_after("PAYMENT_AMOUNT_MISMATCH"), OrderState::PaymentNoPaymentInfo);
        assert_eq!(state_after("ATTEMPTS_SPENT"), OrderState::Cancelled);
        assert_eq!(stored_reason("ü".to_owned()), "UNSPECIFIED");
        assert_eq!(stored_reason("X".repeat(64)), "UNSPECIFIED");
    }
}
