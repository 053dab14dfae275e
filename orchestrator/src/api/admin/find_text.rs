//! Sagas by whatever somebody has at hand: an id, a business key, a trace, what definitions declare, or the beginning of an id or
//! of a key. No filter has to be written for it, and nobody has to know which of these it is.

use crate::api::admin::find::Finder;
use crate::api::view;
use baton_engine::search::Search;
use baton_engine::store::query::SearchQuery;
use baton_engine::store::{Record, StoreError};
use baton_operations::reason::of_store;
use baton_proto::baton::saga::v1 as wire;
use baton_query::filter::{Expr, Term, TextField, TextTest};
use baton_query::sort::{Cursor, OrderBy, SortField};
use baton_rpc::errors::{Flaw, Violations};
use baton_rpc::page;
use baton_rpc::reason::Reason;
use saga_core::saga::SagaId;
use std::collections::BTreeSet;
use tonic::Status;
use uuid::Uuid;

/// Longest text, bytes: a business key or the value of an attribute has at most 128, and what a name has before it fits as well.
const MAX_TEXT: usize = 256;

/// Shortest beginning that is looked for, characters: eight digits of an id are a minute of starts.
const MIN_BEGINNING: usize = 8;

/// Rows that one question reads at most where the database cannot decide alone.
const MAX_ROWS: u32 = 10_000;

/// One question of those that a text may be the answer to.
enum Question {
    /// The saga of this id.
    Id(SagaId),
    /// A field equals something.
    Equal(TextField, String),
    /// The id or the business key begins so.
    Beginning(String),
}

impl Question {
    /// What the answer is found by, as [`wire::FindSagasResponse::by`] says it.
    fn by(&self) -> &str {
        match self {
            Self::Id(_) => "id",
            Self::Equal(field, _) => field.name(),
            Self::Beginning(_) => "beginning",
        }
    }
}

impl Finder<'_> {
    pub(super) async fn find(&self, request: &wire::FindSagasRequest) -> Result<wire::FindSagasResponse, Status> {
        let mut violations = Violations::new();
        let size = violations.keep("page_size", page::page_size(request.page_size));
        let text = violations.keep("text", bounded(&request.text));
        let (Some(size), Some(text)) = (size, text) else { return Err(violations.into_status()) };
        for question in questions(text, &self.lookup.registry.attribute_names()) {
            let found = match (self.answers(&question, size.saturating_add(1)).await, &question) {
                (Ok(found), _) => found,
                // It is there: whoever opens it is told what is wrong with it.
                (Err(StoreError::Unreadable(_)), Question::Id(id)) => return Ok(unreadable(*id)),
                (Err(error), _) => return Err(of_store(&error)),
            };
            if !found.is_empty() {
                let sagas = found.iter().take(size as usize);
                return Ok(wire::FindSagasResponse {
                    sagas: sagas.map(|record| view::saga(self.lookup.registry, record)).collect(),
                    by: question.by().to_owned(),
                    more: found.len() > size as usize,
                });
            }
        }
        Ok(wire::FindSagasResponse::default())
    }

    async fn answers(&self, question: &Question, limit: u32) -> Result<Vec<Record>, StoreError> {
        match question {
            Question::Id(id) => Ok(self.lookup.store.get(*id).await?.into_iter().collect()),
            Question::Equal(field, value) => {
                self.selected(Term::Text(field.clone(), TextTest::Is, value.clone()), limit).await
            }
            Question::Beginning(text) => {
                let mut found = self.id_begins(text, limit).await?;
                let keys = Term::Text(TextField::BusinessKey, TextTest::Begins, text.clone());
                found.extend(self.selected(keys, limit).await?);
                let mut known = BTreeSet::new();
                found.retain(|record| known.insert(record.saga.id));
                Ok(found)
            }
        }
    }

    async fn selected(&self, term: Term, limit: u32) -> Result<Vec<Record>, StoreError> {
        self.page(Expr::Term(term), OrderBy::default(), None, limit, MAX_ROWS).await
    }

    /// Sagas whose ids begin with these hexadecimal digits, oldest first: ids are in the order of the index.
    async fn id_begins(&self, text: &str, limit: u32) -> Result<Vec<Record>, StoreError> {
        let Some((first, last)) = range(text) else { return Ok(Vec::new()) };
        let order = OrderBy { field: SortField::CreateTime, descending: false };
        let before = first.checked_sub(1).map(|before| Cursor { at: 0, id: SagaId(before.to_be_bytes()) });
        let mut found = self.page(Expr::All(Vec::new()), order, before, limit, limit).await?;
        found.retain(|record| u128::from_be_bytes(record.saga.id.0) <= last);
        Ok(found)
    }

    async fn page(
        &self,
        expr: Expr,
        order: OrderBy,
        after: Option<Cursor>,
        limit: u32,
        max_rows: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let search = Search::new(expr, self.lookup.registry.clone(), self.lookup.store.now());
        let query = SearchQuery { search, order, after, limit, max_rows };
        Ok(self.lookup.query.search(query).await?.records)
    }
}

/// A saga of which only the name can be told.
fn unreadable(id: SagaId) -> wire::FindSagasResponse {
    let saga = wire::Saga { name: view::name_of(id), ..wire::Saga::default() };
    wire::FindSagasResponse { sagas: vec![saga], by: "id".to_owned(), more: false }
}

fn bounded(text: &str) -> Result<&str, Flaw> {
    match text.trim() {
        "" => Err(Flaw::new(Reason::FIELD_REQUIRED, "must say what to look for")),
        text if text.len() > MAX_TEXT => {
            Err(Flaw::new(Reason::FILTER_INVALID, format!("must be at most {MAX_TEXT} bytes")))
        }
        text => Ok(text),
    }
}

/// What the text may be, the likeliest first. What is behind the last slash of it counts as well: resource names are pasted whole.
fn questions(text: &str, attributes: &[&str]) -> Vec<Question> {
    let last = text.rsplit('/').next().unwrap_or_default();
    let texts: BTreeSet<&str> = [text, last].into_iter().filter(|text| !text.is_empty()).collect();
    let equal = |field: &TextField| {
        let field = field.clone();
        texts.iter().map(move |text| Question::Equal(field.clone(), (*text).to_owned())).collect::<Vec<_>>()
    };
    let mut questions: Vec<Question> =
        Uuid::try_parse(last).into_iter().map(|id| Question::Id(SagaId(id.into_bytes()))).collect();
    questions.extend(equal(&TextField::BusinessKey));
    questions.extend(trace(last).map(|trace| Question::Equal(TextField::TraceId, trace)));
    questions.extend(attributes.iter().flat_map(|name| equal(&TextField::Attribute((*name).to_owned()))));
    if last.chars().count() >= MIN_BEGINNING {
        questions.push(Question::Beginning(last.to_owned()));
    }
    questions
}

/// The trace in a text: 32 hexadecimal digits, or a whole traceparent.
fn trace(text: &str) -> Option<String> {
    let digits = text.strip_prefix("00-").and_then(|rest| rest.split('-').next()).unwrap_or(text);
    let is = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    is.then(|| digits.to_ascii_lowercase())
}

/// The first and the last id that begin so; `None` if none does.
fn range(text: &str) -> Option<(u128, u128)> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    if digits.len() > 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let filled = |with: &str| u128::from_str_radix(&format!("{digits}{}", with.repeat(32 - digits.len())), 16).ok();
    Some((filled("0")?, filled("f")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_a_range_of_ids() {
        let id = |text: &str| u128::from_be_bytes(Uuid::try_parse(text).expect("an id").into_bytes());
        assert_eq!(
            range("01a22d83-4B"),
            Some((id("01a22d83-4b00-0000-0000-000000000000"), id("01a22d83-4bff-ffff-ffff-ffffffffffff")))
        );
        assert_eq!(range("ORD-2026"), None);
        assert_eq!(range(&"0".repeat(33)), None);
    }

    #[test]
    fn a_trace_is_found_in_a_header() {
        let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
        for text in [trace_id, &trace_id.to_uppercase(), &format!("00-{trace_id}-00f067aa0ba902b7-01")] {
            assert_eq!(trace(text).as_deref(), Some(trace_id), "{text}");
        }
        assert_eq!(trace("00-4bf9-1-1"), None);
    }
}
