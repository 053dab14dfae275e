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
//! | [`skips`] | what operators skipped of it |
//! | [`compat`] | how sagas under way would fare under another version of their definition |
//! | [`step_position`] | where a saga stands, with names |
//! | [`datetime`] | times and durations as text |
//! | [`svg`] | pictures |
//! | [`escape`] | text from outside, so that it acts on no terminal and no page |
//!
//! Nothing here does I/O, and nothing decides by itself what a saga may do: the machine is asked. Contents of inputs,
//! outputs and messages never appear in any result, only names of steps, stable reasons, times, and who ordered what.

#![warn(missing_docs)]

pub mod acts;
pub mod compat;
pub mod datetime;
pub mod escape;
pub mod explain;
pub mod failure;
pub mod filter;
pub mod skips;
pub mod sort;
pub mod step_position;
pub mod svg;
pub mod timeline;
