//! The courier without a broker: one stream from each orchestrator to each process of a participant, with the same batches.
//!
//! Nothing is kept on the way. Both ends hold what has arrived in the bounded queues of a [`LocalBus`];
//! what comes while one is full waits in the stream, and then at the sender, who drops what its stream does not take.

mod client;
mod server;

pub use client::GrpcCourier;
pub use server::GrpcEnd;

use crate::local::{LocalBus, LocalConfig};
use std::time::Duration;
use uuid::Uuid;

/// Messages that wait in a stream, in either direction: a batch for each of the last commits.
const MAX_IN_STREAM: usize = 64;

/// Messages that have arrived and are not settled, per destination: each has up to 256 items.
const MAX_ARRIVED: usize = 256;

fn arrivals() -> LocalBus {
    LocalBus::new(LocalConfig { capacity: MAX_ARRIVED, confirm_deadline: Duration::from_secs(5) })
}

/// The id of a message that has come; one that has none gets one, since queues tell messages apart by it.
fn message_id(bytes: &[u8]) -> Uuid {
    Uuid::from_slice(bytes).unwrap_or_else(|_| Uuid::now_v7())
}
