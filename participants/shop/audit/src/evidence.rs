//! What the shop's laws look at, beside the engine's evidence.

use baton_verify::coverage::Part;
use baton_verify::saga_evidence::Read;
use saga_core::saga::SagaId;
use shop_proto::order::v1::{OrderSagaInput, OrderState};
use std::collections::BTreeMap;

/// The orders, as the order participant has them.
pub const ORDERS: Part = Part("the orders");
/// Items and reservations.
pub const ITEMS: Part = Part("items and reservations");
/// Which saga has taken which payment.
pub const CLAIMS: Part = Part("the claims on payments");
/// Payments by the provider's own ledger.
pub const PAYMENTS: Part = Part("the provider's ledger");
/// Payments that nobody may touch.
pub const BYSTANDERS: Part = Part("payments of orders that were never placed");

/// An order as the order participant has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its number, lower-case UUID.
    pub number: String,
    /// Where it stands.
    pub state: OrderState,
    /// ISO 4217.
    pub currency: String,
    /// Minor units.
    pub total: i64,
    /// The saga that opened it.
    pub saga: Option<SagaId>,
    /// Quantity by item id.
    pub lines: BTreeMap<String, i64>,
}

/// A payment as the provider's own ledger has it; amounts in minor units.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub struct Payment {
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

impl Payment {
    /// What is left of it at the provider.
    #[must_use]
    pub fn kept(&self) -> i128 {
        i128::from(self.paid) - i128::from(self.refunded)
    }
}

/// One reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// Item id.
    pub item: String,
    /// The order's number, lower-case UUID.
    pub order: String,
    /// Units.
    pub quantity: i64,
    /// True if it holds them, false if they were released.
    pub held: bool,
}

/// A payment that a saga took at the payment participant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The provider's id.
    pub payment: String,
    /// The order's number.
    pub order: String,
    /// The one saga.
    pub saga: SagaId,
    /// ISO 4217.
    pub currency: String,
    /// Minor units.
    pub amount: i64,
    /// 1 claimed, 2 refunded, 3 refunding.
    pub state: i64,
}

/// What the shop holds about one saga.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShopSaga {
    /// What it was started with, if it is an order saga and that was read.
    pub input: Option<OrderSagaInput>,
    /// The order it is about.
    pub order: Read<Order>,
    /// Its reservations.
    pub reservations: Vec<Reservation>,
    /// The row of the payment that its input names, whoever holds it.
    pub claim: Read<Claim>,
    /// True if it has closed itself for claims at the payment participant.
    pub closed: bool,
    /// Payments made under its order's number.
    pub payments: Vec<Payment>,
}

impl ShopSaga {
    /// Units by item id: what was asked for, or where that is not known what the order says.
    #[must_use]
    pub fn wanted(&self) -> BTreeMap<&str, i64> {
        let mut wanted: BTreeMap<&str, i64> = BTreeMap::new();
        match (&self.input, self.order.row()) {
            (Some(input), _) => {
                input.lines.iter().for_each(|line| *wanted.entry(&line.item_id).or_default() += line.quantity);
            }
            (None, Some(order)) => wanted.extend(order.lines.iter().map(|(item, units)| (item.as_str(), *units))),
            (None, None) => {}
        }
        wanted
    }

    /// What the order is worth, and in what: by what was asked for, or where that is not known by the order.
    #[must_use]
    pub fn worth(&self) -> Option<(i128, &str)> {
        let of_input = |input: &OrderSagaInput| {
            input.lines.iter().map(|line| i128::from(line.quantity) * i128::from(line.unit_price_minor_units)).sum()
        };
        let input = self.input.as_ref().map(|input| (of_input(input), input.currency_code.as_str()));
        input.or_else(|| self.order.row().map(|order| (i128::from(order.total), order.currency.as_str())))
    }
}

/// An item with the sums of what refers to it; at a running installation all read by one statement, so that they fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shelf {
    /// Item id.
    pub item: String,
    /// Can be reserved.
    pub available: i64,
    /// Promised to orders.
    pub reserved: i64,
    /// Ever put in.
    pub stocked: i64,
    /// Put in at its creation and later, if that was read.
    pub put_in: Option<(i64, i64)>,
    /// Sum of its reservations that hold stock.
    pub held: i64,
    /// Reservations of it by nobody that may have one.
    pub strays: i64,
}

/// A payment nobody may touch, with what must have been refunded of it: nothing, as a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bystander {
    /// The payment as it is.
    pub payment: Payment,
    /// What was refunded of it before.
    pub refunded: i64,
}

/// What belongs to no single saga.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShopAtLarge {
    /// Items.
    pub shelves: Vec<Shelf>,
    /// Reservations of items that do not exist: item and how many.
    pub homeless: Vec<(String, i64)>,
    /// Claims, each with the payment it is on, if the provider has that.
    pub claims: Vec<(Claim, Option<Payment>)>,
    /// Payments that were refunded, each with the claim on it.
    pub refunds: Vec<(Payment, Option<Claim>)>,
    /// Payments that nobody may touch.
    pub bystanders: Vec<Bystander>,
}

/// States of the orders that clients spoke of, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderStates(pub BTreeMap<String, OrderState>);

/// All of these, by a key of theirs.
pub fn by<T>(all: Vec<T>, key: impl Fn(&T) -> &String) -> BTreeMap<String, Vec<T>> {
    let mut found: BTreeMap<String, Vec<T>> = BTreeMap::new();
    for one in all {
        found.entry(key(&one).clone()).or_default().push(one);
    }
    found
}
