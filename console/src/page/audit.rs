//! `/audit`: who did what, when and why.

use crate::page::datetime::Moment;
use crate::page::error_view::Trouble;
use crate::page::layout::{Frame, Part, html};
use crate::page::link;
use crate::page::services::{Services, call};
use crate::page::text::{Text, cell, words};
use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use baton_proto::baton::saga::v1::{AuditEntry, ListAuditEntriesRequest};
use serde::Deserialize;

/// Entries on a page.
const PAGE: i32 = 100;
/// How often it asks again, milliseconds.
const REFRESH_MS: u32 = 5_000;

/// What an address asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct AuditQuery {
    /// Only on this.
    pub subject: String,
    /// Only by this one.
    pub actor: String,
    /// From the page before.
    pub page_token: String,
}

#[derive(Debug)]
struct AuditEntryView {
    number: u64,
    at: Moment,
    actor: Text,
    act: Text,
    subject: Text,
    link: String,
    reason: Text,
    before: Text,
    after: Text,
    hash: Text,
}

impl AuditEntryView {
    fn hash_short(&self) -> String {
        self.hash.raw().chars().take(10).collect()
    }
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    asked: AuditQuery,
    entries: Vec<AuditEntryView>,
    older: String,
    trouble: Option<Trouble>,
}

/// `GET /audit`.
pub async fn page(State(services): State<Services>, Query(asked): Query<AuditQuery>) -> Response {
    let frame = Frame::new(&services, Part::Audit, "Audit").await.every(REFRESH_MS);
    let now = frame.now;
    let request = ListAuditEntriesRequest {
        page_size: PAGE,
        page_token: asked.page_token.clone(),
        subject: asked.subject.clone(),
        actor: asked.actor.clone(),
    };
    let (entries, older, trouble) = match call(services.admin().list_audit_entries(request)).await {
        Ok(answer) => {
            let query = [("subject", asked.subject.as_str()), ("actor", &asked.actor)];
            let older = link::older("/audit", &query, &answer.next_page_token);
            (answer.entries.iter().map(|entry| shown(entry, now)).collect(), older, None)
        }
        Err(trouble) => (Vec::new(), String::new(), Some(trouble)),
    };
    let status = trouble.as_ref().map_or(StatusCode::OK, Trouble::status);
    html(status, &AuditPage { frame, asked, entries, older, trouble })
}

fn shown(entry: &AuditEntry, now: i64) -> AuditEntryView {
    AuditEntryView {
        number: entry.number,
        at: Moment::new(entry.event_time.as_ref(), now),
        actor: cell(&entry.actor),
        act: cell(&entry.act),
        subject: words(&entry.subject),
        link: link::page(&entry.subject),
        reason: words(&entry.reason),
        before: cell(&entry.before),
        after: cell(&entry.after),
        hash: cell(&entry.hash),
    }
}
