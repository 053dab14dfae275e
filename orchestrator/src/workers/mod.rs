//! Workers beside the engine: replies in, unconfirmed messages out, due sagas woken. Each is `run_once` and a short loop.

pub mod inbox;
pub mod probe;
pub mod relay;
pub mod retention;
pub mod waker;
