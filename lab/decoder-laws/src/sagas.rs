//! Rows of sagas: what a saga's row is written from is read back; what a damaged row is read as is written alike, and
//! can be moved by any event without a panic if it passes the machine's check.

use crate::input::Input;
use baton_orchestrator::store::Record;
use baton_orchestrator::store::row::{decode_saga, saga_values};
use baton_shop::saga::definition;
use baton_sql::value::{Row, Value};
use bytes::Bytes;
use saga_core::definition::Definition;
use saga_core::event::{Event, OperatorAction, Outcome, Reply, Verb};
use saga_core::machine;
use saga_core::replay::replay;
use saga_core::saga::{Direction, Saga, SagaId};
use saga_core::time::Micros;
use saga_core::transition::Applied;

/// Moves in one life at most; the order saga has five steps.
const MOST_MOVES: u8 = 64;
/// Column `data`, whose blob may be written differently than it was read.
const DATA: usize = 17;

/// The bytes are a saga's life, then damages to its row, then one more event.
///
/// # Panics
/// If a law is broken.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let definition = definition();
    let saga = life(&definition, &mut input);
    let last_failure = saga.cause().cloned();
    let record = Record {
        saga,
        business_key: "order".to_owned(),
        traceparent: String::new(),
        last_failure,
        skipped: Vec::new(),
    };
    let mut row = Row(saga_values(&record));
    assert_eq!(decode_saga(&row).as_ref(), Ok(&record), "what was written is read back");
    damage(&mut row, &mut input);
    let Ok(read) = decode_saga(&row) else { return };
    let mut again = Row(saga_values(&read));
    assert_eq!(decode_saga(&again).as_ref(), Ok(&read), "a row that was read is written as the same saga");
    // Outputs and causes may stand in the blob in another order, or beside fields of another build.
    again.0[DATA] = row.0[DATA].clone();
    assert_eq!(again, row, "every other column is written as it was read");
    if machine::check(&definition, &read.saga).is_ok() {
        let event = event(&mut input);
        let _ = machine::apply(&definition, &read.saga, &event, Micros(input.number()));
    }
}

/// A saga that events moved, its journal replayed.
fn life(definition: &Definition, input: &mut Input<'_>) -> Saga {
    let start = machine::start(definition, SagaId([7; 16]), Bytes::from_static(b"input"), Micros(input.number()));
    let (mut saga, mut journal) = (start.saga, vec![start.entry]);
    for _ in 0..input.byte().min(MOST_MOVES) {
        let event = event(input);
        let now = saga.wake_at().filter(|_| event == Event::Wake).unwrap_or(Micros(input.number()));
        if let Applied::Moved(transition) = machine::apply(definition, &saga, &event, now) {
            saga = transition.saga;
            journal.push(transition.entry);
        }
        assert_eq!(machine::check(definition, &saga), Ok(()), "the machine makes only sagas that pass its check");
    }
    assert_eq!(replay(definition, &journal).as_ref(), Ok(&saga), "the journal folds to the saga");
    saga
}

pub(crate) fn event(input: &mut Input<'_>) -> Event {
    let direction =
        |input: &mut Input<'_>| if input.byte().is_multiple_of(2) { Direction::Action } else { Direction::Undo };
    let outcome = match input.byte() % 6 {
        0 => Outcome::Succeeded { output: Bytes::copy_from_slice(input.bytes()) },
        1 => Outcome::Rejected { reason: input.text(), message: String::new() },
        2 => Outcome::Unavailable { reason: input.text(), message: String::new() },
        3 => return Event::Wake,
        _ => {
            let verbs = [
                Verb::Cancel,
                Verb::Retry,
                Verb::Skip,
                Verb::ResolveDone,
                Verb::ResolveUndone,
                Verb::Pause,
                Verb::Resume,
            ];
            let verb = verbs[usize::from(input.byte()) % verbs.len()];
            return Event::Action(OperatorAction { verb, actor: input.text(), reason: String::new() });
        }
    };
    let (step, direction) = (input.byte(), direction(input));
    Event::Reply(Reply { step, direction, attempt: u32::from(input.byte()), outcome })
}

/// Overwrites columns, or leaves some out.
fn damage(row: &mut Row, input: &mut Input<'_>) {
    for _ in 0..input.byte() % 8 {
        let column = usize::from(input.byte());
        let Some(place) = row.0.get_mut(column) else {
            row.0.truncate(column % 32);
            continue;
        };
        *place = value(input);
    }
}

pub(crate) fn value(input: &mut Input<'_>) -> Value {
    match input.byte() % 4 {
        0 => Value::Null,
        1 => Value::Int(input.number()),
        2 => Value::Bytes(input.bytes().to_vec()),
        _ => Value::Text(input.text()),
    }
}
