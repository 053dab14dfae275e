//! The filter language of lists, after AIP-160: `state = stuck AND reason = ROOM_TAKEN`, `attempt >= 3 -state:stuck`.
//!
//! A filter compares fields with values. `AND`, or nothing, between two comparisons asks for both; `OR` for one of them, and
//! binds tighter than `AND`, as in AIP-160; `NOT` or `-` before one turns it round; parentheses group. `=` is exact, `:` on
//! text means *begins with*, and `field:*` that there is one at all. Durations are relative to now: `age > 5m`,
//! `next_wake < -10s` (due for more than ten seconds), `updated_at > -1h` (moved within the last hour).
//!
//! ```
//! use baton_query::filter::{parse, FilterError};
//!
//! let filter = parse("state = stuck AND (step = room.book OR age > 2h)", &[])?;
//! assert_eq!(filter.to_string(), "state = stuck AND (step = room.book OR age > 2h)");
//!
//! let error = parse("stat = stuck", &[]).unwrap_err();
//! assert_eq!(error.to_string(), "at byte 1: there is no field \"stat\"; did you mean state?");
//! # Ok::<(), FilterError>(())
//! ```
//!
//! Fields are the engine's own and the **attributes** that definitions declare, which the parser is told.
//!
//! Two evaluations agree with each other: [`matches()`] on what is known of one saga, and [`to_sql`], a condition over the
//! columns of table `saga` that selects at least the same sagas, and names what it left undecided.

mod comparison;
mod error;
mod expr;
mod facts;
mod field;
mod lexer;
mod limits;
mod literal;
mod matching;
mod parser;
mod piece;
mod preset;
mod sql;
mod sql_terms;
mod translation;

pub use error::{FilterError, Flaw};
pub use expr::{Compare, Expr, Inequality, Term, TextTest, When};
pub use facts::{Beside, Facts, StateKind, WaitKind};
pub use field::{
    Attribute, Field, MAX_ATTRIBUTE_NAME, MAX_ATTRIBUTE_VALUE, NumberField, TextField, TimeField, is_attribute_name,
};
pub use limits::{MAX_BYTES, MAX_DEPTH, MAX_TERMS};
pub use literal::SignedDuration;
pub use matching::matches;
pub use parser::parse;
pub use piece::Arg;
pub use preset::Preset;
pub use sql::{Translated, to_sql};
pub use translation::{SqlDialect, Translation};
