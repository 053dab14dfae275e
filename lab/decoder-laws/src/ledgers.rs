//! Rows of the participants: ledger entries, orders and claims are written as they were read.

use crate::input::Input;
use crate::sagas::value;
use baton_order::order::Order;
use baton_participant_kit::ledger;
use baton_participant_kit::participant::Answer;
use baton_payment::claim::Claim;
use baton_sql::value::{Row, Value};

/// An order's lines, whose blob may be written differently than it was read.
const LINES: usize = 7;

/// The first byte chooses the table; the rest are columns.
///
/// # Panics
/// If a law is broken.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() % 3 {
        0 => of_ledger(&mut input),
        1 => of_order(&mut input),
        _ => of_claim(&mut input),
    }
}

fn of_ledger(input: &mut Input<'_>) {
    let row = Row(vec![
        input.array::<16>().into(),
        value(input),
        value(input),
        value(input),
        value(input),
        value(input),
        value(input),
    ]);
    let Ok((key, answer)) = ledger::decode(&row) else { return };
    assert!(!matches!(answer, Answer::Unavailable { .. }), "an answer for the moment is never stored");
    let entry = ledger::Entry { key, attempt: 1, answer: answer.clone() };
    let again = Row(ledger::values(entry, 1).expect("what is stored is storable"));
    let (again_key, again_answer) = ledger::decode(&again).expect("what was written is read");
    assert_eq!(again_key, key);
    match (answer, again_answer) {
        // Texts of another hand are cut to their columns.
        (Answer::Rejected { reason, message }, Answer::Rejected { reason: cut_reason, message: cut_message }) => {
            assert!(reason.starts_with(&cut_reason) && message.starts_with(&cut_message));
            assert!(reason.len() > 63 || reason == cut_reason);
            assert!(message.len() > 512 || message == cut_message);
        }
        (answer, again) => assert_eq!(answer, again),
    }
}

fn of_order(input: &mut Input<'_>) {
    let mut row = Row(vec![input.array::<16>().into()]);
    for _ in 1..11 {
        row.0.push(value(input));
    }
    let Ok(order) = Order::from_row(&row) else { return };
    let again = order.values();
    assert!((0..again.len()).all(|at| at == LINES || again[at] == row.0[at]), "columns are written as they were read");
    assert_eq!(Order::from_row(&Row(again)).ok().as_ref(), Some(&order));
    let shown = order.clone().into_wire();
    assert_eq!(shown.lines, order.content.lines, "what is shown is what is stored");
}

fn of_claim(input: &mut Input<'_>) {
    let row = Row(vec![
        value(input),
        input.array::<16>().into(),
        input.array::<16>().into(),
        value(input),
        value(input),
        Value::Int(i64::from(input.byte() % 5)),
        value(input),
        value(input),
    ]);
    if let Ok(claim) = Claim::from_row(&row) {
        assert_eq!(Row(claim.to_values()), row, "a claim is written as it was read");
    }
}
