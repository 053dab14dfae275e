//! What is written down of an operator's action that moved a saga.

use crate::input::Act;
use crate::store::audit::NewAudit;
use baton_query::step_position::{StepPosition, position};
use saga_core::definition::Definition;
use saga_core::event::{Entry, OperatorAction};
use saga_core::saga::State;

/// The audit entry of an action whose own journal entry is `entry`. A saga that went on by itself, because the command that
/// followed could not even be built, is described as it was left.
pub(super) fn audited(
    act: &Act,
    definition: Option<&Definition>,
    before: &State,
    after: &State,
    entry: &Entry,
) -> NewAudit {
    let OperatorAction { verb, actor, reason } = act.action.clone();
    NewAudit {
        at: entry.at,
        actor,
        act: verb.as_str().to_owned(),
        subject: format!("sagas/{}", act.saga),
        reason,
        before: described(definition, before),
        after: described(definition, after),
        saga: Some(act.saga),
        version: entry.version,
        request: act.request,
        content: act.content(),
    }
}

/// `stuck at the undo of hotel.book`, `completed`.
fn described(definition: Option<&Definition>, state: &State) -> String {
    let half = definition.zip(position(state));
    match half.map(|(definition, (step, direction, _))| StepPosition::new(definition, step, direction)) {
        Some(half) => format!("{} at {half}", state.name()),
        None => state.name().to_owned(),
    }
}
