//! The table.
use crate::{definition::Definition, event::Event, saga::{Saga, SagaId}, time::Micros, transition::{Applied, Transition}};
use bytes::Bytes;
/// Starts.
#[must_use] pub fn start(_definition: &Definition, _id: SagaId, _input: Bytes, _now: Micros) -> Transition { unimplemented!() }
/// Moves.
#[must_use] pub fn apply(_definition: &Definition, _saga: &Saga, _event: &Event, _now: Micros) -> Applied { unimplemented!() }
