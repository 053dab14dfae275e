//! What is known of destinations on a connection that publishes or sends.

use super::connection::lock;
use super::declare::Declarer;
use crate::bus::Destination;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// A queue that went missing is not declared again before its consumers have heard of its end: declared at once, the
/// broker could take the old consumers for consumers of the new queue and send them messages they never see.
const DECLARE_AFTER: Duration = Duration::from_secs(1);

/// For this long nothing is published to a destination that could not be declared.
const FAILED_FOR: Duration = Duration::from_secs(2);

/// A declaration takes a commit to disk; what waits for it, for others too, waits no longer, and it is repeated.
const DECLARE_WITHIN: Duration = Duration::from_secs(1);

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
    fn usable(&self, destination: &Destination) -> Option<bool> {
        match lock(&self.0).get(destination) {
            Some(Declaration::Declared) => Some(true),
            Some(Declaration::MissingSince(since)) if since.elapsed() < DECLARE_AFTER => Some(true),
            Some(Declaration::FailedAt(at)) if at.elapsed() < FAILED_FOR => Some(false),
            Some(Declaration::MissingSince(_) | Declaration::FailedAt(_)) | None => None,
        }
    }

    /// Declares a destination unless that is known to be done. False if it cannot be declared, or could not a moment ago: what goes to
    /// it must not hold up others.
    pub(super) async fn declare(&self, declarer: &Declarer, destination: &Destination) -> bool {
        if let Some(usable) = self.usable(destination) {
            return usable;
        }
        let reason = match timeout(DECLARE_WITHIN, declarer.declare(destination)).await {
            Ok(Ok(())) => {
                self.declared(destination);
                return true;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "declaring takes too long".to_owned(),
        };
        tracing::warn!(reason, ?destination, "could not declare a destination");
        self.failed(destination);
        false
    }

    /// Remembers that a destination is declared.
    fn declared(&self, destination: &Destination) {
        lock(&self.0).insert(destination.clone(), Declaration::Declared);
    }

    /// Remembers that a destination could not be declared just now.
    fn failed(&self, destination: &Destination) {
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
