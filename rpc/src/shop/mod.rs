//! What the shop's services accept: one newtype per kind of value, one subject per file, no database.

pub mod currency;
pub mod identifier;
pub mod lines;
pub mod name;
pub mod outcome;
