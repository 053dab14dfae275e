//! One action on behalf of an operator's larger work, given once however often it is repeated.

use crate::Operations;
use crate::reason::SagaReason;
use crate::refusal;
use baton_engine::handle::{EngineHandle, Rejected};
use baton_engine::input::{Act, ActionOutcome, NotSettled};
use saga_core::saga::SagaId;
use uuid::Uuid;

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// Carried out, now or when it was given before.
    Done,
    /// Refused for good.
    Failed {
        /// The rule, or another reason of the API.
        rule: &'static str,
        /// The same for people.
        message: String,
    },
    /// Not settled: to be given again, with the same request id.
    Later(&'static str),
}

impl Given {
    /// Whether the saga had got another version between the look at it and the action.
    #[must_use]
    pub fn came_late(&self) -> bool {
        self.failed_with(SagaReason::VersionMismatch)
    }

    /// Whether it says more about this build, or about one read, than about the saga.
    #[must_use]
    pub fn is_unclear(&self) -> bool {
        self.failed_with(SagaReason::SagaUnreadable) || self.failed_with(SagaReason::Internal)
    }

    fn failed_with(&self, reason: SagaReason) -> bool {
        matches!(self, Self::Failed { rule, .. } if *rule == reason.as_str())
    }
}

/// The request id of an action that is part of a larger work: the same work and saga give the same id, for ever.
#[must_use]
pub fn request_id(work: &[u8], saga: SagaId, nth: u64) -> Uuid {
    let mut hasher = blake3::Hasher::new();
    for part in [b"baton order of a work".as_slice(), work, &saga.0, &nth.to_le_bytes()] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut id = [0; 16];
    id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    uuid::Builder::from_custom_bytes(id).into_uuid()
}

/// Gives the action, which must carry a request id. If it moves nothing it may have been given before: the audit knows.
pub async fn give(engine: &EngineHandle, operations: &Operations, act: Act) -> Given {
    let given = match engine.action(act.clone()).await {
        Ok(Ok(ActionOutcome::Moved(_))) => return Given::Done,
        Ok(outcome) => judged(&act, outcome),
        Err(Rejected::Overloaded) => return Given::Later("the engine takes no more actions just now"),
        Err(Rejected::Stopping) => return Given::Later("the orchestrator is shutting down"),
    };
    let Some(request) = act.request else { return given };
    match operations.audited(request).await {
        Ok(Some(row)) if row.audit.content == act.content() => Given::Done,
        Ok(_) => given,
        Err(error) => {
            tracing::debug!(%error, "the audit could not be asked");
            Given::Later("the store is unavailable")
        }
    }
}

fn judged(act: &Act, outcome: Result<ActionOutcome, NotSettled>) -> Given {
    let failed =
        |reason: SagaReason, message: &str| Given::Failed { rule: reason.as_str(), message: message.to_owned() };
    match outcome {
        Ok(ActionOutcome::Moved(_)) => Given::Done,
        Ok(ActionOutcome::Refused(rule)) => {
            Given::Failed { rule: refusal::rule(rule), message: refusal::sentence(act.action.verb, rule) }
        }
        Ok(ActionOutcome::Held(barrier)) => {
            Given::Failed { rule: refusal::HELD, message: refusal::kept_back(act.action.verb, &barrier) }
        }
        Ok(ActionOutcome::UnknownSaga) => {
            failed(SagaReason::SagaNotFound, "The saga has been forgotten since it ended.")
        }
        Ok(ActionOutcome::OtherVersion { .. }) => failed(SagaReason::VersionMismatch, "The saga has moved on."),
        Ok(ActionOutcome::RequestTaken) => {
            failed(SagaReason::RequestIdReused, "Another act has this action's request id.")
        }
        Err(NotSettled::UnknownDefinition(_)) => {
            failed(SagaReason::SagaUnreadable, "This build does not know the saga's definition.")
        }
        Err(NotSettled::Unreadable(_)) => failed(SagaReason::SagaUnreadable, "The saga's row cannot be read."),
        Err(NotSettled::Unavailable(_) | NotSettled::InDoubt(_)) => Given::Later("the store is unavailable"),
        Err(NotSettled::Contended(_)) => Given::Later("others hold the sagas that are next"),
        Err(why @ NotSettled::Poisoned(_)) => {
            tracing::error!(saga_id = %act.saga, %why, "action not settled");
            failed(SagaReason::Internal, "The action could not be written; the server's log has the cause.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::request_id;
    use saga_core::saga::SagaId;

    #[test]
    fn works_sagas_and_turns_have_ids_of_their_own() {
        let (one, two) = (SagaId([1; 16]), SagaId([2; 16]));
        let ids =
            [request_id(b"a", one, 0), request_id(b"b", one, 0), request_id(b"a", two, 0), request_id(b"a", one, 1)];
        for (at, id) in ids.iter().enumerate() {
            assert!(!ids[..at].contains(id));
        }
        assert_eq!(request_id(b"a", one, 0), ids[0]);
    }
}
