//! Wrong tables in place of the machine's.

use saga_core::definition::Definition;
use saga_core::event::{Event, Outcome, Reply, Verb};
use saga_core::machine;
use saga_core::saga::{Saga, State, Wait};
use saga_core::time::Micros;
use saga_core::transition::{Applied, Ignored};

pub(super) fn late_success_ignored(definition: &Definition, saga: &Saga, event: &Event, now: Micros) -> Applied {
    let backing_off = matches!(
        saga.state,
        State::Running { wait: Wait::Backoff { .. }, .. } | State::Compensating { wait: Wait::Backoff { .. }, .. }
    );
    match event {
        Event::Reply(Reply { outcome: Outcome::Succeeded { .. }, .. }) if backing_off => {
            Applied::Ignored(Ignored::OtherAttempt)
        }
        _ => machine::apply(definition, saga, event, now),
    }
}

pub(super) fn old_unavailable_counts(definition: &Definition, saga: &Saga, event: &Event, now: Micros) -> Applied {
    let newest = match &saga.state {
        State::Running { wait, .. } | State::Compensating { wait, .. } => wait.attempt(),
        _ => return machine::apply(definition, saga, event, now),
    };
    match event {
        Event::Reply(reply) if matches!(reply.outcome, Outcome::Unavailable { .. }) => {
            let reply = Reply { attempt: newest, ..reply.clone() };
            machine::apply(definition, saga, &Event::Reply(reply), now)
        }
        _ => machine::apply(definition, saga, event, now),
    }
}

/// Changes the next value of a saga behind the machine's back.
fn changed(applied: Applied, change: impl FnOnce(&mut State)) -> Applied {
    match applied {
        Applied::Moved(mut transition) => {
            change(&mut transition.saga.state);
            Applied::Moved(transition)
        }
        other => other,
    }
}

pub(super) fn no_deadline_after_retry(definition: &Definition, saga: &Saga, event: &Event, now: Micros) -> Applied {
    changed(machine::apply(definition, saga, event, now), |state| {
        if let State::Running { wait: Wait::Reply { attempt: 2.., until, .. }, .. } = state {
            *until = Micros(i64::MAX / 2);
        }
    })
}

pub(super) fn undo_past_the_pivot(definition: &Definition, saga: &Saga, event: &Event, now: Micros) -> Applied {
    let past = matches!(saga.state, State::Running { step, .. } if definition.is_past_pivot(step));
    match event {
        Event::Action(order) if order.verb == Verb::Cancel && past => {
            let mut earlier = saga.clone();
            if let (State::Running { step, .. }, Some(pivot)) = (&mut earlier.state, definition.pivot()) {
                *step = pivot;
            }
            machine::apply(definition, &earlier, event, now)
        }
        _ => machine::apply(definition, saga, event, now),
    }
}

pub(super) fn undos_in_forward_order(definition: &Definition, saga: &Saga, event: &Event, now: Micros) -> Applied {
    match machine::apply(definition, saga, event, now) {
        Applied::Moved(mut transition) => {
            let begins = matches!(saga.state, State::Running { .. });
            if let (State::Compensating { step, .. }, true) = (&mut transition.saga.state, begins) {
                // Begins at the bottom, and so ends there.
                *step = 0;
                transition.commands.iter_mut().for_each(|command| command.id.step = 0);
            }
            Applied::Moved(transition)
        }
        other => other,
    }
}

pub(super) fn stored_rejection_taken_for_success(
    definition: &Definition,
    saga: &Saga,
    event: &Event,
    now: Micros,
) -> Applied {
    match event {
        Event::Reply(reply) if matches!(&reply.outcome, Outcome::Rejected { reason, .. } if reason == "OUT_OF_STOCK") =>
        {
            let outcome = Outcome::Succeeded { output: bytes::Bytes::new() };
            machine::apply(definition, saga, &Event::Reply(Reply { outcome, ..reply.clone() }), now)
        }
        _ => machine::apply(definition, saga, event, now),
    }
}
