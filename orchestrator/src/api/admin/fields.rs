//! Fields that most requests of operators have.

pub(super) use baton_engine::store::audit::MAX_REASON;
use baton_rpc::errors::Flaw;
use baton_rpc::reason::Reason;
use baton_rpc::request_id::RequestId;
use uuid::Uuid;

/// Longest actor, characters: a name or an address.
pub(super) const MAX_ACTOR: usize = 128;

/// What an operator writes is kept and shown for ever: no control characters.
pub(super) fn words(text: String, most: usize, reason: Reason) -> Result<String, Flaw> {
    if text.trim().is_empty() || text.chars().nth(most).is_some() || text.chars().any(char::is_control) {
        return Err(Flaw::new(reason, format!("must be 1 to {most} characters, none of them a control character")));
    }
    Ok(text)
}

/// The optional id of a request.
pub(super) fn request_id(text: &str) -> Result<Option<Uuid>, Flaw> {
    if text.is_empty() {
        return Ok(None);
    }
    RequestId::parse(text).map(|id| Some(Uuid::from_bytes(id.bytes())))
}
