//! What is known of destinations on the publishing connection.

use super::connection::lock;
use crate::bus::Destination;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// A queue that went missing is not declared again before its consumers have heard of its end: declared at once, the
/// broker could take the old consumers for consumers of the new queue and send them messages they never see.
const DECLARE_AFTER: Duration = Duration::from_secs(1);

/// For this long nothing is published to a destination that could not be declared.
const FAILED_FOR: Duration = Duration::from_secs(2);

/// What was declared on this connection, could not be, or was seen missing since.
#[derive(Debug, Default)]
pub(super) struct Destinations(Mutex<BTreeMap<Destination, Declaration>>);

#[derive(Clone, Copy, Debug)]
enum Declaration {
    Declared,
    MissingSince(Instant),
    FailedAt(Instant),
}

impl Destinations {
    /// Forgets everything: the connection is a new one.
    pub(super) fn clear(&self) {
        lock(&self.0).clear();
    }

    /// Whether messages can be published to a destination; `None` if it must be declared first.
    pub(super) fn usable(&self, destination: &Destination) -> Option<bool> {
        match lock(&self.0).get(destination) {
            Some(Declaration::Declared) => Some(true),
            Some(Declaration::MissingSince(since)) if since.elapsed() < DECLARE_AFTER => Some(true),
            Some(Declaration::FailedAt(at)) if at.elapsed() < FAILED_FOR => Some(false),
            Some(Declaration::MissingSince(_) | Declaration::FailedAt(_)) | None => None,
        }
    }

    /// Remembers that a destination is declared.
    pub(super) fn declared(&self, destination: &Destination) {
        lock(&self.0).insert(destination.clone(), Declaration::Declared);
    }

    /// Remembers that a destination could not be declared just now.
    pub(super) fn failed(&self, destination: &Destination) {
        lock(&self.0).insert(destination.clone(), Declaration::FailedAt(Instant::now()));
    }

    /// Remembers that a destination has no queue, from the first time it was seen.
    pub(super) fn missing(&self, destination: &Destination) {
        let mut known = lock(&self.0);
        if !matches!(known.get(destination), Some(Declaration::MissingSince(_))) {
            known.insert(destination.clone(), Declaration::MissingSince(Instant::now()));
        }
    }
}
