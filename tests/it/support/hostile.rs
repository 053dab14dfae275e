//! Sagas full of hostile text, put where no caller could put them.

use baton_orchestrator::store::conformance::sample;
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::store::{Changes, Record, SagaStore as _};
use saga_core::saga::{Cause, DefinitionId, Direction, State};
use uuid::Uuid;

/// Bytes of a business key that fit into a row, and of a definition's name.
const MAX_KEY: usize = 128;
/// See [`MAX_KEY`].
const MAX_DEFINITION: usize = 64;

fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).expect("a boundary")
}

/// Sagas whose every text is hostile: keys, reasons, a definition nobody knows. Their names.
pub async fn sagas(store: &SqlStore, texts: &[&str]) -> Vec<String> {
    let mut names = Vec::new();
    for (number, text) in (0_u32..).zip(texts) {
        for (space, definition) in [(0xA0, "order"), (0xA1, *text)] {
            let id = sample::id(space, number);
            let why = Cause { step: 1, reason: (*text).to_owned(), message: (*text).to_owned() };
            let state = State::Stuck {
                step: 1,
                direction: Direction::Undo,
                attempt: 9,
                why: why.clone(),
                unwinding: Some(why),
            };
            let mut record: Record = sample::record(id, state);
            record.business_key = cut(text, MAX_KEY).to_owned();
            let version = if definition == "order" { 1 } else { 7 };
            record.saga.definition = DefinitionId { name: cut(definition, MAX_DEFINITION).to_owned(), version };
            let changes = Changes { inserts: vec![sample::insert(record)], ..Changes::default() };
            store.commit(Vec::new(), sample::always(changes)).await.expect("put");
            names.push(format!("sagas/{}", Uuid::from_bytes(id.0)));
        }
    }
    names
}
