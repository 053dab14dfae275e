//! What operators ask of sagas, as pure functions over [`saga_core`]: which ones, why, since when, and what can be done.
//!
//! | module | what it holds |
//! |---|---|
//! | [`filter`] | the filter language: parsed, matched in memory, translated to SQL |
//! | [`sort`] | in which order lists come |
//! | [`acts`] | which operator acts are legal now, and where each may lead |
//! | [`timeline`] | a saga's steps and undos over time, to be drawn |
//! | [`explain`] | the same and more, in plain sentences |
//! | [`failure`] | why its newest settled attempt came to nothing |
//! | [`fit`] | how sagas under way would fare under another version of their definition |
//! | [`half`] | where a saga stands, with names |
//! | [`moment`] | times and durations as text |
//! | [`svg`] | pictures |
//! | [`inert`] | text from outside, so that it acts on no terminal and no page |
//!
//! Nothing here does I/O, and nothing decides by itself what a saga may do: the machine is asked. Contents of inputs,
//! outputs and messages never appear in any result, only names of steps, stable reasons, times, and who ordered what.

#![warn(missing_docs)]

pub mod acts;
pub mod explain;
pub mod failure;
pub mod filter;
pub mod fit;
pub mod half;
pub mod inert;
pub mod moment;
pub mod sort;
pub mod svg;
pub mod timeline;
