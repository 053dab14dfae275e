//! Hints between processes: the seam is [`baton_engine::coord`].

pub mod packing;
#[cfg(feature = "redis")]
pub mod redis;

pub use baton_engine::coord::*;
