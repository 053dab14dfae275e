//! Named places at which a process can be made to kill itself, before and after every commit, publish and acknowledgement.
//!
//! Built with the feature `crash-points`, a process that finds `BATON_CRASH_POINT=name` (or `name:n`) in its environment
//! sends itself SIGKILL when it reaches that point for the first (or n-th) time. Without the feature [`hit`] is empty.
//! The idea is that of the `fail` crate; an enum in place of its registry of strings makes a point that nobody lists
//! impossible, so that coverage can be counted.

/// Names the point at which the process dies: `name`, or `name:n` for its n-th hit.
pub const VARIABLE: &str = "BATON_CRASH_POINT";

/// True in a build that has the points.
pub const BUILT_IN: bool = cfg!(feature = "crash-points");

macro_rules! points {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A place in the code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Point { $($(#[$doc])* $variant,)* }

        impl Point {
            /// Every point, in the order of the code's path.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name: program, what is done, and on which side of it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

points! {
    /// A batch is taken, nothing is written.
    OrchestratorBeforeCommit = "orchestrator.commit.before",
    /// Everything is written, COMMIT is not sent.
    OrchestratorInsideCommit = "orchestrator.commit.inside",
    /// COMMIT is answered, nothing is published.
    OrchestratorAfterCommit = "orchestrator.commit.after",
    /// The commit stands and is about to be published.
    OrchestratorBeforePublish = "orchestrator.publish.before",
    /// The broker has confirmed, the outbox rows are still there.
    OrchestratorAfterPublish = "orchestrator.publish.after",
    /// Published, callers not answered.
    OrchestratorBeforeAnswer = "orchestrator.answer.before",
    /// Callers are answered, replies not acknowledged.
    OrchestratorAfterAnswer = "orchestrator.answer.after",
    /// A reply is applied and not acknowledged.
    OrchestratorBeforeAck = "orchestrator.ack.before",
    /// A reply is acknowledged.
    OrchestratorAfterAck = "orchestrator.ack.after",
    /// The relay has read messages and not published them.
    OrchestratorBeforeRelay = "orchestrator.relay.before",
    /// The relay has handed messages on.
    OrchestratorAfterRelay = "orchestrator.relay.after",
    /// Due sagas are found, and not woken.
    OrchestratorBeforeWake = "orchestrator.wake.before",
    /// Due sagas are woken.
    OrchestratorAfterWake = "orchestrator.wake.after",
    /// A message nobody can read is about to be quarantined.
    OrchestratorBeforeQuarantine = "orchestrator.quarantine.before",
    /// It is quarantined.
    OrchestratorAfterQuarantine = "orchestrator.quarantine.after",
    /// Commands are taken, nothing is written.
    ParticipantBeforeCommit = "participant.commit.before",
    /// Effects and ledger are written, COMMIT is not sent.
    ParticipantInsideCommit = "participant.commit.inside",
    /// Effects and ledger are committed, no reply is published.
    ParticipantAfterCommit = "participant.commit.after",
    /// Replies are about to be published.
    ParticipantBeforePublish = "participant.publish.before",
    /// Replies are confirmed, their commands not acknowledged.
    ParticipantAfterPublish = "participant.publish.after",
    /// A command is answered and about to be acknowledged.
    ParticipantBeforeAck = "participant.ack.before",
    /// A command is acknowledged.
    ParticipantAfterAck = "participant.ack.after",
    /// Replies were not confirmed, the commands are about to go back.
    ParticipantBeforeRelease = "participant.release.before",
    /// A message nobody can read is about to be quarantined.
    ParticipantBeforeQuarantine = "participant.quarantine.before",
    /// It is quarantined.
    ParticipantAfterQuarantine = "participant.quarantine.after",
    /// The saga is closed to new claims, the provider is not asked to pay back.
    PaymentBeforeRefund = "payment.refund.before",
    /// The provider has answered, nothing of it is stored.
    PaymentAfterRefund = "payment.refund.after",
}

impl Point {
    /// The point of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|point| point.name() == name)
    }
}

/// The process has reached a point. Does not return if that is the one it was told to die at, for the n-th time: nothing
/// is flushed, closed or unwound, as with a power cut.
#[inline]
pub fn hit(point: Point) {
    #[cfg(feature = "crash-points")]
    armed::hit(point);
    #[cfg(not(feature = "crash-points"))]
    let _ = point;
}

#[cfg(feature = "crash-points")]
mod armed {
    use super::{Point, VARIABLE};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static TARGET: OnceLock<Option<(Point, u64)>> = OnceLock::new();
    static HITS: AtomicU64 = AtomicU64::new(0);

    pub(super) fn hit(point: Point) {
        let Some((target, nth)) = *TARGET.get_or_init(|| parse(&std::env::var(VARIABLE).ok()?)) else { return };
        if point == target && HITS.fetch_add(1, Ordering::Relaxed) + 1 == nth {
            // Whoever armed the point tells its own kill from another's by this line.
            eprintln!("crash point {} hit", point.name());
            let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
            // The signal may be delivered to another thread first: nothing must happen here meanwhile.
            loop {
                std::thread::park();
            }
        }
    }

    pub(super) fn parse(text: &str) -> Option<(Point, u64)> {
        let (name, nth) = match text.rsplit_once(':') {
            Some((name, nth)) => (name, nth.parse().ok()?),
            None => (text, 1),
        };
        Some((Point::named(name)?, nth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn names_are_distinct_and_found() {
        let names: BTreeSet<&str> = Point::ALL.iter().map(|point| point.name()).collect();
        assert_eq!(names.len(), Point::ALL.len());
        assert!(Point::ALL.iter().all(|point| Point::named(point.name()) == Some(*point)));
        assert_eq!(Point::named("nowhere"), None);
    }

    #[cfg(feature = "crash-points")]
    #[test]
    fn the_variable_names_a_point_and_a_hit() {
        assert_eq!(armed::parse("participant.ack.after"), Some((Point::ParticipantAfterAck, 1)));
        assert_eq!(armed::parse("participant.ack.after:3"), Some((Point::ParticipantAfterAck, 3)));
        assert_eq!(armed::parse("participant.ack.after:x"), None);
    }

    /// A point that no code reaches would be listed and never fire.
    #[test]
    fn every_point_stands_somewhere_in_the_code() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut code = String::new();
        for part in ["orchestrator/src", "participants/kit/src", "participants/payment/src"] {
            read(&root.join(part), &mut code);
        }
        let unused: Vec<_> =
            Point::ALL.iter().filter(|point| !code.contains(&format!("hit(Point::{point:?})"))).collect();
        assert!(unused.is_empty(), "{unused:?}");
    }

    fn read(directory: &Path, into: &mut String) {
        for entry in std::fs::read_dir(directory).expect("a source directory").flatten() {
            let path = entry.path();
            if path.is_dir() {
                read(&path, into);
            } else {
                into.push_str(&std::fs::read_to_string(&path).unwrap_or_default());
            }
        }
    }
}
