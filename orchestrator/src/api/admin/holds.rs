//! Definitions and participants that are halted; [`baton_operations::workers::holds`] pauses and resumes their sagas.

use crate::api::admin::audit::Audits;
use crate::api::admin::fields::{MAX_ACTOR, MAX_REASON, request_id, words};
use crate::api::lookup::Lookup;
use crate::api::view;
use baton_engine::hold_policy::Held;
use baton_engine::store::{Fingerprint, SagaStore, StartKey};
use baton_operations::Operations;
use baton_operations::audit::{NewAudit, content};
use baton_operations::holds::{Hold, Placed};
use baton_operations::reason::{SagaReason, of_store};
use baton_proto::baton::saga::v1 as wire;
use baton_rpc::errors::{Flaw, Violations, invalid, status_with};
use baton_rpc::reason::Reason;
use std::collections::HashMap;
use tonic::Status;
use tonic_types::PreconditionViolation;
use uuid::Uuid;

/// An act on a hold, judged.
struct Judged {
    held: Held,
    request: Option<Uuid>,
    act: NewAudit,
}

/// Holds, as operators see to them.
pub struct HoldAdmin<'a> {
    pub(in crate::api) operations: &'a Operations,
    pub(in crate::api) lookup: Lookup<'a>,
    pub(in crate::api) audits: Audits<'a>,
}

impl HoldAdmin<'_> {
    pub(super) async fn create_hold(
        &self,
        request: wire::CreateHoldRequest,
    ) -> Result<wire::CreateHoldResponse, Status> {
        let judged = self.judged("hold", &request.name, request.reason, request.actor, &request.request_id)?;
        self.known(&judged.held)?;
        let operations = self.operations;
        let Judged { held, request, act } = judged;
        let content = act.content;
        if let Some(hold) = self.hold_of(request, content, &held).await? {
            return Ok(wire::CreateHoldResponse { hold: Some(hold) });
        }
        let (reason, actor, created_at) = (act.reason.clone(), act.actor.clone(), act.at);
        let hold = Hold { held: held.clone(), reason, actor, created_at, release: None, paused: 0 };
        let placed = operations.hold(hold, act).await.map_err(|error| of_store(&error))?;
        let hold = self.placed(placed, request, content, &held).await?;
        Ok(wire::CreateHoldResponse { hold: Some(hold) })
    }

    pub(super) async fn list_holds(
        &self,
        _request: &wire::ListHoldsRequest,
    ) -> Result<wire::ListHoldsResponse, Status> {
        let holds = self.operations.holds().await.map_err(|error| of_store(&error))?;
        Ok(wire::ListHoldsResponse { holds: holds.iter().map(as_wire).collect() })
    }

    pub(super) async fn release_hold(
        &self,
        request: wire::ReleaseHoldRequest,
    ) -> Result<wire::ReleaseHoldResponse, Status> {
        let judged = self.judged("release", &request.name, request.reason, request.actor, &request.request_id)?;
        let operations = self.operations;
        let Judged { held, request, act } = judged;
        let content = act.content;
        if let Some(hold) = self.hold_of(request, content, &held).await? {
            return Ok(wire::ReleaseHoldResponse { hold: Some(hold) });
        }
        let placed = operations.release(held.clone(), act).await.map_err(|error| of_store(&error))?;
        let hold = self.placed(placed, request, content, &held).await?;
        Ok(wire::ReleaseHoldResponse { hold: Some(hold) })
    }

    fn judged(&self, act: &str, name: &str, reason: String, actor: String, request: &str) -> Result<Judged, Status> {
        let mut violations = Violations::new();
        let form = "must be holds/definitions/ and a definition, or holds/participants/ and a participant";
        let held = Held::parse(name).ok_or_else(|| Flaw::new(Reason::NAME_INVALID, form));
        let held = violations.keep("name", held);
        let reason = violations.keep("reason", words(reason, MAX_REASON, Reason::ACTION_REASON_INVALID));
        let actor = violations.keep("actor", words(actor, MAX_ACTOR, Reason::ACTOR_INVALID));
        let request = violations.keep("request_id", request_id(request));
        let (Some(held), Some(reason), Some(actor), Some(request)) = (held, reason, actor, request) else {
            return Err(violations.into_status());
        };
        let content = content(&[act.as_bytes(), name.as_bytes(), reason.as_bytes(), actor.as_bytes()]);
        let act = NewAudit {
            at: self.lookup.store.now(),
            actor,
            act: act.to_owned(),
            subject: held.name(),
            reason,
            before: String::new(),
            after: String::new(),
            saga: None,
            version: 0,
            request,
            content,
        };
        Ok(Judged { held, request, act })
    }

    fn known(&self, held: &Held) -> Result<(), Status> {
        let (known, what) = match held {
            Held::Definition(name) => (self.lookup.registry.newest(name).is_some(), "definition"),
            Held::Participant(name) => (self.lookup.registry.participants().contains(name), "participant"),
        };
        let flaw = || Flaw::new(Reason::NAME_INVALID, format!("must name a {what} that this build knows"));
        if known { Ok(()) } else { Err(invalid("name", flaw())) }
    }

    async fn placed(
        &self,
        placed: Placed,
        request: Option<Uuid>,
        content: Fingerprint,
        held: &Held,
    ) -> Result<wire::Hold, Status> {
        match placed {
            Placed::Hold(hold) => Ok(as_wire(&hold)),
            Placed::Unknown => Err(SagaReason::HoldNotFound.status(format!("{}: there is no such hold", held.name()))),
            Placed::RequestTaken => match self.hold_of(request, content, held).await? {
                Some(hold) => Ok(hold),
                None => Err(SagaReason::Internal.status("internal error")),
            },
        }
    }

    /// The hold of a request that was carried out before, as it is now; if it is gone, only its name.
    async fn hold_of(
        &self,
        request: Option<Uuid>,
        content: Fingerprint,
        held: &Held,
    ) -> Result<Option<wire::Hold>, Status> {
        if self.audits.repeated(request, content).await?.is_none() {
            return Ok(None);
        }
        let holds = self.operations.holds().await.map_err(|error| of_store(&error))?;
        let hold = holds.iter().find(|hold| hold.held == *held).map(as_wire);
        Ok(Some(hold.unwrap_or_else(|| wire::Hold { name: held.name(), ..wire::Hold::default() })))
    }
}

fn as_wire(hold: &Hold) -> wire::Hold {
    wire::Hold {
        name: hold.held.name(),
        reason: hold.reason.clone(),
        actor: hold.actor.clone(),
        create_time: Some(view::timestamp(hold.created_at)),
        paused: hold.paused,
        releasing: hold.release.is_some(),
    }
}

/// Refuses a start of a definition that is held, unless it is the repetition of one that was let in.
pub(in crate::api) async fn not_held(
    operations: Option<&Operations>,
    store: &dyn SagaStore,
    definition: &str,
    keys: &[StartKey],
) -> Result<(), Status> {
    let Some((actor, why)) = operations.and_then(|operations| operations.held(definition)) else {
        return Ok(());
    };
    if !store.find_keys(keys.to_vec()).await.map_err(|error| of_store(&error))?.is_empty() {
        return Ok(());
    }
    let name = Held::Definition(definition.to_owned()).name();
    let message = format!("{definition} is held by {actor}: {why}");
    let reason = SagaReason::DefinitionHeld;
    let metadata =
        HashMap::from([("hold".to_owned(), name.clone()), ("actor".to_owned(), actor), ("why".to_owned(), why)]);
    let failed = PreconditionViolation::new("HELD", name, "the definition must not be held");
    Err(status_with(reason.code(), reason.as_str(), message, metadata, Some(failed)))
}
