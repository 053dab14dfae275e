//! The table: what each event does in each state. The only place where a saga's state changes.

mod compensating;
mod invariant;
mod moves;
mod paused;
mod running;
mod stuck;

pub use invariant::{BrokenInvariant, check};
pub use moves::timed_out;

use crate::definition::Definition;
use crate::event::{Event, JournalRecord};
use crate::saga::{Saga, SagaId, State};
use crate::time::Micros;
use crate::transition::{Applied, Ignored, Refused, Transition};
use bytes::Bytes;
use moves::{Context, Decision, NoMove};

/// Reason of a cause when a command's timeout passed without an answer.
pub const TIMEOUT: &str = "TIMEOUT";

/// Reason of a cause when the saga's own deadline passed before the pivot was done.
pub const SAGA_DEADLINE: &str = "SAGA_DEADLINE";

/// Reason of a cause when an operator cancelled the saga; its message is `actor: reason`.
pub const CANCELLED: &str = "CANCELLED";

/// The first transition of a saga: version 1, and the command of the first step that has an action.
///
/// Nothing exists until the shell has committed it; a crash before that leaves nothing behind.
///
/// # Panics
/// Never for a checked definition, which has at least one action.
#[must_use]
pub fn start(definition: &Definition, id: SagaId, input: Bytes, now: Micros) -> Transition {
    let unborn = Saga {
        id,
        definition: definition.id().clone(),
        version: 0,
        // Stands for no state: replaced below, before anybody can see it.
        state: State::Completed,
        created_at: now,
        updated_at: now,
        deadline: definition.deadline().map(|deadline| now.plus(deadline)),
        outputs: Vec::new(),
        input,
    };
    let context = Context { definition, saga: &unborn, now };
    let record = JournalRecord::Started { definition: unborn.definition.clone(), input: unborn.input.clone() };
    context.commit(context.forward(0), record)
}

/// What `event` does to `saga`: the next value with its journal entry and commands, or why nothing changes.
///
/// Time goes back within a saga only if the clock was set back: the move is made at [`Saga::moves_at`]. The old value is not changed;
/// whoever fails to commit the new one reloads and applies again.
///
/// # Panics
/// If the saga is none of this definition or breaks an invariant, that is only if [`check`] fails: a defect in the program
/// or a damaged row, which must not spread. Nothing has been written then. So whoever has loaded a saga runs [`check`]
/// first; stores cannot, as they know no definitions. What `apply` itself has returned needs no check.
#[must_use]
pub fn apply(definition: &Definition, saga: &Saga, event: &Event, now: Micros) -> Applied {
    let context = Context { definition, saga, now: saga.moves_at(now) };
    match decide(&context, event) {
        Ok(next) => Applied::Moved(context.commit(next, JournalRecord::Moved(event.clone()))),
        Err(NoMove::Ignored(why)) => Applied::Ignored(why),
        Err(NoMove::Refused(why)) => Applied::Refused(why),
    }
}

/// The table itself, one line per state and event; what depends on more stands in the state's own file.
fn decide(at: &Context<'_>, event: &Event) -> Decision {
    match (&at.saga.state, event) {
        (State::Running { step, wait }, Event::Reply(reply)) => running::reply(at, *step, *wait, reply),
        (State::Running { step, wait }, Event::Wake) => running::wake(at, *step, *wait),
        (State::Running { step, wait }, Event::Action(action)) => running::action(at, *step, *wait, action),

        (State::Compensating { step, wait, cause }, Event::Reply(reply)) => {
            compensating::reply(at, *step, *wait, cause, reply)
        }
        (State::Compensating { step, wait, cause }, Event::Wake) => compensating::wake(at, *step, *wait, cause),
        (State::Compensating { step, wait, cause }, Event::Action(action)) => {
            compensating::action(at, *step, *wait, cause, action)
        }

        (State::Stuck { step, direction, attempt, unwinding, .. }, Event::Reply(reply)) => {
            stuck::reply(at, *step, *direction, *attempt, unwinding.as_ref(), reply)
        }
        (State::Stuck { .. }, Event::Wake) => Err(NoMove::Ignored(Ignored::NotDue)),
        (State::Stuck { step, attempt, unwinding, .. }, Event::Action(action)) => {
            stuck::action(at, *step, *attempt, unwinding.as_ref(), action)
        }

        (State::Paused { resume }, Event::Reply(reply)) => paused::reply(at, resume, reply),
        (State::Paused { .. }, Event::Wake) => Err(NoMove::Ignored(Ignored::NotDue)),
        (State::Paused { resume }, Event::Action(action)) => paused::action(at, resume, action),

        (State::Completed | State::Compensated { .. }, Event::Reply(_) | Event::Wake) => {
            Err(NoMove::Ignored(Ignored::Ended))
        }
        (State::Completed | State::Compensated { .. }, Event::Action(_)) => Err(NoMove::Refused(Refused::Ended)),
    }
}
