//! Picks free TCP ports on loopback.

use anyhow::{Result, bail};
use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

/// Ports to choose from. They lie below Linux's range of ephemeral ports on purpose: a client that reconnects in a loop
/// to a killed server inside that range can be given the very port it dials, connect to itself, and keep the server from
/// ever coming back.
const LOWEST: u16 = 10_000;
const COUNT: u16 = 22_000;

/// Enough tries to find a gap on a machine where nine of ten ports were taken.
const MAX_TRIES: usize = 200;

/// Ports this process has handed out: two callers in a row must not get the same one before the first has bound it.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port that nobody listened on a moment ago, and that this process has not handed out before. Whoever binds it must be ready to find it taken and to ask again.
pub fn free() -> Result<u16> {
    for attempt in 0..MAX_TRIES {
        // A fresh RandomState carries fresh keys: randomness without a dependency.
        let hash = RandomState::new().hash_one((std::process::id(), attempt));
        let port = LOWEST + u16::try_from(hash % u64::from(COUNT)).unwrap_or_default();
        if is_free(port) && GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(port) {
            return Ok(port);
        }
    }
    bail!("no free port between {LOWEST} and {} after {MAX_TRIES} tries", LOWEST + COUNT)
}

/// True if the port can be bound on loopback right now.
#[must_use]
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
