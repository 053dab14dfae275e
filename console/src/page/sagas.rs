//! `/sagas`: find, with everything that was asked in the address.

use crate::command_hints::{CommandHint, Which};
use crate::page::acts::{Equal, Host};
use crate::page::datetime::{self, Moment};
use crate::page::error_view::Trouble;
use crate::page::find;
use crate::page::label;
use crate::page::layout::{Frame, Part, html, see};
use crate::page::link;
use crate::page::row::Row;
use crate::page::services::{Services, call};
use crate::page::text::{Text, cell};
use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use baton_proto::baton::saga::v1::{CountSagasRequest, SearchSagasRequest};
use baton_query::filter::{Field, Preset, TextField};
use prost_types::Timestamp;
use serde::Deserialize;

/// Sagas on a page.
const PAGE: i32 = 50;

/// The index of attributes is a second or two behind. How far it is is told from here on: microseconds.
const FAR_BEHIND: i64 = 60_000_000;

/// Earlier pages that an address remembers, for the way back.
const TRAIL: usize = 12;

/// How often the list asks again, milliseconds.
const REFRESH_MS: u32 = 5_000;

/// How lists can be sorted, with the words for it.
const SORTS: [(&str, &str); 6] = [
    ("", "newest first"),
    ("create_time", "oldest first"),
    ("update_time desc", "last moved first"),
    ("update_time", "longest unmoved first"),
    ("wake_time", "next to act first"),
    ("wake_time desc", "last to act first"),
];

/// What an address asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SagasQuery {
    /// AIP-160.
    pub filter: String,
    /// Its name.
    pub preset: String,
    /// AIP-132.
    pub order_by: String,
    /// From the page before.
    pub page_token: String,
    /// Tokens of the pages before that, separated by commas.
    pub trail: String,
}

impl SagasQuery {
    fn link(&self, preset: &str, page_token: &str, trail: &str) -> String {
        let query = [
            ("filter", self.filter.as_str()),
            ("preset", preset),
            ("order_by", &self.order_by),
            ("page_token", page_token),
            ("trail", trail),
        ];
        link::with("/sagas", &query)
    }

    /// The page before this one, if the address remembers.
    fn newer(&self) -> String {
        if self.page_token.is_empty() {
            return String::new();
        }
        match self.trail.rsplit_once(',') {
            Some((trail, token)) => self.link(&self.preset, if token == "-" { "" } else { token }, trail),
            None if self.trail.is_empty() || self.trail == "-" => self.link(&self.preset, "", ""),
            None => self.link(&self.preset, &self.trail, ""),
        }
    }

    fn older(&self, next: &str) -> String {
        if next.is_empty() {
            return String::new();
        }
        let own = if self.page_token.is_empty() { "-" } else { &self.page_token };
        let mut trail: Vec<&str> = self.trail.split(',').filter(|token| !token.is_empty()).collect();
        trail.push(own);
        let kept = trail.len().saturating_sub(TRAIL);
        self.link(&self.preset, next, &trail.get(kept..).unwrap_or_default().join(","))
    }
}

/// A preset that can be chosen.
#[derive(Debug)]
struct Chip {
    name: &'static str,
    meaning: &'static str,
    link: String,
    open: bool,
}

/// A filter that is none: what stands before the flaw, at it, and after it.
#[derive(Debug)]
struct Flaw {
    before: String,
    at: String,
    after: String,
    /// Spaces up to the flaw, for the caret below it.
    indent: String,
    nearest: Option<String>,
}

#[derive(Template)]
#[template(path = "sagas.html")]
struct SagasPage {
    frame: Frame,
    asked: SagasQuery,
    chips: Vec<Chip>,
    sorts: Vec<(&'static str, &'static str, bool)>,
    fields: Vec<(String, &'static str)>,
    rows: Vec<Row>,
    unreadable: Vec<(String, Text)>,
    indexed: Option<Moment>,
    count: String,
    trouble: Option<Trouble>,
    flaw: Option<Flaw>,
    clear: String,
    newer: String,
    older: String,
    bulk: String,
    equal: Equal,
}

/// `GET /sagas`.
pub async fn page(State(services): State<Services>, Query(asked): Query<SagasQuery>, Host(host): Host) -> Response {
    if find::is_pasted(&asked.filter) {
        return see(&link::with("/find", &[("q", &asked.filter)]));
    }
    let frame = Frame::new(&services, Part::Sagas, "Sagas").await.every(REFRESH_MS);
    let search = SearchSagasRequest {
        filter: asked.filter.clone(),
        preset: asked.preset.clone(),
        page_size: PAGE,
        page_token: asked.page_token.clone(),
        order_by: asked.order_by.clone(),
    };
    let count = CountSagasRequest { filter: asked.filter.clone(), preset: asked.preset.clone() };
    let (mut finder, mut counter) = (services.admin(), services.admin());
    let (found, counted) = tokio::join!(call(finder.search_sagas(search)), call(counter.count_sagas(count)));
    let counted = counted.map_or_else(|_| String::new(), |counted| label::count(counted.count, counted.exact));
    let chips = Preset::ALL.into_iter().map(|preset| {
        let open = asked.preset == preset.name();
        let link = asked.link(if open { "" } else { preset.name() }, "", "");
        Chip { name: preset.name(), meaning: preset.meaning(), link, open }
    });
    let which = Which { filter: &asked.filter, preset: &asked.preset };
    let hint = CommandHint::Search { which, order_by: &asked.order_by };
    let mut page = SagasPage {
        chips: chips.collect(),
        sorts: SORTS.into_iter().map(|(value, word)| (value, word, value == asked.order_by)).collect(),
        fields: fields(&[]),
        rows: Vec::new(),
        unreadable: Vec::new(),
        indexed: None,
        count: counted,
        trouble: None,
        flaw: None,
        clear: link::with("/sagas", &[("order_by", &asked.order_by)]),
        newer: asked.newer(),
        older: String::new(),
        bulk: String::new(),
        equal: Equal::new(&hint, &host),
        frame,
        asked,
    };
    let mut status = StatusCode::OK;
    match found {
        Ok(found) => {
            let now = page.frame.now;
            page.rows = found.sagas.iter().map(|saga| Row::new(saga, now)).collect();
            let far_behind = |until: &&Timestamp| now.saturating_sub(datetime::micros(until)) > FAR_BEHIND;
            let behind = found.indexed_until.as_ref().filter(far_behind);
            page.indexed = behind.map(|until| Moment::new(Some(until), now));
            page.fields = fields(&found.attributes);
            page.unreadable = found.unreadable.iter().map(|name| (link::page(name), cell(name))).collect();
            page.older = page.asked.older(&found.next_page_token);
            if !(page.asked.filter.trim().is_empty() && page.asked.preset.is_empty()) {
                let query = [("filter", page.asked.filter.as_str()), ("preset", &page.asked.preset)];
                page.bulk = link::with("/jobs/new", &query);
            }
        }
        Err(trouble) => {
            status = trouble.status();
            page.flaw = flaw(&page.asked.filter, &trouble);
            page.trouble = Some(trouble);
        }
    }
    html(status, &page)
}

/// The fields a filter knows, and what they mean.
fn fields(attributes: &[String]) -> Vec<(String, &'static str)> {
    let attributes = attributes.iter().map(|name| Field::Text(TextField::Attribute(name.clone())));
    let fields = Field::ALL.into_iter().chain(attributes);
    fields.map(|field| (field.name().to_owned(), field.meaning())).collect()
}

/// Where the flaw is: the service counts bytes from 1.
fn flaw(filter: &str, trouble: &Trouble) -> Option<Flaw> {
    trouble.at("filter")?;
    let byte = trouble.metadata("byte")?.parse::<usize>().ok()?.checked_sub(1)?;
    let (before, rest) = filter.split_at_checked(byte)?;
    let end = rest.char_indices().skip(1).find(|(_, it)| !it.is_alphanumeric() && *it != '_');
    let (at, after) = rest.split_at(end.map_or(rest.len(), |(end, _)| end));
    Some(Flaw {
        indent: " ".repeat(before.chars().count()),
        before: before.to_owned(),
        at: at.to_owned(),
        after: after.to_owned(),
        nearest: trouble.metadata("nearest_field").map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_older_pages_leads_back() {
        let first = SagasQuery { filter: "a".to_owned(), ..SagasQuery::default() };
        assert_eq!((first.newer(), first.older("")), (String::new(), String::new()));
        assert_eq!(first.older("t1"), "/sagas?filter=a&page_token=t1&trail=-");
        let second = SagasQuery { page_token: "t1".to_owned(), trail: "-".to_owned(), ..first.clone() };
        assert_eq!(second.newer(), "/sagas?filter=a");
        assert_eq!(second.older("t2"), "/sagas?filter=a&page_token=t2&trail=-%2Ct1");
        let third = SagasQuery { page_token: "t2".to_owned(), trail: "-,t1".to_owned(), ..first };
        assert_eq!(third.newer(), "/sagas?filter=a&page_token=t1&trail=-");
    }
}
