//! The saga: a room, a seat, a mail. If there is no seat the room is given back.

use baton_orchestrator::sagas::{Accepted, PayloadError, SagaType};
use baton_rpc::errors::{Flaw, Violations};
use baton_rpc::reason::Reason;
use bytes::Bytes;
use saga_core::definition::{Definition, StepOptions};
use saga_core::saga::{Direction, Saga, StepIndex};
use serde::{Deserialize, Serialize};

/// What a trip is started with, as JSON.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Trip {
    /// Its number: at most one saga for each.
    pub number: String,
    /// Nights in the hotel, at least one.
    pub nights: u32,
    /// Seats on the flight. There are nine.
    pub seats: u32,
}

/// `nights` is 0.
const NIGHTS_INVALID: Reason = Reason::new("NIGHTS_INVALID");
/// The input is no trip.
const TRIP_INVALID: Reason = Reason::new("TRIP_INVALID");

/// The saga of a trip.
#[derive(Debug)]
pub struct TripSaga(Definition);

impl TripSaga {
    /// Version 1.
    ///
    /// # Panics
    /// Never: its steps stand here and are right.
    #[must_use]
    pub fn new() -> Self {
        let options = StepOptions::new();
        let definition = Definition::builder("trip", 1)
            .compensatable("hotel.book", "agency", "hotel.book", "hotel.cancel", options)
            .pivot("flight.book", "agency", "flight.book", options)
            .retriable("mail.send", "agency", "mail.send", options)
            .build();
        Self(definition.expect("a right definition"))
    }
}

impl Default for TripSaga {
    fn default() -> Self {
        Self::new()
    }
}

impl SagaType for TripSaga {
    fn definition(&self) -> &Definition {
        &self.0
    }

    fn accept(&self, input: &[u8]) -> Result<Accepted, Violations> {
        let mut violations = Violations::new();
        match serde_json::from_slice::<Trip>(input) {
            Ok(trip) if trip.nights > 0 => return Ok(Accepted { business_key: trip.number, exclusive: true }),
            Ok(_) => violations.add("input.nights", Flaw::new(NIGHTS_INVALID, "must be at least 1")),
            Err(error) => violations.add("input", Flaw::new(TRIP_INVALID, error.to_string())),
        }
        Err(violations)
    }

    /// Every command carries the whole trip.
    fn payload(&self, saga: &Saga, _step: StepIndex, _direction: Direction) -> Result<Bytes, PayloadError> {
        Ok(saga.input.clone())
    }
}
