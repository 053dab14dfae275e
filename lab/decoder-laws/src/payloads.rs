//! Business messages: whatever input the orchestrator lets in, every participant understands every command made of it;
//! and a payload from a stranger is understood within all bounds or refused for good.

use baton_orchestrator::sagas::SagaType;
use baton_participant_kit::codec::MAX_PAYLOAD;
use baton_participant_kit::participant::{Answer, Command, CommandDirection, CommandKey};
use baton_shop::saga::OrderSaga;
use bytes::Bytes;
use saga_core::definition::Definition;
use saga_core::machine;
use saga_core::saga::{SagaId, StepIndex};
use saga_core::time::Micros;
use shop_domain::currency::Currencies;
use shop_domain::lines::{MAX_LINES, MAX_QUANTITY};

/// Every command that the three participants know.
const NAMES: [&str; 7] = [
    "order.open",
    "order.reject",
    "order.confirm",
    "payment.verify",
    "payment.cancel",
    "stock.reserve",
    "stock.release",
];

/// The first byte chooses a command, or a saga's input; the rest is the message.
///
/// # Panics
/// If a law is broken.
pub fn check(data: &[u8]) {
    let Some((choice, message)) = data.split_first() else { return };
    let payload = Bytes::copy_from_slice(message);
    match NAMES.get(usize::from(*choice)) {
        Some(name) => {
            understood(name, payload);
        }
        None => of_input(payload),
    }
}

fn of_input(input: Bytes) {
    let saga_type = OrderSaga::default();
    match saga_type.accept(&input) {
        Err(violations) => assert!(!violations.is_empty(), "a refusal says why"),
        Ok(accepted) => {
            assert!(accepted.business_key.len() <= 128, "a business key fits its column");
            let definition = saga_type.definition();
            let saga = machine::start(definition, SagaId([7; 16]), input, Micros(1)).saga;
            for (step, direction, name) in halves(definition) {
                let payload = saga_type.payload(&saga, step, direction).expect("an accepted input makes every payload");
                assert!(payload.len() <= MAX_PAYLOAD, "{name} within its bound");
                assert!(understood(&name, payload), "{name} of an accepted input is understood");
            }
        }
    }
}

fn halves(definition: &Definition) -> Vec<(StepIndex, saga_core::saga::Direction, String)> {
    let mut halves = Vec::new();
    for (index, step) in (0..).zip(definition.steps()) {
        halves.extend(step.action.clone().map(|name| (index, saga_core::saga::Direction::Action, name)));
        halves.extend(step.undo.clone().map(|name| (index, saga_core::saga::Direction::Undo, name)));
    }
    halves
}

/// True if the participant understands the payload; otherwise its answer is a refusal for good.
fn understood(name: &str, payload: Bytes) -> bool {
    let currencies = Currencies::default();
    let command = Command {
        key: CommandKey { saga: [7; 16], step: 1, direction: CommandDirection::Action },
        attempt: 1,
        name: name.to_owned(),
        payload,
        deadline_us: 0,
        traceparent: String::new(),
        effect_before_saga: false,
    };
    let refusal = match name.split_once('.').map(|(participant, _)| participant) {
        Some("order") => match baton_order::command::parse(&command, &currencies) {
            Ok(baton_order::command::Payload::Open { content, total, .. }) => {
                assert!((1..=MAX_LINES).contains(&content.lines.len()));
                let sum: i128 = content
                    .lines
                    .iter()
                    .map(|line| i128::from(line.quantity) * i128::from(line.unit_price_minor_units))
                    .sum();
                assert_eq!(sum, i128::from(total), "the total is the lines'");
                return true;
            }
            Ok(_) => return true,
            Err(answer) => answer,
        },
        Some("stock") => match baton_stock::command::parse(&command, &currencies) {
            Ok(baton_stock::command::Payload::Reserve { lines, .. }) => {
                assert!(lines.as_slice().iter().all(|line| (1..=MAX_QUANTITY).contains(&line.quantity)));
                return true;
            }
            Ok(baton_stock::command::Payload::Release) => return true,
            Err(answer) => answer,
        },
        _ => match baton_payment::command::parse(&command) {
            Ok(baton_payment::command::Payload::Verify(verify)) => {
                assert!(verify.money.minor_units >= 0, "nobody pays less than nothing");
                return true;
            }
            Ok(baton_payment::command::Payload::Cancel(refund)) => {
                assert!((1..=baton_payment::command::REASON_MAX).contains(&refund.reason.len()));
                assert!(!refund.reason.chars().any(char::is_control), "a reason is one line");
                return true;
            }
            Err(answer) => answer,
        },
    };
    assert!(matches!(&refusal, Answer::Rejected { reason, .. } if reason == "MALFORMED_PAYLOAD"), "{refusal:?}");
    false
}
