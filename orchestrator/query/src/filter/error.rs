//! What is wrong with a filter, said so that somebody who writes their first one can mend it.

use super::field::Field;
use super::limits::{MAX_BYTES, MAX_DEPTH, MAX_TERMS};
use crate::escape;

/// Characters of what was found that an error repeats.
const MAX_FOUND: usize = 40;

/// Why a text is no filter, and where. Displayed as one sentence; bytes count from 1 there, as people count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {}: {flaw}", .at + 1)]
pub struct FilterError {
    /// Where the flaw begins: a byte offset into the filter, from 0, at most its length.
    pub at: usize,
    /// What it is.
    pub flaw: Flaw,
}

/// What is wrong. What was found is cut to a few words and cannot act on a terminal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// More than [`MAX_BYTES`].
    #[error("the filter is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// More than [`MAX_DEPTH`] parentheses in one another.
    #[error("more than {MAX_DEPTH} parentheses stand in one another")]
    TooDeep,
    /// More than [`MAX_TERMS`] comparisons.
    #[error("the filter compares more than {MAX_TERMS} times")]
    TooManyTerms,
    /// No field has this name.
    #[error("there is no field {found:?}; {}", nearest_field(.nearest.as_ref(), .attributes))]
    UnknownField {
        /// What stands there.
        found: String,
        /// What was probably meant.
        nearest: Option<Field>,
        /// Names of the attributes that could have stood there.
        attributes: Vec<String>,
    },
    /// Something else should stand here.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What should stand there, in words.
        expected: String,
        /// What stands there, quoted, or `the end`.
        found: String,
    },
    /// The field cannot be compared so.
    #[error("{} is compared with {allowed}, not with {found}", .field.name())]
    Operator {
        /// The field.
        field: Field,
        /// What it can be compared with, in words.
        allowed: &'static str,
        /// The operator that stands there.
        found: &'static str,
    },
    /// The field has no such value.
    #[error("{} takes {expected}, not {found:?}{}", .field.name(), nearest_value(*.nearest))]
    Value {
        /// The field.
        field: Field,
        /// What it takes, in words.
        expected: &'static str,
        /// What stands there.
        found: String,
        /// What was probably meant.
        nearest: Option<&'static str>,
    },
    /// A quotation mark is missing its other one.
    #[error("the text that begins with this quotation mark has no end")]
    Unterminated,
    /// A `*` where it means nothing.
    #[error("* is no wildcard here; write {}:{} instead", .field.name(), if .begins.is_empty() { "*" } else { .begins.as_str() })]
    Wildcard {
        /// The field.
        field: Field,
        /// What stands before the star.
        begins: String,
    },
    /// Every saga has one.
    #[error("every saga has {}; {}:* says nothing", article(.field), .field.name())]
    AlwaysPresent {
        /// The field.
        field: Field,
    },
}

/// Text of the filter for an error.
pub(super) fn found(text: &str) -> String {
    escape::cut(text, MAX_FOUND)
}

fn nearest_field(nearest: Option<&Field>, attributes: &[String]) -> String {
    if let Some(field) = nearest {
        return format!("did you mean {}?", field.name());
    }
    let own = Field::ALL.map(|field| field.name().to_owned());
    let names: Vec<String> = own.into_iter().chain(attributes.iter().cloned()).collect();
    format!("the fields are {}", names.join(", "))
}

fn nearest_value(nearest: Option<&'static str>) -> String {
    nearest.map(|value| format!("; did you mean {value}?")).unwrap_or_default()
}

fn article(field: &Field) -> String {
    let name = field.name();
    let vowel = name.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {name}", if vowel { "an" } else { "a" })
}
