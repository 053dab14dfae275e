//! The commands' payloads, parsed into what the participant works with.

use baton_participant_kit::participant::{Answer, Command};
use baton_participant_kit::reason::{MALFORMED_PAYLOAD, UNKNOWN_COMMAND};
use baton_rpc::errors::Violations;
use prost::Message as _;
use shop_domain::currency::{Currencies, Currency};
use shop_domain::identifier::OrderNumber;
use shop_domain::lines::Lines;
use shop_proto::stock::v1::{ReleaseStock, ReserveStock};

/// Holds stock for all lines of an order, or for none.
pub const RESERVE: &str = "stock.reserve";
/// Undoes [`RESERVE`].
pub const RELEASE: &str = "stock.release";

/// A command's payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// `stock.reserve`.
    Reserve {
        /// The order.
        order: OrderNumber,
        /// What the prices are in.
        currency: Currency,
        /// What to hold.
        lines: Lines,
    },
    /// `stock.release`: whatever the saga holds.
    Release,
}

/// Parses a command; a payload that cannot be understood is refused for good.
pub fn parse(command: &Command, currencies: &Currencies) -> Result<Payload, Answer> {
    let undecodable = |_| malformed("the payload cannot be decoded");
    let payload = command.payload.clone();
    match command.name.as_str() {
        RESERVE => reserve(&ReserveStock::decode(payload).map_err(undecodable)?, currencies),
        RELEASE => {
            let wire = ReleaseStock::decode(payload).map_err(undecodable)?;
            OrderNumber::parse(&wire.order_number)
                .map(|_| Payload::Release)
                .map_err(|flaw| malformed(format!("order_number: {}", flaw.description)))
        }
        _ => Err(Answer::unavailable(UNKNOWN_COMMAND, "the stock participant does not know the command")),
    }
}

fn reserve(wire: &ReserveStock, currencies: &Currencies) -> Result<Payload, Answer> {
    let mut violations = Violations::new();
    let order = violations.keep("order_number", OrderNumber::parse(&wire.order_number));
    let currency = violations.keep("currency_code", currencies.parse(&wire.currency_code));
    let given = wire.lines.iter().map(|line| (line.item_id.as_str(), line.quantity, line.unit_price_minor_units));
    let lines = Lines::parse("lines", given, &mut violations);
    match (order, currency, lines) {
        (Some(order), Some(currency), Some(lines)) => Ok(Payload::Reserve { order, currency, lines }),
        _ => {
            let first = violations.list().first();
            Err(malformed(first.map_or_else(String::new, |(path, flaw)| format!("{path}: {}", flaw.description))))
        }
    }
}

fn malformed(message: impl Into<String>) -> Answer {
    Answer::rejected(MALFORMED_PAYLOAD, message)
}
