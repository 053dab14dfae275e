//! `/find`: whatever is pasted into the box at the top of every page. What it means opens itself; what may mean several is listed.

use crate::page::error_view::Trouble;
use crate::page::layout::{Frame, Part, html, see};
use crate::page::link;
use crate::page::row::Row;
use crate::page::services::{Services, call};
use crate::page::text::{Text, cell, words};
use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use baton_proto::baton::saga::v1::FindSagasRequest;
use serde::Deserialize;

/// Sagas that are listed at most: of more, the text says too little.
const PAGE: i32 = 50;

/// What an address asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct FindQuery {
    /// What was pasted.
    pub q: String,
}

#[derive(Template)]
#[template(path = "find.html")]
struct FindPage {
    frame: Frame,
    text: Text,
    by: Text,
    rows: Vec<Row>,
    more: bool,
    trouble: Option<Trouble>,
}

/// `GET /find`.
pub async fn page(State(services): State<Services>, Query(asked): Query<FindQuery>) -> Response {
    if asked.q.trim().is_empty() {
        return see("/sagas");
    }
    let request = FindSagasRequest { text: asked.q.clone(), page_size: PAGE };
    let found = call(services.admin().find_sagas(request)).await;
    if let Ok(found) = &found
        && let ([only], false) = (found.sagas.as_slice(), found.more)
    {
        return see(&link::page(&only.name));
    }
    let frame = Frame { sought: asked.q.clone(), ..Frame::new(&services, Part::Sagas, "Find").await };
    let (found, trouble) = match found {
        Ok(found) => (found, None),
        Err(trouble) => (Default::default(), Some(trouble)),
    };
    let none = if found.sagas.is_empty() { StatusCode::NOT_FOUND } else { StatusCode::OK };
    let status = trouble.as_ref().map_or(none, Trouble::status);
    let page = FindPage {
        text: words(asked.q),
        by: cell(found.by),
        rows: found.sagas.iter().map(|saga| Row::new(saga, frame.now)).collect(),
        more: found.more,
        trouble,
        frame,
    };
    html(status, &page)
}

/// The page of the one saga that `text` means, if it means one.
pub async fn only(services: &Services, text: &str) -> Option<String> {
    let request = FindSagasRequest { text: text.to_owned(), page_size: 1 };
    let found = call(services.admin().find_sagas(request)).await.ok()?;
    match (found.sagas.as_slice(), found.more) {
        ([only], false) => Some(link::page(&only.name)),
        _ => None,
    }
}

/// True if a filter is none but something to look for: it compares nothing.
#[must_use]
pub fn is_pasted(filter: &str) -> bool {
    !filter.trim().is_empty() && !filter.contains(['=', '<', '>', ':', '(', ')', '"'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_compares_nothing_was_pasted() {
        for pasted in ["01a22d83", " ORD-2026-000123 ", "orders/7", "anna maria", "stat"] {
            assert!(is_pasted(pasted), "{pasted}");
        }
        for filter in ["", " ", "state = stuck", "key:ORD", "age > 1h", "(", "-state:stuck"] {
            assert!(!is_pasted(filter), "{filter}");
        }
    }
}
