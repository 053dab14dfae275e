//! What proves a definition without running it: no clock, no socket, no thread.
//!
//! | module | what it holds |
//! |---|---|
//! | [`exhaust`] | every path of a definition, walked |
//! | [`script`] | tests as data files |

#![warn(missing_docs)]

pub mod exhaust;
pub mod script;
