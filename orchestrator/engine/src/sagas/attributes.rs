//! Bounds of what sagas declare to be found by: judged before a saga starts, and kept for those that started before.

use crate::sagas::SagaType;
use baton_query::filter::{Attribute, MAX_ATTRIBUTE_VALUE};
use baton_rpc::errors::{Flaw, Violations};
use baton_rpc::reason::Reason;

/// Names one saga may declare. More than an operator remembers, and few enough for a list of fields.
pub const MAX_NAMES: usize = 16;

/// Attributes one saga may have, those of all names together: an order of a hundred items has room twice over, and a step
/// of the index, which takes a few hundred sagas, stays a short transaction.
pub const MAX_ATTRIBUTES: usize = 256;

/// The attributes of a saga that is about to start, each once.
///
/// # Errors
/// A violation for each that is too long, and one if there are too many.
pub fn checked(saga_type: &dyn SagaType, input: &[u8]) -> Result<Vec<Attribute>, Violations> {
    let attributes = distinct(saga_type.attributes(input));
    let mut violations = Violations::new();
    for long in attributes.iter().filter(|attribute| attribute.value.len() > MAX_ATTRIBUTE_VALUE) {
        let flaw = format!("must be at most {MAX_ATTRIBUTE_VALUE} bytes, as it is an attribute");
        violations.add(long.name.as_str(), Flaw::new(Reason::ATTRIBUTE_INVALID, flaw));
    }
    if attributes.len() > MAX_ATTRIBUTES {
        let flaw = format!("has {} attributes, at most {MAX_ATTRIBUTES} may be", attributes.len());
        violations.add("input", Flaw::new(Reason::ATTRIBUTE_INVALID, flaw));
    }
    if violations.is_empty() { Ok(attributes) } else { Err(violations) }
}

/// The attributes of a saga that is there, each once: of one that was started without these bounds, those within them.
#[must_use]
pub fn bounded(saga_type: &dyn SagaType, input: &[u8]) -> Vec<Attribute> {
    let mut attributes = saga_type.attributes(input);
    attributes.retain(|attribute| attribute.value.len() <= MAX_ATTRIBUTE_VALUE);
    let mut attributes = distinct(attributes);
    attributes.truncate(MAX_ATTRIBUTES);
    attributes
}

fn distinct(mut attributes: Vec<Attribute>) -> Vec<Attribute> {
    attributes.sort_unstable();
    attributes.dedup();
    attributes
}
