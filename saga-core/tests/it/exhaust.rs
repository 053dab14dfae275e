//! Every path of many definitions is walked, and planted bugs are caught.

use crate::definitions;
use definitions::{all_up_to, order_like};
use saga_core::definition::{Definition, StepOptions};
use saga_core::event::{Event, Outcome, Reply, Verb};
use saga_core::machine;
use saga_core::saga::{CommandId, Direction, Resume, Saga, State, StepIndex, Wait};
use saga_core::time::Micros;
use saga_core::transition::{Applied, Command, Transition};
use saga_testing::exhaust::{Bounds, Failure, Law, exhaust, exhaust_with};

#[test]
fn every_path_of_an_order_like_saga() {
    let report = exhaust(&order_like(), Bounds { attempts: 2, operator_actions: 3, ..Bounds::default() }).unwrap();
    // Pinned, so that a walk that leaves something out, or counts something twice, shows. A new rule of the machine
    // changes these numbers; that it only adds what it should is for the reader of the change to see.
    let expected = "5292 states, 67778 transitions, 190688 ignored, 22312 refused; 32 completed, 160 compensated, \
                    356 stuck; depth 20";
    assert_eq!(report.to_string(), expected);
}

#[test]
fn every_path_of_every_short_definition() {
    let definitions = all_up_to(3);
    let states: usize = definitions
        .iter()
        .map(|definition| match exhaust(definition, Bounds { operator_actions: 1, ..Bounds::default() }) {
            Ok(report) => report.states,
            Err(failure) => panic!("{definition:#?}\n{failure}"),
        })
        .sum();
    println!("{} definitions: {states} states", definitions.len());
    assert!(definitions.len() > 50, "only {} definitions", definitions.len());
}

#[test]
fn bounds_end_the_walk() {
    let few = Bounds { states: 10, ..Bounds::default() };
    assert_eq!(exhaust(&order_like(), few), Err(Failure::TooManyStates(10)));
    let none = Bounds { attempts: 0, ..Bounds::default() };
    assert!(matches!(exhaust(&order_like(), none), Err(Failure::Bounds(_))));
}

#[test]
fn a_single_step_is_enough() {
    let one = Definition::builder("one", 1).pivot("go", "someone", "go", StepOptions::new()).build().unwrap();
    let expected =
        "58 states, 486 transitions, 825 ignored, 332 refused; 14 completed, 11 compensated, 7 stuck; depth 11";
    assert_eq!(exhaust(&one, Bounds::default()).unwrap().to_string(), expected);
}

/// Walks the action-like saga with a planted bug and returns the law that caught it.
fn caught(bug: impl Fn(&Definition, &Saga, &Event, Micros) -> Applied) -> Law {
    match exhaust_with(&order_like(), Bounds::default(), &bug) {
        Err(Failure::Broken { law, path }) => {
            println!("{law}:\n{path}");
            assert!(path.starts_with("start"), "the path is a script:\n{path}");
            law
        }
        other => panic!("the planted bug was not caught: {other:?}"),
    }
}

/// The real machine, with `change` made to each of its moves.
fn changed(
    change: impl Fn(&Definition, &Saga, Transition) -> Transition,
) -> impl Fn(&Definition, &Saga, &Event, Micros) -> Applied {
    move |definition, saga, event, now| match machine::apply(definition, saga, event, now) {
        Applied::Moved(transition) => Applied::Moved(change(definition, saga, transition)),
        other @ (Applied::Ignored(_) | Applied::Refused(_)) => other,
    }
}

fn sending(mut transition: Transition, step: StepIndex, direction: Direction, attempt: u32) -> Transition {
    let until = transition.saga.updated_at.plus(std::time::Duration::from_secs(5));
    let wait = Wait::Reply { attempt, last: 2, until };
    let cause = transition.saga.cause().cloned();
    let id = CommandId { saga: transition.saga.id, step, direction };
    let deadline = match direction {
        Direction::Action => Some(until),
        Direction::Undo => None,
    };
    transition.commands = vec![Command { id, attempt, deadline }];
    transition.saga.state = match (direction, cause) {
        (Direction::Undo, Some(cause)) => State::Compensating { step, wait, cause },
        (Direction::Action | Direction::Undo, _) => State::Running { step, wait },
    };
    transition
}

#[test]
fn undo_past_the_pivot() {
    let law = caught(changed(|definition, _, transition| match &transition.saga.state {
        State::Stuck { step, direction: Direction::Action, .. } => match definition.undo_below(*step) {
            Some(below) => sending(transition, below, Direction::Undo, 1),
            None => transition,
        },
        _ => transition,
    }));
    assert_eq!(law, Law::UndoPastPivot);
}

#[test]
fn skips_an_undo() {
    let law = caught(changed(|_, before, mut transition| match (&before.state, &transition.saga.state) {
        (State::Compensating { step, .. }, State::Compensating { step: lower, cause, .. }) if lower < step => {
            transition.saga.state = State::Compensated { cause: cause.clone() };
            transition.commands.clear();
            transition
        }
        _ => transition,
    }));
    assert_eq!(law, Law::CompensatedIsWhole);
}

#[test]
fn forgets_the_deadline() {
    let law = caught(changed(|_, _, mut transition| {
        if let State::Running { wait: Wait::Backoff { until, .. }, .. } = &mut transition.saga.state {
            *until = Micros(i64::MAX);
        }
        transition
    }));
    assert_eq!(law, Law::OneDeadline);
}

#[test]
fn acts_after_unwinding() {
    let law = caught(changed(|_, before, transition| match &before.state {
        State::Compensating { step, .. } if before.state != transition.saga.state => {
            let step = step + 1;
            sending(
                Transition { saga: Saga { state: State::Completed, ..transition.saga.clone() }, ..transition },
                step,
                Direction::Action,
                1,
            )
        }
        _ => transition,
    }));
    assert_eq!(law, Law::ActionAfterUnwinding);
}

#[test]
fn late_unavailable_counts() {
    let law = caught(|definition, saga, event, now| {
        let newest = match &saga.state {
            State::Running { wait, .. } | State::Compensating { wait, .. } => wait.attempt(),
            _ => 0,
        };
        match event {
            Event::Reply(Reply { outcome: Outcome::Unavailable { .. }, attempt, .. })
                if (1..newest).contains(attempt) =>
            {
                let Event::Reply(reply) = event else { unreachable!() };
                let now_newest = Event::Reply(Reply { attempt: newest, ..reply.clone() });
                machine::apply(definition, saga, &now_newest, now)
            }
            _ => machine::apply(definition, saga, event, now),
        }
    });
    assert_eq!(law, Law::ShouldBeIgnored);
}

#[test]
fn forgets_a_command() {
    let law = caught(changed(|_, _, mut transition| {
        if matches!(transition.saga.state, State::Compensating { .. }) {
            transition.commands.clear();
        }
        transition
    }));
    assert_eq!(law, Law::OneCommand);
}

#[test]
fn undoes_twice() {
    let law = caught(changed(|_, before, transition| match (&before.state, &transition.saga.state) {
        (State::Compensating { step, cause, .. }, State::Compensated { .. }) => {
            let (step, cause) = (*step, cause.clone());
            let attempt = match &before.state {
                State::Compensating { wait, .. } => wait.attempt() + 1,
                _ => 1,
            };
            let saga = Saga { state: State::Compensated { cause }, ..transition.saga.clone() };
            sending(Transition { saga, ..transition }, step, Direction::Undo, attempt)
        }
        _ => transition,
    }));
    assert_eq!(law, Law::NeedlessUndo);
}

#[test]
fn unwinds_below_an_unknown_outcome() {
    let law = caught(changed(|definition, before, transition| match (&before.state, &transition.saga.state) {
        (State::Running { step, .. }, State::Compensating { step: undone, .. }) if step == undone => {
            match definition.undo_below(*step) {
                Some(below) => sending(transition, below, Direction::Undo, 1),
                None => transition,
            }
        }
        _ => transition,
    }));
    assert_eq!(law, Law::UndoSequence);
}

#[test]
fn moves_after_the_end() {
    let law = caught(|definition, saga, event, now| match (&saga.state, event) {
        (State::Completed, Event::Wake) => {
            let mut transition = machine::start(definition, saga.id, saga.input.clone(), now);
            transition.saga.version = saga.version + 1;
            Applied::Moved(transition)
        }
        _ => machine::apply(definition, saga, event, now),
    });
    assert_eq!(law, Law::ShouldBeIgnored);
}

#[test]
fn repeats_an_attempt() {
    let law = caught(changed(|_, before, mut transition| {
        let again = match &before.state {
            State::Running { wait: Wait::Backoff { attempt, .. }, .. } => Some(*attempt),
            _ => None,
        };
        if let (Some(again), State::Running { wait: Wait::Reply { attempt, .. }, .. }) =
            (again, &mut transition.saga.state)
            && let Some(command) = transition.commands.first_mut()
            && *attempt == again + 1
        {
            *attempt = again;
            command.attempt = again;
        }
        transition
    }));
    assert_eq!(law, Law::Attempts);
}

/// A budget that never runs down has no end to its paths, so the bound on states is what catches it.
#[test]
fn never_gives_up() {
    let bug = |definition: &Definition, saga: &Saga, event: &Event, now| {
        let mut endless = saga.clone();
        if let State::Compensating { wait: Wait::Reply { attempt, last, .. }, .. } = &mut endless.state {
            *last = *attempt + 1;
        }
        machine::apply(definition, &endless, event, now)
    };
    let bounds = Bounds { states: 5_000, ..Bounds::default() };
    assert_eq!(exhaust_with(&order_like(), bounds, &bug), Err(Failure::TooManyStates(5_000)));
}

#[test]
fn loses_an_output() {
    let law = caught(changed(|_, _, mut transition| {
        transition.saga.outputs.clear();
        transition
    }));
    assert_eq!(law, Law::Keeps);
}

#[test]
fn loses_an_action_from_the_journal() {
    let law = caught(|definition, saga, event, now| match (event, machine::apply(definition, saga, event, now)) {
        (Event::Action(action), Applied::Moved(mut transition)) if action.verb == Verb::Pause => {
            transition.saga.version = saga.version;
            transition.entry.version = saga.version;
            Applied::Moved(transition)
        }
        (_, applied) => applied,
    });
    assert_eq!(law, Law::Journal);
}

#[test]
fn resumes_forward_while_unwinding() {
    let law = caught(|definition, saga, event, now| match (&saga.state, event) {
        (State::Paused { resume: Resume::Unwind { cause, .. } }, Event::Action(action))
            if action.verb == Verb::Resume =>
        {
            let forward =
                Saga { state: State::Paused { resume: Resume::Run { step: cause.step, attempt: 1 } }, ..saga.clone() };
            machine::apply(definition, &forward, event, now)
        }
        _ => machine::apply(definition, saga, event, now),
    });
    assert!(matches!(law, Law::ActionAfterUnwinding | Law::UnwindsToTheEnd), "{law}");
}
