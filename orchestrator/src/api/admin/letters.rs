//! Dead letters: listed, decoded, replayed, dropped.

mod decoded;

use crate::api::admin::audit::Audits;
use crate::api::admin::fields::{MAX_ACTOR, MAX_REASON, request_id, words};
use crate::api::view::{name_of, timestamp};
use crate::redact::Redactor;
use baton_courier::bus::Destination;
use baton_engine::sagas::Registry;
use baton_engine::store::{Fingerprint, StoreError};
use baton_operations::Operations;
use baton_operations::audit::{NewAudit, content};
use baton_operations::letters::{Decided, Letter, LetterState, MAX_NOTED, replay_id, replay_of};
use baton_operations::reason::{SagaReason, of_store};
use baton_operations::workers::dead_letters::sagas;
use baton_proto::baton::saga::v1 as wire;
use baton_rpc::errors::{Flaw, Violations};
use baton_rpc::page;
use baton_rpc::reason::Reason;
use decoded::{DecodedLetter, decoded};
use futures_util::future::join_all;
use saga_core::saga::SagaId;
use tonic::Status;
use uuid::Uuid;

const NAME: &str = "deadLetters/";

/// A decision that was asked for.
struct DecisionRequest {
    id: Uuid,
    request: Option<Uuid>,
    content: Fingerprint,
    audit: NewAudit,
}

/// Dead letters, as operators decide on them.
pub struct LetterAdmin<'a> {
    pub(in crate::api) operations: &'a Operations,
    pub(in crate::api) registry: &'a Registry,
    pub(in crate::api) shown: &'a Redactor,
    pub(in crate::api) audits: Audits<'a>,
}

impl LetterAdmin<'_> {
    pub(super) async fn list_dead_letters(
        &self,
        request: &wire::ListDeadLettersRequest,
    ) -> Result<wire::ListDeadLettersResponse, Status> {
        let operations = self.operations;
        let mut violations = Violations::new();
        let state = violations.keep("state", state(request.state));
        let size = violations.keep("page_size", page::page_size(request.page_size));
        let query = format!("ListDeadLetters {}", request.state);
        let before = violations.keep("page_token", keyset(&query, &request.page_token));
        let (Some(state), Some(size), Some(before)) = (state, size, before) else {
            return Err(violations.into_status());
        };
        let mut letters = operations.letters(state, before, size + 1).await.map_err(|error| failed(&error))?;
        let next_page_token = page::cut(&mut letters, size, &query, |last| last.id.into_bytes());
        let dead_letters = join_all(letters.iter().map(|letter| self.linked(view(letter, &letter.sagas), letter)));
        let dead_letters = dead_letters.await.into_iter().collect::<Result<Vec<_>, Status>>()?;
        Ok(wire::ListDeadLettersResponse { dead_letters, next_page_token })
    }

    pub(super) async fn get_dead_letter(
        &self,
        request: &wire::GetDeadLetterRequest,
    ) -> Result<wire::GetDeadLetterResponse, Status> {
        let operations = self.operations;
        let mut violations = Violations::new();
        let Some(id) = violations.keep("name", letter_id(&request.name)) else {
            return Err(violations.into_status());
        };
        let found = operations.letter(id).await.map_err(|error| failed(&error))?;
        let (letter, body) = found.ok_or_else(|| missing(id))?;
        let DecodedLetter { json, flaw, hex } = decoded(self.registry, self.shown, &letter, &body);
        // Of what does not decode at all, those that were noted when it was collected.
        let all = Some(sagas(&letter.destination, &body)).filter(|all| !all.is_empty());
        let dead_letter = self.linked(view(&letter, &all.unwrap_or_else(|| letter.sagas.clone())), &letter).await?;
        Ok(wire::GetDeadLetterResponse { dead_letter: Some(dead_letter), json, flaw, hex })
    }

    /// The same with the letter that it is a replay of, and the one that came of its own replay.
    async fn linked(&self, shown: wire::DeadLetter, letter: &Letter) -> Result<wire::DeadLetter, Status> {
        let mut shown = shown;
        if let Some(original) = letter.message_id.and_then(replay_of)
            && self.operations.letter(original).await.map_err(|error| failed(&error))?.is_some()
        {
            shown.replay_of = letter_name(original);
        }
        if letter.state == LetterState::Replayed {
            let back = self.operations.letter_of_message(replay_id(letter.id)).await.map_err(|error| failed(&error))?;
            shown.came_back_as = back.map(|back| letter_name(back.id)).unwrap_or_default();
        }
        Ok(shown)
    }

    pub(super) async fn replay_dead_letter(
        &self,
        request: wire::ReplayDeadLetterRequest,
    ) -> Result<wire::ReplayDeadLetterResponse, Status> {
        let wire::ReplayDeadLetterRequest { name, reason, actor, request_id } = request;
        let asked = self.asked(LetterState::Replayed, &name, reason, actor, &request_id)?;
        let dead_letter = Some(self.decide(LetterState::Replayed, asked).await?);
        Ok(wire::ReplayDeadLetterResponse { dead_letter })
    }

    pub(super) async fn drop_dead_letter(
        &self,
        request: wire::DropDeadLetterRequest,
    ) -> Result<wire::DropDeadLetterResponse, Status> {
        let wire::DropDeadLetterRequest { name, reason, actor, request_id } = request;
        let asked = self.asked(LetterState::Dropped, &name, reason, actor, &request_id)?;
        let dead_letter = Some(self.decide(LetterState::Dropped, asked).await?);
        Ok(wire::DropDeadLetterResponse { dead_letter })
    }

    fn asked(
        &self,
        to: LetterState,
        name: &str,
        reason: String,
        actor: String,
        request: &str,
    ) -> Result<DecisionRequest, Status> {
        let operations = self.operations;
        let mut violations = Violations::new();
        let id = violations.keep("name", letter_id(name));
        let reason = violations.keep("reason", words(reason, MAX_REASON, Reason::ACTION_REASON_INVALID));
        let actor = violations.keep("actor", words(actor, MAX_ACTOR, Reason::ACTOR_INVALID));
        let request = violations.keep("request_id", request_id(request));
        let (Some(id), Some(reason), Some(actor), Some(request)) = (id, reason, actor, request) else {
            return Err(violations.into_status());
        };
        let (act, subject) = (act(to).to_owned(), letter_name(id));
        let content = content(&[act.as_bytes(), subject.as_bytes(), actor.as_bytes(), reason.as_bytes()]);
        let audit = NewAudit {
            at: operations.now(),
            actor,
            act,
            subject,
            reason,
            before: LetterState::Waiting.as_str().to_owned(),
            after: to.as_str().to_owned(),
            saga: None,
            version: 0,
            request,
            content,
        };
        Ok(DecisionRequest { id, request, content, audit })
    }

    async fn decide(&self, to: LetterState, asked: DecisionRequest) -> Result<wire::DeadLetter, Status> {
        let DecisionRequest { id, request, content, audit } = asked;
        let operations = self.operations;
        // Asked first: by now the letter may have been decided by this very request.
        if self.audits.repeated(request, content).await?.is_some() {
            return self.shown_letter(id).await;
        }
        let decided = match to {
            LetterState::Replayed => operations.replay_letter(id, audit).await,
            LetterState::Dropped | LetterState::Waiting => operations.drop_letter(id, audit).await,
        };
        match decided {
            Ok(Decided::Done(letter)) => Ok(view(&letter, &letter.sagas)),
            // The same request may have come through another orchestrator meanwhile.
            Ok(Decided::RequestTaken | Decided::Before(_))
                if self.audits.repeated(request, content).await?.is_some() =>
            {
                self.shown_letter(id).await
            }
            Ok(Decided::RequestTaken) => Err(SagaReason::StoreUnavailable.status("nothing was changed; try again")),
            Ok(Decided::Before(state)) => {
                let message = format!("{} is {} already; nothing was changed", letter_name(id), state.as_str());
                Err(SagaReason::DeadLetterDecided.status(message))
            }
            Ok(Decided::Missing) => Err(missing(id)),
            Ok(Decided::TooLarge) => Err(SagaReason::DeadLetterTooLarge.status(
                "the dead letter is longer than the bus carries and was not kept as a whole; it can only be dropped",
            )),
            Err(StoreError::UnknownOutcome(why)) => {
                tracing::warn!(why, "a dead letter's decision is in doubt");
                Err(SagaReason::OutcomeUnknown.status("the outcome is unknown; look at the dead letter, or repeat"))
            }
            Err(error) => Err(failed(&error)),
        }
    }

    async fn shown_letter(&self, id: Uuid) -> Result<wire::DeadLetter, Status> {
        let found = self.operations.letter(id).await.map_err(|error| failed(&error))?;
        found.map(|(letter, _)| view(&letter, &letter.sagas)).ok_or_else(|| missing(id))
    }
}

fn act(to: LetterState) -> &'static str {
    match to {
        LetterState::Replayed => "replay-dead-letter",
        LetterState::Dropped | LetterState::Waiting => "drop-dead-letter",
    }
}

fn failed(error: &StoreError) -> Status {
    match error {
        StoreError::Refused(_) | StoreError::Unreadable(_) => {
            tracing::error!(%error, "dead letters cannot be read or decided");
            SagaReason::Internal.status("internal error")
        }
        error => of_store(error),
    }
}

fn missing(id: Uuid) -> Status {
    SagaReason::DeadLetterNotFound.status(format!("there is no {}", letter_name(id)))
}

fn letter_name(id: Uuid) -> String {
    format!("{NAME}{id}")
}

fn letter_id(name: &str) -> Result<Uuid, Flaw> {
    let id = name.strip_prefix(NAME).and_then(|id| Uuid::try_parse(id).ok());
    id.ok_or_else(|| Flaw::new(Reason::NAME_INVALID, "must be deadLetters/{uuid}"))
}

fn keyset(query: &str, token: &str) -> Result<Option<Uuid>, Flaw> {
    let flaw = |_| Flaw::new(Reason::PAGE_TOKEN_INVALID, "must be a token of this list");
    page::key(query, token)?.map(|key| Uuid::from_slice(&key).map_err(flaw)).transpose()
}

fn state(code: i32) -> Result<Option<LetterState>, Flaw> {
    match wire::DeadLetterState::try_from(code) {
        Ok(wire::DeadLetterState::Unspecified) => Ok(None),
        Ok(wire::DeadLetterState::Waiting) => Ok(Some(LetterState::Waiting)),
        Ok(wire::DeadLetterState::Replayed) => Ok(Some(LetterState::Replayed)),
        Ok(wire::DeadLetterState::Dropped) => Ok(Some(LetterState::Dropped)),
        Err(_) => Err(Flaw::new(Reason::ENUM_UNKNOWN, "must be a DeadLetterState")),
    }
}

fn view(letter: &Letter, sagas: &[SagaId]) -> wire::DeadLetter {
    let state = match letter.state {
        LetterState::Waiting => wire::DeadLetterState::Waiting,
        LetterState::Replayed => wire::DeadLetterState::Replayed,
        LetterState::Dropped => wire::DeadLetterState::Dropped,
    };
    wire::DeadLetter {
        name: letter_name(letter.id),
        destination: match &letter.destination {
            Destination::Commands(participant) => participant.clone(),
            Destination::Replies => "replies".to_owned(),
        },
        message_id: letter.message_id.map(|id| id.to_string()).unwrap_or_default(),
        reason: letter.reason.clone(),
        sentence: sentence(letter),
        sagas: sagas.iter().map(|saga| name_of(*saga)).collect(),
        size_bytes: u32::try_from(letter.size).unwrap_or(u32::MAX),
        state: state.into(),
        create_time: Some(timestamp(letter.collected_at)),
        decide_time: letter.decided_at.map(timestamp),
        replay_of: String::new(),
        came_back_as: String::new(),
    }
}

/// Why, and what becomes of the sagas.
fn sentence(letter: &Letter) -> String {
    let (who, what) = match &letter.destination {
        Destination::Commands(participant) => (format!("Participant {participant}"), "commands"),
        Destination::Replies => ("The orchestrator".to_owned(), "replies"),
    };
    let why = match letter.reason.as_str() {
        "BATCH_UNREADABLE" | "UNDECODABLE" => format!("{who} could not read this message at all."),
        "COMMAND_UNREADABLE" => {
            format!("{who} could not read these commands; others of the same message were carried out.")
        }
        "MALFORMED_REPLY" => format!("{who} could not read these replies; any others of the same message were taken."),
        "TOO_MANY_REPLIES" => format!("{who} takes no message with so many replies."),
        "TOO_LARGE" => format!("{who} takes no message of {} bytes.", letter.size),
        "DELIVERY_LIMIT" => format!("{who} was given this message again and again and never settled it."),
        "UNKNOWN" => format!("{who} got this message, and it is not known why it could not be processed."),
        reason => format!("{who} could not process this message: {reason}."),
    };
    let then = match letter.sagas.len() {
        0 => format!("It is not known which sagas its {what} are about; each goes on by its deadline."),
        1 => "Its saga goes on by its deadline.".to_owned(),
        many if many < MAX_NOTED => format!("Its {many} sagas go on by their deadlines."),
        _ => "Its sagas go on by their deadlines.".to_owned(),
    };
    format!("{why} {then}")
}
