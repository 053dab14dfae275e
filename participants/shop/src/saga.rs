//! The order saga: the document's flow as five steps.
//!
//! ```text
//! 0 payment.taken   (paid before us)          undo payment.cancel
//! 1 order.open      compensatable             undo order.reject
//! 2 payment.verify  compensatable             covered by step 0
//! 3 stock.reserve   pivot                     undo stock.release, only if its outcome stayed unknown
//! 4 order.confirm   retriable
//! ```

use baton_orchestrator::sagas::{Accepted, Part, PayloadError, Registry, SagaType};
use baton_query::filter::Attribute;
use baton_rpc::errors::{Flaw, Violations};
use baton_rpc::reason::Reason;
use bytes::Bytes;
use prost::Message as _;
use saga_core::definition::{Definition, StepOptions};
use saga_core::saga::{Direction, Saga, StepIndex};
use shop_domain::currency::Currencies;
use shop_domain::identifier::{CustomerId, OrderNumber, PaymentId};
use shop_domain::lines::Lines;
use shop_proto::order::v1::{ConfirmOrder, OpenOrder, OrderLine, OrderSagaInput, RejectOrder};
use shop_proto::payment::v1::{CancelPayment, VerifyPayment};
use shop_proto::stock::v1::{ReleaseStock, ReserveLine, ReserveStock};

/// The definition's name.
pub const NAME: &str = "order";

const TAKEN: StepIndex = 0;
const OPEN: StepIndex = 1;
const VERIFY: StepIndex = 2;
const RESERVE: StepIndex = 3;
const CONFIRM: StepIndex = 4;

const CUSTOMER: &str = "customer";
const ITEM: &str = "item";
const PAYMENT: &str = "payment";

/// The order saga, version 1.
#[derive(Debug)]
pub struct OrderSaga {
    definition: Definition,
    currencies: Currencies,
}

impl OrderSaga {
    /// For orders in these currencies.
    #[must_use]
    pub fn new(currencies: Currencies) -> Self {
        Self { definition: definition(), currencies }
    }
}

impl Default for OrderSaga {
    fn default() -> Self {
        Self::new(Currencies::default())
    }
}

/// The order saga with the default currencies, for whoever knows no other saga.
#[must_use]
pub fn registry() -> Registry {
    Registry::default().with(OrderSaga::default())
}

/// The five steps.
#[must_use]
pub fn definition() -> Definition {
    let options = StepOptions::new();
    Definition::builder(NAME, 1)
        .happened("payment.taken", "payment", "payment.cancel", options)
        .compensatable("order.open", "order", "order.open", "order.reject", options)
        .covered("payment.verify", "payment", "payment.verify", "payment.taken", options)
        .pivot_with_undo("stock.reserve", "stock", "stock.reserve", "stock.release", options)
        .retriable("order.confirm", "order", "order.confirm", options)
        .build()
        // The steps are written above and nowhere else; every test of this crate builds them.
        .expect("the order saga's definition is correct")
}

impl SagaType for OrderSaga {
    fn definition(&self) -> &Definition {
        &self.definition
    }

    fn accept(&self, input: &[u8]) -> Result<Accepted, Violations> {
        let mut violations = Violations::new();
        let Ok(input) = OrderSagaInput::decode(input) else {
            violations
                .add("input", Flaw::new(Reason::FIELD_REQUIRED, "must be an encoded shop.order.v1.OrderSagaInput"));
            return Err(violations);
        };
        violations.keep("order", OrderNumber::parse(&input.order_number));
        violations.keep("payment_id", PaymentId::parse(&input.payment_id));
        violations.keep("customer_id", CustomerId::parse(&input.customer_id));
        violations.keep("currency_code", self.currencies.parse(&input.currency_code));
        Lines::parse("lines", wire_lines(&input.lines), &mut violations);
        if !violations.is_empty() {
            return Err(violations);
        }
        // One saga per order for ever: a second one could only undo what the first one does.
        Ok(Accepted { business_key: input.order_number, exclusive: true })
    }

    fn payload(&self, saga: &Saga, step: StepIndex, direction: Direction) -> Result<Bytes, PayloadError> {
        let fail = |why: &str| PayloadError { step, direction, why: why.to_owned() };
        let input = OrderSagaInput::decode(saga.input.clone()).map_err(|_| fail("the stored input does not decode"))?;
        let reason = saga.cause().map_or("CANCELLED", |cause| cause.reason.as_str());
        match (step, direction) {
            (TAKEN, Direction::Undo) => Ok(encode(&cancel_payment(input, reason))),
            (OPEN, Direction::Action) => Ok(encode(&open_order(input))),
            (OPEN, Direction::Undo) => {
                let (order_number, reason) = (input.order_number.clone(), reason.to_owned());
                Ok(encode(&RejectOrder { order_number, reason, order: Some(open_order(input)) }))
            }
            (VERIFY, Direction::Action) => {
                let total = total(&input).ok_or_else(|| fail("the lines' total does not fit"))?;
                Ok(encode(&verify_payment(input, total)))
            }
            (RESERVE, Direction::Action) => Ok(encode(&reserve_stock(input))),
            (RESERVE, Direction::Undo) => Ok(encode(&ReleaseStock { order_number: input.order_number })),
            (CONFIRM, Direction::Action) => Ok(encode(&ConfirmOrder { order_number: input.order_number })),
            (_, Direction::Action | Direction::Undo) => Err(fail("the definition has no such command")),
        }
    }

    fn message_type(&self, part: Part) -> Option<&'static str> {
        match part {
            Part::Input => Some("shop.order.v1.OrderSagaInput"),
            Part::Command(TAKEN, Direction::Undo) => Some("shop.payment.v1.CancelPayment"),
            Part::Command(OPEN, Direction::Action) => Some("shop.order.v1.OpenOrder"),
            Part::Command(OPEN, Direction::Undo) => Some("shop.order.v1.RejectOrder"),
            Part::Command(VERIFY, Direction::Action) => Some("shop.payment.v1.VerifyPayment"),
            Part::Command(RESERVE, Direction::Action) => Some("shop.stock.v1.ReserveStock"),
            Part::Command(RESERVE, Direction::Undo) => Some("shop.stock.v1.ReleaseStock"),
            Part::Command(CONFIRM, Direction::Action) => Some("shop.order.v1.ConfirmOrder"),
            // No participant of the shop answers with an output.
            Part::Command(..) | Part::Output(_) => None,
        }
    }

    fn attribute_names(&self) -> Vec<&str> {
        vec![CUSTOMER, ITEM, PAYMENT]
    }

    /// With at most a hundred lines and ids of at most 64 bytes, within every bound.
    fn attributes(&self, input: &[u8]) -> Vec<Attribute> {
        let Ok(input) = OrderSagaInput::decode(input) else { return Vec::new() };
        let items = input.lines.into_iter().map(|line| Attribute::new(ITEM, line.item_id));
        let others = [Attribute::new(CUSTOMER, input.customer_id), Attribute::new(PAYMENT, input.payment_id)];
        others.into_iter().chain(items).collect()
    }
}

fn encode(message: &impl prost::Message) -> Bytes {
    message.encode_to_vec().into()
}

fn wire_lines(lines: &[OrderLine]) -> impl ExactSizeIterator<Item = (&str, i64, i64)> {
    lines.iter().map(|line| (line.item_id.as_str(), line.quantity, line.unit_price_minor_units))
}

/// Sum of quantity times unit price; the same arithmetic as in the order participant, from the same lines.
fn total(input: &OrderSagaInput) -> Option<i64> {
    Lines::parse("lines", wire_lines(&input.lines), &mut Violations::new()).map(|lines| lines.total())
}

fn cancel_payment(input: OrderSagaInput, reason: &str) -> CancelPayment {
    CancelPayment { payment_id: input.payment_id, order_number: input.order_number, reason: reason.to_owned() }
}

fn open_order(input: OrderSagaInput) -> OpenOrder {
    OpenOrder {
        order_number: input.order_number,
        customer_id: input.customer_id,
        currency_code: input.currency_code,
        lines: input.lines,
    }
}

fn verify_payment(input: OrderSagaInput, amount_minor_units: i64) -> VerifyPayment {
    VerifyPayment {
        payment_id: input.payment_id,
        order_number: input.order_number,
        currency_code: input.currency_code,
        amount_minor_units,
    }
}

fn reserve_stock(input: OrderSagaInput) -> ReserveStock {
    let lines = input.lines.into_iter().map(|line| ReserveLine {
        item_id: line.item_id,
        quantity: line.quantity,
        unit_price_minor_units: line.unit_price_minor_units,
    });
    ReserveStock { order_number: input.order_number, currency_code: input.currency_code, lines: lines.collect() }
}
