//! Damaged and foreign rows are recognised: each rule of `check` on its own.

mod definitions;

use bytes::Bytes;
use definitions::order_like;
use saga_core::machine::{BrokenInvariant, check, start};
use saga_core::saga::{Cause, Direction, Resume, Saga, SagaId, State, StepIndex, Wait};
use saga_core::time::Micros;

fn cause(step: StepIndex) -> Cause {
    Cause { step, reason: "REASON".to_owned(), message: "why".to_owned() }
}

fn reply(attempt: u32, last: u32) -> Wait {
    Wait::Reply { attempt, last, until: Micros(10) }
}

fn backoff(attempt: u32, last: u32) -> Wait {
    Wait::Backoff { attempt, last, until: Micros(10) }
}

fn compensating(step: StepIndex, from: StepIndex) -> State {
    State::Compensating { step, wait: reply(1, 2), cause: cause(from) }
}

fn stuck(step: StepIndex, direction: Direction, unwinding: Option<Cause>) -> State {
    State::Stuck { step, direction, attempt: 1, why: cause(step), unwinding }
}

fn verdict(change: impl FnOnce(&mut Saga)) -> Result<(), BrokenInvariant> {
    let definition = order_like();
    let mut saga = start(&definition, SagaId([1; 16]), Bytes::new(), Micros(5)).saga;
    change(&mut saga);
    check(&definition, &saga)
}

fn standing(state: State) -> Result<(), BrokenInvariant> {
    verdict(|saga| saga.state = state)
}

#[test]
fn what_can_be_is_let_through() {
    for state in [
        State::Running { step: 1, wait: reply(2, 2) },
        State::Running { step: 4, wait: backoff(1, 2) },
        compensating(0, 1),
        compensating(3, 3),
        stuck(4, Direction::Action, None),
        stuck(1, Direction::Undo, Some(cause(2))),
        State::Paused { resume: Resume::Run { step: 2, attempt: 0 } },
        State::Paused { resume: Resume::Unwind { step: 0, attempt: 0, cause: cause(3) } },
        State::Completed,
        State::Compensated { cause: cause(1) },
    ] {
        assert_eq!(standing(state.clone()), Ok(()), "{state:?}");
    }
}

#[test]
fn foreign_and_damaged_rows_are_named() {
    assert_eq!(verdict(|saga| saga.definition.version = 2), Err(BrokenInvariant::OtherDefinition));
    assert_eq!(verdict(|saga| saga.version = 0), Err(BrokenInvariant::VersionZero));
    assert_eq!(verdict(|saga| saga.updated_at = Micros(4)), Err(BrokenInvariant::TimeWentBack));
    assert_eq!(verdict(|saga| saga.deadline = None), Err(BrokenInvariant::SagaDeadline));
    assert_eq!(verdict(|saga| saga.updated_at = Micros(i64::MAX)), Err(BrokenInvariant::Deadline));
}

#[test]
fn impossible_places_are_named() {
    use BrokenInvariant::{Attempt, NoSuchHalf, Stuck, UndoPastPivot};
    for (state, broken) in [
        // Step 0 has no action, 2 and 4 have no undo, 5 does not exist.
        (State::Running { step: 0, wait: reply(1, 2) }, NoSuchHalf),
        (State::Running { step: 5, wait: reply(1, 2) }, NoSuchHalf),
        (State::Paused { resume: Resume::Run { step: 0, attempt: 0 } }, NoSuchHalf),
        (compensating(2, 2), NoSuchHalf),
        (compensating(4, 4), NoSuchHalf),
        (compensating(0, 5), NoSuchHalf),
        (State::Running { step: 1, wait: reply(0, 2) }, Attempt),
        (State::Running { step: 1, wait: reply(3, 2) }, Attempt),
        (State::Running { step: 1, wait: backoff(2, 2) }, Attempt),
        (State::Compensating { step: 0, wait: backoff(0, 2), cause: cause(1) }, Attempt),
        (State::Stuck { step: 4, direction: Direction::Action, attempt: 0, why: cause(4), unwinding: None }, Attempt),
        (compensating(1, 0), UndoPastPivot),
        (compensating(1, 4), UndoPastPivot),
        (State::Compensated { cause: cause(4) }, UndoPastPivot),
        (State::Paused { resume: Resume::Unwind { step: 0, attempt: 0, cause: cause(4) } }, UndoPastPivot),
        (stuck(1, Direction::Action, None), Stuck),
        (stuck(3, Direction::Action, None), Stuck),
        (stuck(4, Direction::Action, Some(cause(3))), Stuck),
        (stuck(1, Direction::Undo, None), Stuck),
        (State::Stuck { step: 4, direction: Direction::Action, attempt: 1, why: cause(3), unwinding: None }, Stuck),
    ] {
        assert_eq!(standing(state.clone()), Err(broken), "{state:?}");
    }
}

#[test]
fn outputs_belong_to_actions_that_succeeded() {
    let output = |step: StepIndex| (step, Bytes::from_static(b"x"));
    let with = |outputs: Vec<(StepIndex, Bytes)>| {
        verdict(|saga| {
            saga.state = State::Running { step: 3, wait: reply(1, 2) };
            saga.outputs = outputs;
        })
    };
    assert_eq!(with(vec![output(1), output(2)]), Ok(()));
    for wrong in [
        vec![output(2), output(1)],
        vec![output(1), output(1)],
        vec![output(3)],
        vec![output(0)],
        vec![(1, Bytes::new())],
    ] {
        assert_eq!(with(wrong.clone()), Err(BrokenInvariant::Output), "{wrong:?}");
    }
}
