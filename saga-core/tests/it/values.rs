//! What a saga says about itself: ids as people read them, names of states, ends, outputs and causes.

use bytes::Bytes;
use saga_core::definition::{Definition, StepOptions};
use saga_core::event::{Event, OperatorAction, Outcome, Reply, Verb};
use saga_core::machine;
use saga_core::saga::{Cause, DefinitionId, Direction, Resume, Saga, SagaId, State, Wait};
use saga_core::time::Micros;
use saga_core::transition::Applied;
use std::time::Duration;

fn cause() -> Cause {
    Cause { step: 1, reason: "WHY".to_owned(), message: "because".to_owned() }
}

/// One of each state with its name, whether it has ended, its deadline, and whether it has a cause.
fn states() -> [(State, &'static str, bool, Option<Micros>, bool); 8] {
    let (reply, backoff) = (
        Wait::Reply { attempt: 1, last: 2, until: Micros(9) },
        Wait::Backoff { attempt: 1, last: 2, until: Micros(8) },
    );
    let stuck = State::Stuck { step: 1, direction: Direction::Action, attempt: 1, why: cause(), unwinding: None };
    let unwind = Resume::Unwind { step: 1, attempt: 1, cause: cause() };
    [
        (State::Running { step: 1, wait: reply }, "running", false, Some(Micros(9)), false),
        (State::Compensating { step: 1, wait: backoff, cause: cause() }, "compensating", false, Some(Micros(8)), true),
        (stuck, "stuck", false, None, true),
        (State::Paused { resume: Resume::Run { step: 1, attempt: 0 } }, "paused", false, None, false),
        (State::Paused { resume: unwind }, "paused", false, None, true),
        (State::Completed, "completed", true, None, false),
        (State::Compensated { cause: cause() }, "compensated", true, None, true),
        (State::Running { step: 0, wait: backoff }, "running", false, Some(Micros(8)), false),
    ]
}

fn saga(state: State) -> Saga {
    Saga {
        id: SagaId([7; 16]),
        definition: DefinitionId { name: "one".to_owned(), version: 1 },
        version: 1,
        state,
        created_at: Micros(1),
        updated_at: Micros(1),
        deadline: None,
        input: Bytes::new(),
        outputs: vec![(1, Bytes::from_static(b"one")), (4, Bytes::from_static(b"four"))],
    }
}

#[test]
fn every_state_names_itself() {
    for (state, name, ended, deadline, has_cause) in states() {
        assert_eq!(state.name(), name);
        let saga = saga(state);
        assert_eq!((saga.has_ended(), saga.wake_at()), (ended, deadline), "{name}");
        assert_eq!(saga.cause(), has_cause.then(cause).as_ref(), "{name}");
    }
}

#[test]
fn outputs_are_found_by_their_step() {
    let saga = saga(State::Completed);
    assert_eq!([0, 1, 2, 4].map(|step| saga.output(step)), ["", "one", "", "four"]);
}

#[test]
fn an_id_is_read_as_a_uuid() {
    let id = SagaId([0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x00, 0x70, 0x01, 0x80, 0, 0, 0, 0, 0, 0x0a, 0xff]);
    assert_eq!(id.to_string(), "018bcfe5-6800-7001-8000-000000000aff");
    assert_eq!(format!("{id:?}"), id.to_string());
    assert_eq!(DefinitionId { name: "order".to_owned(), version: 2 }.to_string(), "order/2");
    assert_eq!([Direction::Action, Direction::Undo].map(Direction::as_str), ["action", "undo"]);
}

#[test]
fn waits_tell_their_attempt_and_deadline() {
    let reply = Wait::Reply { attempt: 3, last: 5, until: Micros(9) };
    let backoff = Wait::Backoff { attempt: 4, last: 5, until: Micros(8) };
    assert_eq!([reply, backoff].map(|wait| (wait.attempt(), wait.until())), [(3, Micros(9)), (4, Micros(8))]);
}

#[test]
fn time_neither_overflows_nor_goes_below_zero() {
    assert_eq!(Micros(5).plus(Duration::from_micros(7)), Micros(12));
    assert_eq!(Micros(i64::MAX).plus(Duration::from_secs(1)), Micros(i64::MAX));
    assert_eq!(Micros(12).since(Micros(5)), Duration::from_micros(7));
    assert_eq!(Micros(5).since(Micros(12)), Duration::ZERO);
    assert_eq!(Micros(-5).to_string(), "-5us");
}

/// The same definition and events, from whatever time: nothing but the times differs.
#[test]
fn a_life_is_the_same_at_any_time() {
    let definition = Definition::builder("one", 1)
        .compensatable("a", "p", "a.do", "a.undo", StepOptions::new())
        .pivot("go", "p", "go", StepOptions::new())
        .build()
        .unwrap();
    let lived = |start: i64| {
        let mut saga = machine::start(&definition, SagaId([7; 16]), Bytes::new(), Micros(start)).saga;
        let done = |step| {
            let outcome = Outcome::Succeeded { output: Bytes::from_static(b"done") };
            Event::Reply(Reply { step, direction: Direction::Action, attempt: 1, outcome })
        };
        let pause = |verb| Event::Action(OperatorAction { verb, actor: "ada".to_owned(), reason: "tea".to_owned() });
        for (event, after) in [(done(0), 3), (pause(Verb::Pause), 4), (pause(Verb::Resume), 9), (done(1), 11)] {
            let Applied::Moved(moved) = machine::apply(&definition, &saga, &event, Micros(start + after)) else {
                panic!("{event:?} moves {saga:?}")
            };
            saga = moved.saga;
        }
        saga
    };
    let (early, late) = (lived(0), lived(1_000_000));
    assert_eq!(early.state, State::Completed);
    assert_eq!((early.updated_at.0, late.updated_at.0), (11, 1_000_011));
    assert_eq!((&early.state, &early.outputs, early.version), (&late.state, &late.outputs, late.version));
}
