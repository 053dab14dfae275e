//! Each part of each law of the exhaustive walk is broken alone, and the law must name itself.

use crate::definitions;
use bytes::Bytes;
use definitions::order_like;
use saga_core::definition::Definition;
use saga_core::event::{Event, JournalRecord, Outcome};
use saga_core::machine;
use saga_core::saga::{Saga, SagaId, State, Wait};
use saga_core::time::Micros;
use saga_core::transition::{Applied, Ignored, Refused, Transition};
use saga_testing::exhaust::{Bounds, Failure, Law, exhaust_with};
use std::cell::Cell;

/// The law that catches a machine.
fn caught(bug: impl Fn(&Definition, &Saga, &Event, Micros) -> Applied) -> Law {
    match exhaust_with(&order_like(), Bounds::default(), &bug) {
        Err(Failure::Broken { law, .. }) => law,
        other => panic!("the planted bug was not caught: {other:?}"),
    }
}

/// The law that catches the real machine with `change` made to each of its moves.
fn changed(change: impl Fn(&Saga, &mut Transition)) -> Law {
    caught(|definition, saga, event, now| match machine::apply(definition, saga, event, now) {
        Applied::Moved(mut transition) => {
            change(saga, &mut transition);
            Applied::Moved(transition)
        }
        other @ (Applied::Ignored(_) | Applied::Refused(_)) => other,
    })
}

#[test]
fn the_journal_entry_is_exactly_the_move() {
    type Change = fn(&Saga, &mut Transition);
    let changes: [(&str, Change); 7] = [
        ("the saga's version", |_, moved| {
            moved.saga.version += 1;
            moved.entry.version += 1;
        }),
        ("the entry's version", |_, moved| moved.entry.version += 1),
        ("the entry's saga", |_, moved| moved.entry.saga = SagaId([8; 16])),
        ("the entry's time", |_, moved| moved.entry.at.0 += 1),
        ("the saga's time", |_, moved| moved.saga.updated_at.0 += 1),
        ("both times", |_, moved| {
            moved.entry.at.0 += 1;
            moved.saga.updated_at.0 += 1;
        }),
        ("the event", |_, moved| {
            if moved.entry.record != JournalRecord::Moved(Event::Wake) {
                moved.entry.record = JournalRecord::Moved(Event::Wake);
            }
        }),
    ];
    for (what, change) in changes {
        assert_eq!(changed(change), Law::Journal, "{what}");
    }
}

#[test]
fn a_move_keeps_what_it_must() {
    type Change = fn(&Saga, &mut Transition);
    let changes: [(&str, Change); 6] = [
        ("the id", |_, moved| {
            moved.saga.id = SagaId([8; 16]);
            moved.entry.saga = moved.saga.id;
            moved.commands.iter_mut().for_each(|command| command.id.saga = SagaId([8; 16]));
        }),
        ("the definition", |_, moved| moved.saga.definition.version += 1),
        ("the start", |_, moved| moved.saga.created_at.0 -= 1),
        ("the deadline", |_, moved| moved.saga.deadline = None),
        ("the input", |_, moved| moved.saga.input = Bytes::from_static(b"other")),
        ("an output", |before, moved| {
            if moved.saga.outputs.len() > before.outputs.len() && !before.outputs.is_empty() {
                moved.saga.outputs.remove(0);
            }
        }),
    ];
    for (what, change) in changes {
        assert_eq!(changed(change), Law::Keeps, "{what}");
    }
}

#[test]
fn commands_fit_their_state() {
    type Change = fn(&Saga, &mut Transition);
    let changes: [(&str, Law, Change); 5] = [
        ("another saga", Law::Attempts, |_, moved| {
            moved.commands.iter_mut().for_each(|command| command.id.saga = SagaId([8; 16]));
        }),
        ("a skipped attempt", Law::Attempts, |_, moved| {
            moved.commands.iter_mut().for_each(|command| command.attempt += 1);
        }),
        ("no deadline", Law::OneCommand, |_, moved| {
            moved.commands.iter_mut().for_each(|command| command.deadline = None);
        }),
        ("another deadline", Law::OneCommand, |_, moved| {
            let later = |at: Micros| Micros(at.0 + 1);
            moved.commands.iter_mut().for_each(|command| command.deadline = command.deadline.map(later));
        }),
        ("nothing", Law::OneCommand, |_, moved| moved.commands.clear()),
    ];
    for (what, law, change) in changes {
        assert_eq!(changed(change), law, "{what}");
    }
}

#[test]
fn deadlines_lie_ahead_and_within_reach() {
    let shifted = |of_reply: bool, shift: fn(Micros, Micros) -> Micros| {
        changed(move |_, moved| {
            let now = moved.saga.updated_at;
            let (State::Running { wait, .. } | State::Compensating { wait, .. }) = &mut moved.saga.state else {
                return;
            };
            match wait {
                Wait::Reply { until, .. } if of_reply => *until = shift(*until, now),
                Wait::Backoff { until, .. } if !of_reply => *until = shift(*until, now),
                Wait::Reply { .. } | Wait::Backoff { .. } => {}
            }
            if let (Wait::Reply { until, .. }, Some(command)) = (*wait, moved.commands.first_mut()) {
                command.deadline = command.deadline.map(|_| until);
            }
        })
    };
    for of_reply in [true, false] {
        assert_eq!(shifted(of_reply, |_, now| now), Law::OneDeadline, "due at once");
        assert_eq!(shifted(of_reply, |_, now| Micros(now.0 + 10_000_001)), Law::OneDeadline, "out of reach");
    }
}

#[test]
fn answers_are_of_the_right_kind() {
    let refuses = |wanted: fn(&Event) -> bool, answer: Applied| {
        caught(move |definition, saga, event, now| match machine::apply(definition, saga, event, now) {
            Applied::Moved(_) if wanted(event) => answer.clone(),
            other => other,
        })
    };
    let is_success =
        |event: &Event| matches!(event, Event::Reply(reply) if matches!(reply.outcome, Outcome::Succeeded { .. }));
    let is_refusal =
        |event: &Event| matches!(event, Event::Reply(reply) if matches!(reply.outcome, Outcome::Rejected { .. }));
    let is_doubt =
        |event: &Event| matches!(event, Event::Reply(reply) if matches!(reply.outcome, Outcome::Unavailable { .. }));
    let ignored = || Applied::Ignored(Ignored::NotDue);
    assert_eq!(refuses(is_success, ignored()), Law::ShouldMove);
    assert_eq!(refuses(is_refusal, ignored()), Law::ShouldMove);
    assert_eq!(refuses(is_doubt, ignored()), Law::ShouldMove);
    assert_eq!(refuses(|event| *event == Event::Wake, ignored()), Law::ShouldMove);
    assert_eq!(refuses(|event| matches!(event, Event::Action(_)), ignored()), Law::WrongAnswer);
    assert_eq!(refuses(|event| *event == Event::Wake, Applied::Refused(Refused::Ended)), Law::WrongAnswer);
    assert_eq!(refuses(is_success, Applied::Refused(Refused::Ended)), Law::WrongAnswer);
}

#[test]
fn what_counts_for_nothing_must_not_move() {
    let taken = |wanted: fn(&Saga, &Event) -> bool, as_event: fn(&Saga, &Event) -> Event| {
        caught(move |definition, saga, event, now| {
            if wanted(saga, event) {
                machine::apply(definition, saga, &as_event(saga, event), now)
            } else {
                machine::apply(definition, saga, event, now)
            }
        })
    };
    fn with_attempt(event: &Event, attempt: u32) -> Event {
        match event {
            Event::Reply(reply) => Event::Reply(saga_core::event::Reply { attempt, ..reply.clone() }),
            other => other.clone(),
        }
    }
    let never_sent = |_: &Saga, event: &Event| matches!(event, Event::Reply(reply) if reply.attempt == 0);
    assert_eq!(taken(never_sent, |_, event| with_attempt(event, 1)), Law::ShouldBeIgnored, "attempt 0");
    let not_yet_sent = |saga: &Saga, event: &Event| match (&saga.state, event) {
        (State::Running { wait, .. }, Event::Reply(reply)) => reply.attempt == wait.attempt() + 1,
        _ => false,
    };
    let as_sent = |_: &Saga, event: &Event| match event {
        Event::Reply(reply) => with_attempt(event, reply.attempt - 1),
        other => other.clone(),
    };
    assert_eq!(taken(not_yet_sent, as_sent), Law::ShouldBeIgnored, "an attempt that was not sent yet");
    let early = caught(|definition, saga, event, now| match saga.wake_at() {
        Some(until) if *event == Event::Wake && now < until => machine::apply(definition, saga, event, until),
        _ => machine::apply(definition, saga, event, now),
    });
    assert_eq!(early, Law::ShouldBeIgnored, "an early wake");
}

#[test]
fn an_end_is_whole() {
    let law = changed(|before, moved| {
        if matches!(before.state, State::Running { step: 1, .. })
            && matches!(moved.saga.state, State::Running { step: 2, .. })
        {
            moved.saga.state = State::Completed;
            moved.commands.clear();
        }
    });
    assert_eq!(law, Law::CompletedIsWhole);
    let law = changed(|_, moved| {
        if let State::Compensating { cause, .. } = &moved.saga.state {
            moved.saga.state = State::Compensated { cause: cause.clone() };
            moved.commands.clear();
        }
    });
    assert_eq!(law, Law::CompensatedIsWhole);
}

#[test]
fn an_entry_replays_to_the_same_move() {
    // A machine that remembers what it was asked last answers a replay differently.
    let asked = Cell::new(0_u64);
    let law = caught(|definition, saga, event, now| {
        asked.set(asked.get() + 1);
        match machine::apply(definition, saga, event, now) {
            Applied::Moved(mut moved) => {
                if let State::Running { wait: Wait::Backoff { until, .. }, .. } = &mut moved.saga.state {
                    until.0 -= (asked.get() % 2) as i64;
                }
                Applied::Moved(moved)
            }
            other => other,
        }
    });
    assert_eq!(law, Law::Replays);
    let twice = Cell::new(None);
    let law = caught(|definition, saga, event, now| {
        let again = twice.replace(Some((saga.clone(), event.clone(), now))) == Some((saga.clone(), event.clone(), now));
        if again { Applied::Ignored(Ignored::NotDue) } else { machine::apply(definition, saga, event, now) }
    });
    assert_eq!(law, Law::Replays);
}
