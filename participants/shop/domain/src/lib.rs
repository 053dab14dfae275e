//! What the shop's services and its saga accept: one newtype per kind of value, one subject per file, no database.
//!
//! Participants use it without the engine, and it is no part of `shop-proto`, so that generated code does not wait for
//! `baton-rpc` to be compiled.

pub mod currency;
pub mod identifier;
pub mod lines;
pub mod name;
pub mod outcome;
pub mod reason;
