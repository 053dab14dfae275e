//! The shop on top of the engine: what whoever wires an installation hands in.
//!
//! | module | what it holds |
//! |---|---|
//! | [`descriptors`] | the messages and services of an installation with the shop |
//! | [`placement`] | `PlaceOrder`: an order's saga is started and watched |
//! | [`saga`] | the order saga |

pub mod descriptors;
pub mod placement;
pub mod saga;
