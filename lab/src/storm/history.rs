//! What the clients did and heard: every call with invoke, ok, fail or unknown, and each order's end.

use baton_verify::report::{Finding, Offenders};
use serde::Serialize;
use shop_proto::order::v1::OrderState;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tonic::Code;

/// What an order is like, and so what may become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderKind {
    /// Paid in full, goods in stock.
    Good,
    /// The same, of the one item everybody wants.
    Hot,
    /// Of an item of which there are but a few.
    Scarce,
    /// Paid one unit short.
    WrongAmount,
    /// Names a payment nobody made.
    UnknownPayment,
    /// Names the payment of another order.
    SomebodyElses,
    /// Good, and placed three times at once under one request id.
    Repeated,
    /// Good, and placed again with other content under the same request id.
    OtherContent,
}

impl OrderKind {
    /// Whether an order of this kind may end so. Any may be cancelled if a participant is away for too long.
    #[must_use]
    pub fn may_end(self, state: OrderState) -> bool {
        match state {
            OrderState::Cancelled => true,
            OrderState::PaymentSuccess => {
                matches!(self, Self::Good | Self::Hot | Self::Scarce | Self::Repeated | Self::OtherContent)
            }
            OrderState::PaymentOutOfStock => self == Self::Scarce,
            OrderState::PaymentNoPaymentInfo => {
                matches!(self, Self::WrongAmount | Self::UnknownPayment | Self::SomebodyElses)
            }
            OrderState::Unspecified | OrderState::PaymentPending | OrderState::PaymentConfirm => false,
        }
    }
}

/// What a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// CreateOrder.
    Create,
    /// PlaceOrder.
    Place,
    /// PlaceOrder with a used request id and other content.
    PlaceOther,
}

/// What a client heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "code")]
pub enum CallOutcome {
    /// It is so.
    Ok,
    /// Refused: nothing was done.
    Fail(String),
    /// Nobody can say.
    Unknown(String),
}

impl CallOutcome {
    /// What an error means for a write. UNAVAILABLE may come from a connection that broke after the server had begun.
    #[must_use]
    pub fn of(code: Code) -> Self {
        let name = format!("{code:?}");
        match code {
            Code::Ok => Self::Ok,
            Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Unauthenticated
            | Code::ResourceExhausted => Self::Fail(name),
            Code::Cancelled
            | Code::Unknown
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss => Self::Unknown(name),
        }
    }
}

/// One call. Times in milliseconds since the load began.
#[derive(Clone, Debug, Serialize)]
pub struct ClientCall {
    /// What.
    pub operation: Operation,
    /// Invoked.
    pub invoked_ms: u64,
    /// Answered or given up.
    pub ended_ms: u64,
    /// How.
    #[serde(flatten)]
    pub outcome: CallOutcome,
}

/// One order as its client knows it.
#[derive(Clone, Debug, Serialize)]
pub struct ClientOrder {
    /// What it is like.
    pub kind: OrderKind,
    /// Its number, once created.
    pub number: Option<String>,
    /// Of PlaceOrder.
    pub request_id: String,
    /// Every saga that any answer named.
    pub sagas: BTreeSet<String>,
    /// The end it was told of.
    #[serde(skip)]
    pub told: Option<OrderState>,
    /// When the first call to place it was made, and when its end was told.
    pub placed_ms: Option<u64>,
    /// When its end was told.
    pub told_ms: Option<u64>,
    /// In order.
    pub calls: Vec<ClientCall>,
}

/// Everything the clients of one run did.
#[derive(Debug, Default)]
pub struct History {
    orders: Mutex<Vec<ClientOrder>>,
}

impl History {
    /// An order whose client is done with it.
    pub fn add(&self, order: ClientOrder) {
        self.lock().push(order);
    }

    /// A copy of all of it.
    #[must_use]
    pub fn orders(&self) -> Vec<ClientOrder> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<ClientOrder>> {
        // Only pushed to.
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the history says by itself; unless they `may_cancel`, nothing that could be fulfilled is given up.
#[must_use]
pub fn findings(orders: &[ClientOrder], may_cancel: bool) -> Vec<Finding> {
    let mut fits = Offenders::default();
    let mut told = Offenders::default();
    let mut conflicts = Offenders::default();
    let (mut counted_told, mut counted_conflicts) = (0, 0);
    for order in orders {
        let name = order.number.as_deref().unwrap_or("without a number");
        match order.told {
            Some(state) => {
                counted_told += 1;
                let given_up = state == OrderState::Cancelled && !may_cancel;
                if given_up || !order.kind.may_end(state) {
                    fits.add(format!("order {name}, {:?}, was told {}", order.kind, state.as_str_name()));
                }
            }
            None => told.add(format!("order {name}, {:?}: {}", order.kind, last_words(order))),
        }
        for call in order.calls.iter().filter(|call| call.operation == Operation::PlaceOther) {
            counted_conflicts += 1;
            if call.outcome == CallOutcome::Ok {
                conflicts.add(format!("order {name}: the same request id with other content was accepted"));
            }
        }
    }
    vec![
        told.finding("I17", "every client was told the end of its order", format!("{} orders", orders.len())),
        fits.finding("I10", "each end fits what was ordered and paid", format!("{counted_told} ends")),
        conflicts.finding(
            "I2",
            "a used request id with other content is refused",
            format!("{counted_conflicts} tries"),
        ),
    ]
}

fn last_words(order: &ClientOrder) -> String {
    match order.calls.last() {
        Some(call) => format!("{:?} {:?} after {} calls", call.operation, call.outcome, order.calls.len()),
        None => "never called".to_owned(),
    }
}

/// How long each order took from placing to its told end, and when it ended: `(ended_ms, latency)`.
#[must_use]
pub fn ends(orders: &[ClientOrder]) -> Vec<(u64, Duration)> {
    let mut ends: Vec<_> = orders
        .iter()
        .filter_map(|order| {
            let (placed, told) = (order.placed_ms?, order.told_ms?);
            Some((told, Duration::from_millis(told.saturating_sub(placed))))
        })
        .collect();
    ends.sort_unstable();
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(kind: OrderKind, told: Option<OrderState>) -> ClientOrder {
        ClientOrder {
            kind,
            number: Some("n".into()),
            request_id: "r".into(),
            sagas: BTreeSet::from(["sagas/1".to_owned()]),
            told,
            placed_ms: Some(10),
            told_ms: told.map(|_| 25),
            calls: Vec::new(),
        }
    }

    #[test]
    fn ends_that_fit_pass_and_others_are_named() {
        let good = [
            order(OrderKind::Good, Some(OrderState::PaymentSuccess)),
            order(OrderKind::Scarce, Some(OrderState::PaymentOutOfStock)),
        ];
        assert!(findings(&good, false).iter().all(Finding::passed));
        assert_eq!(ends(&good)[0], (25, Duration::from_millis(15)));
        let bad = [order(OrderKind::WrongAmount, Some(OrderState::PaymentSuccess)), order(OrderKind::Good, None)];
        let found = findings(&bad, true);
        assert_eq!(found.iter().map(|finding| finding.broken).collect::<Vec<_>>(), [1, 1, 0]);
    }

    #[test]
    fn an_order_is_cancelled_only_where_it_may_be() {
        let cancelled = [order(OrderKind::Good, Some(OrderState::Cancelled))];
        assert!(findings(&cancelled, true).iter().all(Finding::passed));
        assert!(!findings(&cancelled, false)[1].passed());
    }

    #[test]
    fn an_accepted_conflict_is_a_finding() {
        let mut order = order(OrderKind::OtherContent, Some(OrderState::PaymentSuccess));
        order.calls.push(ClientCall {
            operation: Operation::PlaceOther,
            invoked_ms: 1,
            ended_ms: 2,
            outcome: CallOutcome::Ok,
        });
        assert!(!findings(&[order], true)[2].passed());
    }

    #[test]
    fn only_refusals_that_are_certain_are_failures() {
        assert_eq!(CallOutcome::of(Code::InvalidArgument), CallOutcome::Fail("InvalidArgument".into()));
        assert_eq!(CallOutcome::of(Code::Unavailable), CallOutcome::Unknown("Unavailable".into()));
    }
}
