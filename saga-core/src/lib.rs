//! The pure core of Baton: a saga is a value, and one function moves it.
//!
//! ```text
//! machine::start(definition, id, input, now)        -> Transition
//! machine::apply(definition, saga, event, now)      -> Applied (moved, ignored or refused)
//! ```
//!
//! Nothing here touches a clock, a socket, a thread or chance: time is an argument, identity and jitter are derived.
//!
//! | module | what it holds |
//! |---|---|
//! | [`time`] | microseconds since the epoch |
//! | [`saga`] | the value: ids, states, causes |
//! | [`event`] | what can happen to a saga, and the journal entry it leaves |
//! | [`retry`] | backoff with derived jitter |
//! | [`definition`] | a saga's steps as checked data, and the typestate builder |
//! | [`transition`] | what a move returns |
//! | [`machine`] | the table |
//! | [`replay`] | a journal folded back into a saga |
//!
//! Every path of a definition walked, and tests as data files: the crate `saga-testing`.

#![warn(missing_docs)]

pub mod definition;
pub mod event;
pub mod machine;
pub mod replay;
pub mod retry;
pub mod saga;
pub mod time;
pub mod transition;
