//! A saga of one's own beside Baton's shop, and a participant for it: what docs/ARCHITECTURE.md says a newcomer adds.
//!
//! | file | what it holds |
//! |---|---|
//! | [`saga`] | the steps of a trip, what it takes to start one, what its commands say |
//! | [`agency`] | who books rooms and seats and sends mails, and takes bookings back |
//!
//! `tests/it/main.rs` links both in, with a line each, and runs trips to both of their ends.

pub mod agency;
pub mod saga;
