//! Actions: judged, handed to the engine, answered.

use crate::api::admin::audit::Audits;
use crate::api::admin::fields::{MAX_ACTOR, MAX_REASON, request_id, words};
use crate::api::lookup::Lookup;
use crate::api::sagas::saga_id;
use crate::api::start::{not_settled, rejection};
use crate::api::view;
use baton_engine::handle::EngineHandle;
use baton_engine::hold_policy::Barrier;
use baton_engine::input::{Act, ActionOutcome, NotSettled};
use baton_operations::reason::{SagaReason, of_store};
use baton_operations::refusal;
use baton_proto::baton::saga::v1 as wire;
use baton_rpc::errors::{Flaw, Violations, status_with};
use baton_rpc::reason::Reason;
use saga_core::event::{Event, JournalRecord, OperatorAction, Verb};
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use saga_core::transition::Refused;
use std::collections::HashMap;
use tonic::Status;
use tonic_types::PreconditionViolation;

/// Takes operators' actions to the engine.
pub struct Actions<'a> {
    pub(in crate::api) engine: &'a EngineHandle,
    pub(in crate::api) lookup: Lookup<'a>,
    pub(in crate::api) audits: Audits<'a>,
}

impl Actions<'_> {
    pub(super) async fn act(&self, request: wire::ActOnSagaRequest) -> Result<wire::ActOnSagaResponse, Status> {
        let id = saga_id("name", &request.name)?;
        let mut violations = Violations::new();
        let verb = violations.keep("verb", verb(request.verb));
        let actor = violations.keep("actor", words(request.actor, MAX_ACTOR, Reason::ACTOR_INVALID));
        let reason = violations.keep("reason", words(request.reason, MAX_REASON, Reason::ACTION_REASON_INVALID));
        let request_id = violations.keep("request_id", request_id(&request.request_id));
        let (Some(verb), Some(actor), Some(reason), Some(request_id)) = (verb, actor, reason, request_id) else {
            return Err(violations.into_status());
        };
        let action = OperatorAction { verb, actor, reason };
        let version = Some(request.version).filter(|version| *version > 0);
        let act = Act { version, request: request_id, ..Act::new(id, action) };
        // Asked first: by now the saga may be where the action would be refused.
        if let Some(at) = self.acted(&act).await? {
            return Ok(answer(view::saga(self.lookup.registry, &self.lookup.existing(id).await?), at));
        }
        let outcome = self.engine.action(act.clone()).await.map_err(rejection)?;
        self.answered(act, outcome).await
    }

    /// When this very act was carried out under its request id, if it was.
    async fn acted(&self, act: &Act) -> Result<Option<Micros>, Status> {
        let repeated = self.audits.repeated(act.request, act.content()).await?;
        Ok(repeated.map(|row| row.audit.at))
    }

    async fn answered(
        &self,
        act: Act,
        outcome: Result<ActionOutcome, NotSettled>,
    ) -> Result<wire::ActOnSagaResponse, Status> {
        // Asked again: the same request may have come through another orchestrator meanwhile, or through a COMMIT whose
        // answer was lost. If that cannot be told either, the outcome stands.
        let repeated = match &outcome {
            Ok(ActionOutcome::Moved(_)) => None,
            Err(NotSettled::InDoubt(_)) => self.acted(&act).await.unwrap_or_default(),
            _ => self.acted(&act).await?,
        };
        let Act { saga: id, action, version, request: _, release: _, hold: _ } = act;
        if let Some(at) = repeated {
            return Ok(answer(view::saga(self.lookup.registry, &self.lookup.existing(id).await?), at));
        }
        match outcome {
            Ok(ActionOutcome::Moved(record)) => {
                let at = record.saga.updated_at;
                Ok(answer(view::saga(self.lookup.registry, &record), at))
            }
            Ok(ActionOutcome::OtherVersion { current }) => match self.carried_out(id, &action, version).await? {
                Some(at) => Ok(answer(view::saga(self.lookup.registry, &self.lookup.existing(id).await?), at)),
                None => Err(other_version(id, version, current)),
            },
            Ok(ActionOutcome::Refused(rule)) => Err(refused(id, action.verb, rule)),
            Ok(ActionOutcome::Held(barrier)) => Err(kept_back(action.verb, &barrier)),
            Ok(ActionOutcome::UnknownSaga) => Err(self.lookup.not_found(id).await),
            Ok(ActionOutcome::RequestTaken) => {
                tracing::error!(saga_id = %id, "a request id is taken, and nobody knows by whom");
                Err(SagaReason::Internal.status("internal error"))
            }
            Err(why) => Err(not_settled(
                &why,
                "an action with a request_id or a version may be repeated, without either look at the saga first",
            )),
        }
    }

    /// When this very action moved the saga on from `version`, if it did: then the request is a repetition.
    async fn carried_out(
        &self,
        id: SagaId,
        action: &OperatorAction,
        version: Option<u64>,
    ) -> Result<Option<Micros>, Status> {
        let Some(version) = version else { return Ok(None) };
        let next = self.lookup.store.journal(id, version, 1).await.map_err(|error| of_store(&error))?;
        let own = next.first().filter(|entry| {
            entry.version == version.saturating_add(1)
                && matches!(&entry.record, JournalRecord::Moved(Event::Action(given)) if given == action)
        });
        Ok(own.map(|entry| entry.at))
    }
}

fn answer(saga: wire::Saga, at: Micros) -> wire::ActOnSagaResponse {
    wire::ActOnSagaResponse { saga: Some(saga), event_time: Some(view::timestamp(at)) }
}

fn other_version(id: SagaId, asked: Option<u64>, current: u64) -> Status {
    let reason = SagaReason::VersionMismatch;
    let message = format!("{} is at version {current}, not {}", view::name_of(id), asked.unwrap_or_default());
    let metadata = HashMap::from([("version".to_owned(), current.to_string())]);
    status_with(reason.code(), reason.as_str(), message, metadata, None)
}

fn kept_back(verb: Verb, barrier: &Barrier) -> Status {
    let reason = SagaReason::ActionRefused;
    let Barrier { held, actor, reason: why } = barrier;
    let metadata = [("rule", refusal::HELD), ("hold", &held.name()), ("actor", actor), ("why", why)];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let failed = PreconditionViolation::new(refusal::HELD, held.name(), "the hold must be released first");
    status_with(reason.code(), reason.as_str(), refusal::kept_back(verb, barrier), metadata, Some(failed))
}

fn refused(id: SagaId, verb: Verb, rule: Refused) -> Status {
    let reason = SagaReason::ActionRefused;
    let name = refusal::rule(rule);
    let metadata = HashMap::from([("rule".to_owned(), name.to_owned())]);
    let failed = PreconditionViolation::new(name, view::name_of(id), rule.to_string());
    status_with(reason.code(), reason.as_str(), refusal::sentence(verb, rule), metadata, Some(failed))
}

pub(super) fn verb(code: i32) -> Result<Verb, Flaw> {
    match wire::SagaVerb::try_from(code) {
        Ok(wire::SagaVerb::Cancel) => Ok(Verb::Cancel),
        Ok(wire::SagaVerb::Retry) => Ok(Verb::Retry),
        Ok(wire::SagaVerb::Skip) => Ok(Verb::Skip),
        Ok(wire::SagaVerb::ResolveDone) => Ok(Verb::ResolveDone),
        Ok(wire::SagaVerb::ResolveUndone) => Ok(Verb::ResolveUndone),
        Ok(wire::SagaVerb::Pause) => Ok(Verb::Pause),
        Ok(wire::SagaVerb::Resume) => Ok(Verb::Resume),
        Ok(wire::SagaVerb::Unspecified) => Err(Flaw::new(Reason::FIELD_REQUIRED, "must say what to do")),
        Err(_) => Err(Flaw::new(Reason::ENUM_UNKNOWN, "must be a SagaVerb")),
    }
}
