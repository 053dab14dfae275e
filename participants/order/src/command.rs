//! The commands' payloads, parsed into what the participant works with.

use crate::order::Content;
use baton_participant_kit::participant::{Answer, Command};
use baton_participant_kit::reason::{MALFORMED_PAYLOAD, UNKNOWN_COMMAND};
use baton_rpc::errors::Violations;
use prost::Message as _;
use shop_domain::currency::Currencies;
use shop_domain::identifier::{CustomerId, OrderNumber};
use shop_domain::lines::Lines;
use shop_proto::order::v1::{ConfirmOrder, OpenOrder, OrderLine, RejectOrder};

/// Opens an order for a saga.
pub const OPEN: &str = "order.open";
/// Undoes [`OPEN`].
pub const REJECT: &str = "order.reject";
/// Ends an order well.
pub const CONFIRM: &str = "order.confirm";

/// A command's payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// `order.open`.
    Open {
        /// The order.
        number: OrderNumber,
        /// What it must hold.
        content: Content,
        /// The lines' total, minor units.
        total: i64,
    },
    /// `order.reject`.
    Reject {
        /// The order.
        number: OrderNumber,
        /// Why the saga unwinds.
        reason: String,
        /// The order as the saga would have opened it, and its total; unknown of a saga that began with an earlier build.
        order: Option<(Content, i64)>,
    },
    /// `order.confirm`.
    Confirm {
        /// The order.
        number: OrderNumber,
    },
}

impl Payload {
    /// The order it concerns.
    #[must_use]
    pub fn number(&self) -> OrderNumber {
        match self {
            Self::Open { number, .. } | Self::Reject { number, .. } | Self::Confirm { number } => *number,
        }
    }
}

/// Parses a command; a payload that cannot be understood is refused for good.
pub fn parse(command: &Command, currencies: &Currencies) -> Result<Payload, Answer> {
    let undecodable = |_| malformed("the payload cannot be decoded");
    let payload = command.payload.clone();
    match command.name.as_str() {
        OPEN => opened(OpenOrder::decode(payload).map_err(undecodable)?, currencies)
            .map(|(number, content, total)| Payload::Open { number, content, total }),
        REJECT => {
            let wire = RejectOrder::decode(payload).map_err(undecodable)?;
            // An undo must not fail over what it could do without.
            let order =
                wire.order.and_then(|order| opened(order, currencies).ok()).map(|(_, content, total)| (content, total));
            Ok(Payload::Reject { number: number(&wire.order_number)?, reason: wire.reason, order })
        }
        CONFIRM => {
            let wire = ConfirmOrder::decode(payload).map_err(undecodable)?;
            Ok(Payload::Confirm { number: number(&wire.order_number)? })
        }
        _ => Err(Answer::unavailable(UNKNOWN_COMMAND, "the order participant does not know the command")),
    }
}

/// Lines of the wire as the validator takes them.
pub fn given(lines: &[OrderLine]) -> impl ExactSizeIterator<Item = (&str, i64, i64)> {
    lines.iter().map(|line| (line.item_id.as_str(), line.quantity, line.unit_price_minor_units))
}

fn opened(wire: OpenOrder, currencies: &Currencies) -> Result<(OrderNumber, Content, i64), Answer> {
    let mut violations = Violations::new();
    let number = violations.keep("order_number", OrderNumber::parse(&wire.order_number));
    let customer = violations.keep("customer_id", CustomerId::parse(&wire.customer_id));
    let currency = violations.keep("currency_code", currencies.parse(&wire.currency_code));
    let lines = Lines::parse("lines", given(&wire.lines), &mut violations);
    match (number, customer, currency, lines) {
        (Some(number), Some(customer), Some(currency), Some(lines)) => {
            Ok((number, Content::new(customer.as_str(), currency.as_str(), &lines), lines.total()))
        }
        _ => {
            let first = violations.list().first();
            Err(malformed(first.map_or_else(String::new, |(path, flaw)| format!("{path}: {}", flaw.description))))
        }
    }
}

fn number(text: &str) -> Result<OrderNumber, Answer> {
    OrderNumber::parse(text).map_err(|flaw| malformed(format!("order_number: {}", flaw.description)))
}

fn malformed(message: impl Into<String>) -> Answer {
    Answer::rejected(MALFORMED_PAYLOAD, message)
}
