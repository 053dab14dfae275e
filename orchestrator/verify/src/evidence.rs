//! What an audit looks at: plain values, no sockets, so that a test can plant any lie.

use baton_proto::baton::saga::v1::SagaState;
use shop_proto::order::v1::OrderState;
use std::collections::{BTreeMap, BTreeSet};

/// What the client was promised for one order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acknowledged {
    /// The order number, without `orders/`.
    pub order: String,
    /// Every saga (`sagas/{uuid}`) that any answer to this order's one request id named.
    pub sagas: BTreeSet<String>,
    /// The end the client was told of, if it was told one.
    pub told: Option<OrderState>,
}

/// An order as the order participant has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRecord {
    /// The order number.
    pub number: String,
    /// Where it stands.
    pub state: OrderState,
    /// ISO 4217.
    pub currency: String,
    /// Minor units.
    pub total: i64,
    /// `sagas/{uuid}`, or empty.
    pub saga: String,
    /// Quantity by item id.
    pub lines: BTreeMap<String, i64>,
}

/// A saga as the orchestrator has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SagaRecord {
    /// `sagas/{uuid}`.
    pub name: String,
    /// Where it stands.
    pub state: SagaState,
    /// The order number.
    pub order: String,
}

impl SagaRecord {
    /// True once nothing can happen to it without an operator.
    #[must_use]
    pub fn at_rest(&self) -> bool {
        self.ended() || matches!(self.state, SagaState::Stuck | SagaState::Paused)
    }

    /// True at one of the two ends.
    #[must_use]
    pub fn ended(&self) -> bool {
        matches!(self.state, SagaState::Completed | SagaState::Compensated)
    }
}

/// An item as the stock participant has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemRecord {
    /// Item id.
    pub id: String,
    /// Ever put in.
    pub stocked: i64,
    /// Can be reserved.
    pub available: i64,
    /// Held.
    pub reserved: i64,
}

/// A reservation as the stock participant has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservationRecord {
    /// Item id.
    pub item: String,
    /// The order number.
    pub order: String,
    /// Units.
    pub quantity: i64,
    /// Whether it holds them.
    pub held: bool,
}

/// A payment as the provider's own ledger has it; amounts in minor units.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct LedgerPayment {
    /// The provider's id.
    pub imp_uid: String,
    /// The order number it was paid under.
    pub merchant_uid: String,
    /// ISO 4217.
    pub currency: String,
    /// Captured; 0 unless money was taken.
    #[serde(rename = "paid_minor_units")]
    pub paid: i64,
    /// Refunded.
    #[serde(rename = "cancelled_minor_units")]
    pub refunded: i64,
    /// How many refunds that took.
    #[serde(rename = "cancellations")]
    pub refunds: i64,
}

/// Everything an audit looks at. Its scope is the run: the orders it placed, the items it made, the payments it paid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The promises, one for each order.
    pub acknowledged: Vec<Acknowledged>,
    /// Orders of the run.
    pub orders: Vec<OrderRecord>,
    /// Sagas whose business key is an order of the run.
    pub sagas: Vec<SagaRecord>,
    /// Items of the run; nobody else orders them.
    pub items: Vec<ItemRecord>,
    /// Reservations of those items.
    pub reservations: Vec<ReservationRecord>,
    /// Payments made under the numbers of the run's orders.
    pub payments: Vec<LedgerPayment>,
    /// Payments of orders that were never placed, with what must have been refunded of them (nothing, as a rule).
    pub bystanders: Vec<(LedgerPayment, i64)>,
}
