//! The storm: the real processes under load, nemeses one after the other, and after each the whole audit.

pub mod act;
pub mod arena;
pub mod catalogue;
pub mod cluster;
pub mod courier;
pub mod history;
pub mod holdings;
pub mod inside;
pub mod judge;
pub mod links;
pub mod load;
pub mod logs;
pub(crate) mod measure;
pub mod nemesis;
pub mod net_fault;
pub mod node;
pub mod quiesce;
pub mod recovery;
pub mod run;
mod setup;
pub mod shop;
pub mod tmpfs;
pub mod voice;
mod wiring;
