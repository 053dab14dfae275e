//! What every form that changes something has: why, who, and an id that makes sending it twice harmless.
//!
//! A form is taken as [`ActionForm`]. What came of it is told by the page that it was on: the address of that page says
//! what was [`Done`]; a form that was [`Refused`] is shown again as it was sent, with what is wrong.

use crate::command_hints::CommandHint;
use crate::page::error_view::Trouble;
use crate::page::text::{Text, words};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::Deserialize;
use std::convert::Infallible;
use uuid::Uuid;

/// The command line and the request that do the same, to be copied.
#[derive(Clone, Debug)]
pub struct Equal {
    /// The command line.
    pub cli: Text,
    /// The same with curl.
    pub curl: Text,
}

impl Equal {
    /// The lines of an action, for whoever reached this page as `host`.
    #[must_use]
    pub fn new(hint: &CommandHint<'_>, host: &str) -> Self {
        Self { cli: words(hint.command()), curl: words(hint.curl(&format!("http://{host}"))) }
    }
}

/// The address this page was asked for under, for the lines to copy.
#[derive(Clone, Debug)]
pub struct Host(pub String);

impl<S: Sync> FromRequestParts<S> for Host {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let host = parts.headers.get(header::HOST).and_then(|value| value.to_str().ok());
        Ok(Self(host.unwrap_or("127.0.0.1").to_owned()))
    }
}

/// What an address says of the act that led to it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Done {
    /// Its word, for [`Frame::noticed`](crate::page::layout::Frame::noticed).
    pub did: String,
}

/// A form as it came back: what it asks for, beside what every form has.
#[derive(Clone, Debug, Deserialize)]
pub struct ActionForm<W> {
    /// What only this kind of form has.
    #[serde(flatten)]
    pub what: W,
    /// What every form has.
    #[serde(flatten)]
    pub signed: Signed,
}

impl<W> ActionForm<W> {
    /// The same, with why it was not carried out.
    #[must_use]
    pub fn refused(self, trouble: Trouble) -> Refused<W> {
        Refused { what: self.what, signed: self.signed, trouble }
    }
}

/// A form that was not carried out.
#[derive(Clone, Debug)]
pub struct Refused<W> {
    /// What it asks for.
    pub what: W,
    /// What every form has.
    pub signed: Signed,
    /// Why not.
    pub trouble: Trouble,
}

impl<W> Refused<W> {
    /// The status of the page that shows it again, if there is one to show.
    #[must_use]
    pub fn status(refused: Option<&Self>) -> StatusCode {
        refused.map_or(StatusCode::OK, |it| it.trouble.status())
    }
}

/// The fields as they come back.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Signed {
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: String,
    /// The id that was in the form.
    pub request_id: String,
}

/// The fields as they are shown.
#[derive(Clone, Debug)]
pub struct Fields {
    /// What makes the ids of this form's inputs unique in the page.
    pub key: String,
    /// Why, as typed so far.
    pub reason: String,
    /// Who, as typed so far.
    pub actor: String,
    /// Its request id.
    pub request_id: String,
    /// Why it was not carried out, if it was sent.
    pub trouble: Option<Trouble>,
}

impl Fields {
    /// An empty form.
    #[must_use]
    pub fn fresh(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            reason: String::new(),
            actor: String::new(),
            request_id: Uuid::now_v7().to_string(),
            trouble: None,
        }
    }

    /// The fields of a form that was refused, or of one that nobody has filled in.
    #[must_use]
    pub fn of<W>(key: impl Into<String>, refused: Option<&Refused<W>>) -> Self {
        match refused {
            Some(it) => Self::again(key, &it.signed, it.trouble.clone()),
            None => Self::fresh(key),
        }
    }

    /// The form as it was sent, and what came of it. It keeps its request id if the same request may be repeated; what is
    /// changed after a refusal is another request.
    #[must_use]
    pub fn again(key: impl Into<String>, sent: &Signed, trouble: Trouble) -> Self {
        let fresh = Self::fresh(key);
        let keeps = trouble.repeatable() && Uuid::try_parse(&sent.request_id).is_ok();
        let request_id = if keeps { sent.request_id.clone() } else { fresh.request_id };
        Self { reason: sent.reason.clone(), actor: sent.actor.clone(), request_id, trouble: Some(trouble), ..fresh }
    }

    /// What is wrong with a field, or nothing.
    #[must_use]
    pub fn flaw(&self, path: &str) -> &str {
        self.trouble.as_ref().map_or("", |trouble| trouble.flaw(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Status;

    #[test]
    fn only_what_may_be_repeated_keeps_its_request_id() {
        let id = Uuid::now_v7().to_string();
        let sent = Signed { reason: "why".to_owned(), actor: "ada".to_owned(), request_id: id.clone() };
        let again = |status: Status| Fields::again("k", &sent, Trouble::from(status));
        assert_eq!(again(Status::unavailable("away")).request_id, id);
        let refused = again(Status::failed_precondition("no"));
        assert_ne!(refused.request_id, id);
        assert_eq!((refused.reason.as_str(), refused.actor.as_str()), ("why", "ada"));
    }
}
