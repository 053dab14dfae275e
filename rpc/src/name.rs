//! Resource names: a collection and an id.

use crate::errors::Flaw;
use crate::reason::Reason;
use uuid::Uuid;

/// The id in `collection/{id}`.
pub fn child<'a>(name: &'a str, collection: &str) -> Result<&'a str, Flaw> {
    if name.is_empty() {
        return Err(Flaw::new(Reason::FIELD_REQUIRED, format!("must be {collection}/ and an id")));
    }
    name.strip_prefix(collection)
        .and_then(|rest| rest.strip_prefix('/'))
        .filter(|id| !id.is_empty())
        .ok_or_else(|| Flaw::new(Reason::NAME_INVALID, format!("must be {collection}/ and an id")))
}

/// `sagas/{uuid}` of a saga's 16 bytes.
#[must_use]
pub fn of_saga(id: [u8; 16]) -> String {
    format!("sagas/{}", Uuid::from_bytes(id).as_hyphenated())
}
