//! The shop's part of the binary: its configuration, its commands and the demo.
//!
//! | file | what it holds |
//! |---|---|
//! | [`config`] | what the shop sells in |
//! | [`cli`] | `baton items` and `baton orders` as types |
//! | [`items`], [`orders`] | the same, carried out |
//! | [`demo`] | many orders at once, then the audit |
//! | [`sandbox_provider`] | the sandbox payment provider as a process of its own |

pub mod cli;
pub mod config;
pub mod demo;
pub mod items;
pub mod orders;
pub mod sandbox_provider;
