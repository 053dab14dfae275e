//! The shop's part of the binary: its participants, its configuration, its commands and the demo.
//!
//! | file | what it holds |
//! |---|---|
//! | [`config`] | what the shop sells in, its payment provider, defaults for its participants |
//! | [`participants`] | order, payment, stock over their databases |
//! | [`embedded`] | all of it in one process |
//! | [`cli`] | its commands as types |
//! | [`items`], [`orders`], [`payments`] | the same, carried out |
//! | [`demo`] | many orders at once, then the audit |
//! | [`doctor`] | what `baton doctor` looks at for it |
//! | [`sandbox_provider`] | the sandbox payment provider as a process of its own |

pub mod cli;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod embedded;
pub mod items;
pub mod orders;
pub mod participants;
pub mod payments;
pub mod sandbox_provider;
