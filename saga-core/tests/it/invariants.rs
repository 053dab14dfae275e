//! Damaged and foreign rows are recognised: each rule of `check` on its own.

use crate::definitions;
use bytes::Bytes;
use definitions::{all_up_to, order_like};
use proptest::prelude::*;
use saga_core::event::{Event, OperatorAction, Outcome, Reply, Verb};
use saga_core::machine::{BrokenInvariant, apply, check, start};
use saga_core::saga::{Cause, Direction, Resume, Saga, SagaId, State, StepIndex, Wait};
use saga_core::time::Micros;
use std::sync::LazyLock;

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

/// Small numbers collide with what is right; the ends of their ranges find what overflows.
fn number<T: Copy + std::fmt::Debug + 'static>(
    small: std::ops::Range<u8>,
    from: fn(u8) -> T,
    ends: [T; 2],
) -> BoxedStrategy<T> {
    prop_oneof![8 => small.prop_map(from), 1 => Just(ends[0]), 1 => Just(ends[1])].boxed()
}

fn step() -> BoxedStrategy<StepIndex> {
    number(0..5, |step| step, [63, 255])
}

fn attempt() -> BoxedStrategy<u32> {
    number(0..4, u32::from, [u32::MAX - 1, u32::MAX])
}

fn moment() -> BoxedStrategy<Micros> {
    number(0..4, |at| Micros(i64::from(at)), [Micros(i64::MIN), Micros(i64::MAX)])
}

fn any_wait() -> impl Strategy<Value = Wait> {
    (any::<bool>(), attempt(), attempt(), number(3..9, |at| Micros(at.into()), [Micros(0), Micros(i64::MAX)])).prop_map(
        |(replies, attempt, last, until)| {
            if replies { Wait::Reply { attempt, last, until } } else { Wait::Backoff { attempt, last, until } }
        },
    )
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::Action), Just(Direction::Undo)]
}

fn any_state() -> impl Strategy<Value = State> {
    let stuck = (step(), direction(), attempt(), step(), prop::option::of(step()));
    prop_oneof![
        4 => (step(), any_wait()).prop_map(|(step, wait)| State::Running { step, wait }),
        4 => (step(), any_wait(), step())
            .prop_map(|(step, wait, from)| State::Compensating { step, wait, cause: cause(from) }),
        2 => stuck.prop_map(|(step, direction, attempt, why, from)| {
            State::Stuck { step, direction, attempt, why: cause(why), unwinding: from.map(cause) }
        }),
        1 => (step(), attempt()).prop_map(|(step, attempt)| State::Paused { resume: Resume::Run { step, attempt } }),
        1 => (step(), attempt(), step()).prop_map(|(step, attempt, from)| {
            State::Paused { resume: Resume::Unwind { step, attempt, cause: cause(from) } }
        }),
        1 => Just(State::Completed),
        1 => step().prop_map(|from| State::Compensated { cause: cause(from) }),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    let text = || "WHY".to_owned();
    let outcome = prop_oneof![
        Just(Outcome::Succeeded { output: Bytes::from_static(b"x") }),
        Just(Outcome::Rejected { reason: text(), message: text() }),
        Just(Outcome::Unavailable { reason: text(), message: text() }),
    ];
    let verbs =
        [Verb::Cancel, Verb::Retry, Verb::Skip, Verb::ResolveDone, Verb::ResolveUndone, Verb::Pause, Verb::Resume];
    prop_oneof![
        (step(), direction(), attempt(), outcome).prop_map(|(step, direction, attempt, outcome)| Event::Reply(Reply {
            step,
            direction,
            attempt,
            outcome
        })),
        Just(Event::Wake),
        prop::sample::select(verbs.to_vec()).prop_map(move |verb| Event::Action(OperatorAction {
            verb,
            actor: text(),
            reason: text()
        })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a damaged or foreign row decodes to: `check` says no, or nothing that can happen makes `apply` panic.
    #[test]
    fn a_saga_that_is_let_through_can_be_moved(
        definition in 0..DEFINITIONS.len(),
        state in any_state(),
        version in number(0..9, u64::from, [u64::MAX >> 1; 2]),
        times in (moment(), moment(), moment()),
        in_order in prop::bool::weighted(0.9),
        has_deadline in prop::bool::weighted(0.9),
        outputs in prop::collection::vec((step(), prop::bool::weighted(0.9)), 0..2),
        events in prop::collection::vec(any_event(), 8),
    ) {
        let definition = &DEFINITIONS[definition];
        let updated_at = if in_order { times.0.max(times.1) } else { times.1 };
        let mut saga = start(definition, SagaId([1; 16]), Bytes::new(), times.0).saga;
        (saga.version, saga.updated_at, saga.state) = (version, updated_at, state);
        saga.deadline = saga.deadline.filter(|_| has_deadline);
        saga.outputs = outputs.into_iter().map(|(step, full)| (step, Bytes::from_static(&b"x"[..usize::from(full)]))).collect();
        if check(definition, &saga).is_ok() {
            for event in &events {
                let _ = apply(definition, &saga, event, times.2);
            }
        }
    }
}

static DEFINITIONS: LazyLock<Vec<saga_core::definition::Definition>> = LazyLock::new(|| {
    let mut definitions = all_up_to(2);
    definitions.push(order_like());
    definitions
});
