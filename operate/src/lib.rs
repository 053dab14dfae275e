//! What operators ask of sagas, as pure functions over [`saga_core`]: which ones, why, since when, and what can be done.
//!
//! | module | what it holds |
//! |---|---|
//! | [`filter`] | the filter language: parsed, matched in memory, translated to SQL |
//! | [`acts`] | which operator acts are legal now, and where each may lead |
//! | [`timeline`] | a saga's steps and undos over time, to be drawn |
//! | [`explain`] | the same and more, in plain sentences |
//! | [`half`] | where a saga stands, with names |
//! | [`moment`] | times and durations as text |
//!
//! Nothing here does I/O, and nothing decides by itself what a saga may do: the machine is asked. Contents of inputs,
//! outputs and messages never appear in any result, only names of steps, stable reasons, times, and who ordered what.

#![warn(missing_docs)]

pub mod acts;
pub mod explain;
pub mod filter;
pub mod half;
mod inert;
pub mod moment;
pub mod timeline;
