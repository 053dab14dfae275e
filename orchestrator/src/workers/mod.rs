//! Workers beside the engine: replies in, unconfirmed messages out, due sagas woken, sagas
//! under way counted. Each is `run_once` and a short loop.

pub mod census;
pub mod inbox;
pub mod probe;
pub mod relay;
pub mod retention;
pub mod waker;
