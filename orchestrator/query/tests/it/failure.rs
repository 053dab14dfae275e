//! Why a saga tries again: said while it does, and no longer.

use crate::support;
use baton_query::failure::of_journal;
use baton_query::step_position::position;
use saga_core::definition::Definition;
use saga_core::event::{Event, JournalRecord, Verb};
use saga_core::machine::TIMEOUT;
use saga_core::saga::{Cause, Saga, State, Wait};
use support::{Lived, action_of, definitions, order, reachable, succeeded, transfer, unavailable};

fn failure(definition: &Definition, lived: &Lived) -> Option<Cause> {
    of_journal(definition, &lived.journal).unwrap()
}

fn reason(definition: &Definition, lived: &Lived) -> Option<String> {
    failure(definition, lived).map(|cause| cause.reason)
}

fn waits(saga: &Saga) -> Option<Wait> {
    match saga.state {
        State::Running { wait, .. } | State::Compensating { wait, .. } => Some(wait),
        State::Stuck { .. } | State::Paused { .. } | State::Completed | State::Compensated { .. } => None,
    }
}

#[test]
fn a_saga_that_tries_again_says_why_until_it_got_over_it() {
    let order = order();
    let lost = Lived::start(&order).answered(&order, unavailable("AWAY"), 1);
    assert_eq!(reason(&order, &lost).as_deref(), Some("AWAY"));
    let again = lost.woken(&order);
    assert_eq!(reason(&order, &again).as_deref(), Some("AWAY"), "while the next attempt is under way");
    let slow = again.woken(&order);
    assert_eq!(reason(&order, &slow).as_deref(), Some(TIMEOUT), "the newest counts");
    assert_eq!(failure(&order, &slow).unwrap().message, "attempt 2 was not answered in time");
    let held = slow.then(&order, &action_of(Verb::Pause), slow.saga.updated_at);
    let resumed = held.then(&order, &action_of(Verb::Resume), held.saga.updated_at);
    assert_eq!(reason(&order, &held).as_deref(), Some(TIMEOUT));
    assert_eq!(reason(&order, &resumed).as_deref(), Some(TIMEOUT));
    assert_eq!(reason(&order, &resumed.answered(&order, succeeded(), 1)), None, "got over");
    let cancelled = lost.then(&order, &action_of(Verb::Cancel), lost.saga.updated_at);
    assert_eq!(reason(&order, &cancelled), None, "the undo has not failed yet");
    let undo = cancelled.answered(&order, unavailable("BUSY"), 1);
    assert_eq!(reason(&order, &undo).as_deref(), Some("BUSY"), "beside why it unwinds");
}

#[test]
fn a_stuck_saga_says_it_itself_and_carries_it_on_when_it_is_tried_again() {
    let transfer = transfer();
    let sent = Lived::start(&transfer).answered(&transfer, succeeded(), 1);
    let lost = sent.answered(&transfer, unavailable("AWAY"), 1).woken(&transfer);
    let stuck = lost.answered(&transfer, unavailable("CLOSED"), 1);
    assert!(matches!(stuck.saga.state, State::Stuck { .. }));
    assert_eq!(reason(&transfer, &stuck), None);
    let again = stuck.then(&transfer, &action_of(Verb::Retry), stuck.saga.updated_at);
    assert_eq!(reason(&transfer, &again).as_deref(), Some("CLOSED"));
    assert_eq!(reason(&transfer, &again.answered(&transfer, succeeded(), 1)), None);
}

/// Wherever a saga can be, within two acts.
#[test]
fn whoever_backs_off_says_why_and_whoever_has_not_failed_says_nothing() {
    for definition in definitions() {
        for lived in reachable(&definition, 2) {
            let (saga, failure) = (&lived.saga, failure(&definition, &lived));
            if let Some(failure) = &failure {
                assert_eq!(position(&saga.state).map(|(step, ..)| step), Some(failure.step), "{:?}", saga.state);
            }
            let paused = |record: &JournalRecord| matches!(record, JournalRecord::Moved(Event::Action(it)) if it.verb == Verb::Pause);
            let expected = match waits(saga) {
                Some(Wait::Backoff { .. }) => Some(true),
                Some(Wait::Reply { attempt: 1, .. }) => Some(false),
                // After a pause the next attempt is sent without any having failed.
                Some(Wait::Reply { .. }) if lived.journal.iter().any(|entry| paused(&entry.record)) => None,
                Some(Wait::Reply { .. }) => Some(true),
                None if matches!(saga.state, State::Paused { .. }) => None,
                None => Some(false),
            };
            assert!(expected.is_none_or(|expected| failure.is_some() == expected), "{:?}: {failure:?}", saga.state);
        }
    }
}
