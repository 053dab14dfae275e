//! What a hold does to a plan: nothing is sent to what is held, and nothing of it counts as sent where that can be avoided.
//! Why so: decision 12.

use super::{Came, Planner};
use crate::audit_entry::audited;
use crate::hold_policy::{Barrier, Mark, barrier};
use crate::input::Act;
use crate::sagas::SagaType;
use saga_core::definition::Definition;
use saga_core::event::{Event, OperatorAction, Verb};
use saga_core::machine;
use saga_core::saga::Saga;
use saga_core::transition::{Applied, Command, Transition};
use std::sync::Arc;

impl Planner<'_> {
    /// Takes a transition over, unless a hold keeps its commands back. Then an answer or a wake finds the saga paused: it
    /// counts as ever, and nothing counts as sent. An action that would only send again is refused. Any other is carried
    /// out, and what follows from it is caught by [`Self::record`].
    pub(super) fn moved(
        &mut self,
        saga: &Saga,
        saga_type: &Arc<dyn SagaType>,
        (event, act): (&Event, Option<&Act>),
        transition: Transition,
    ) -> Came {
        let definition = saga_type.definition();
        let barrier = self.barrier(definition, &transition.commands);
        match (barrier, event) {
            (Some(barrier), Event::Action(OperatorAction { verb: Verb::Resume | Verb::Retry, .. }))
                if act.is_some_and(|act| !act.release) =>
            {
                return Came::Held(barrier);
            }
            (Some(barrier), Event::Reply(_) | Event::Wake) => {
                if let Some(paused) = self.paused_by(definition, saga, barrier) {
                    let held = paused.saga.clone();
                    self.record(saga.id, saga_type, paused);
                    if let Applied::Moved(then) = (self.apply)(definition, &held, event, self.now) {
                        self.record(saga.id, saga_type, then);
                    }
                    return Came::Moved;
                }
                self.record(saga.id, saga_type, transition);
            }
            (Some(_), Event::Action(_)) | (None, _) => self.record(saga.id, saga_type, transition),
        }
        Came::Moved
    }

    pub(super) fn barrier(&self, definition: &Definition, commands: &[Command]) -> Option<Barrier> {
        barrier(self.holds, definition, commands.iter().map(|command| command.id.step))
    }

    /// The pause by a hold, if the saga can be paused; written down as an act of whoever holds.
    pub(super) fn paused_by(&mut self, definition: &Definition, saga: &Saga, barrier: Barrier) -> Option<Transition> {
        let event = Event::Action(barrier.pause());
        let Applied::Moved(paused) = machine::apply(definition, saga, &event, self.now) else { return None };
        let act = Act { version: Some(saga.version), ..Act::new(saga.id, barrier.pause()) };
        let audit = audited(&act, Some(definition), &saga.state, &paused.saga.state, &paused.entry);
        self.changes.audits.push(audit);
        self.changes.marks.push(Mark { held: barrier.held, saga: saga.id, seen: saga.version });
        Some(paused)
    }
}
