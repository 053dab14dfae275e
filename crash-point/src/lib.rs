//! Named places at which a process can be made to kill itself, before and after every commit, publish and acknowledgement.
//!
//! Built with the feature `crash-points`, a process that finds `BATON_CRASH_POINT=name` (or `name:n`) in its environment
//! sends itself SIGKILL when it reaches that point for the first (or n-th) time. Without the feature [`hit`] is empty.
//! The idea is that of the `fail` crate; constants that are made together with their list, in place of its registry of
//! strings, make a point that nobody lists impossible, so that coverage can be counted.

/// Names the point at which the process dies: `name`, or `name:n` for its n-th hit.
pub const VARIABLE: &str = "BATON_CRASH_POINT";

/// True in a build that has the points.
pub const BUILT_IN: bool = cfg!(feature = "crash-points");

/// A place in the code, called by its name: program, what is done, and on which side of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point(&'static str);

impl Point {
    /// The point of this name; made by [`points!`], which lists it too.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// Constants for the points of a program, and the list of them in the order of the code's path.
#[macro_export]
macro_rules! points {
    ($(#[$outer:meta])* $list:ident { $($(#[$doc:meta])* $point:ident = $name:literal;)* }) => {
        $($(#[$doc])* pub const $point: $crate::Point = $crate::Point::new($name);)*
        $(#[$outer])*
        pub const $list: &'static [$crate::Point] = &[$($crate::Point::new($name)),*];
    };
}

impl Point {
    points! {
        /// The points of the orchestrator, and those that every participant has.
        ALL {
            /// A batch is taken, nothing is written.
            ORCHESTRATOR_BEFORE_COMMIT = "orchestrator.commit.before";
            /// Everything is written, COMMIT is not sent.
            ORCHESTRATOR_INSIDE_COMMIT = "orchestrator.commit.inside";
            /// COMMIT is answered, nothing is sent.
            ORCHESTRATOR_AFTER_COMMIT = "orchestrator.commit.after";
            /// The commit stands and its commands are about to be sent.
            ORCHESTRATOR_BEFORE_SEND = "orchestrator.send.before";
            /// The courier has them.
            ORCHESTRATOR_AFTER_SEND = "orchestrator.send.after";
            /// Sent, callers not answered.
            ORCHESTRATOR_BEFORE_ANSWER = "orchestrator.answer.before";
            /// Callers are answered, replies not acknowledged.
            ORCHESTRATOR_AFTER_ANSWER = "orchestrator.answer.after";
            /// A reply is applied and not acknowledged.
            ORCHESTRATOR_BEFORE_ACK = "orchestrator.ack.before";
            /// A reply is acknowledged.
            ORCHESTRATOR_AFTER_ACK = "orchestrator.ack.after";
            /// Sagas that nobody has answered are found, their commands not sent again.
            ORCHESTRATOR_BEFORE_SEND_AGAIN = "orchestrator.send-again.before";
            /// Their commands are sent again.
            ORCHESTRATOR_AFTER_SEND_AGAIN = "orchestrator.send-again.after";
            /// Due sagas are found, and not woken.
            ORCHESTRATOR_BEFORE_WAKE = "orchestrator.wake.before";
            /// Due sagas are woken.
            ORCHESTRATOR_AFTER_WAKE = "orchestrator.wake.after";
            /// A message nobody can read is about to be quarantined.
            ORCHESTRATOR_BEFORE_QUARANTINE = "orchestrator.quarantine.before";
            /// It is quarantined.
            ORCHESTRATOR_AFTER_QUARANTINE = "orchestrator.quarantine.after";
            /// Commands are taken, nothing is written.
            PARTICIPANT_BEFORE_COMMIT = "participant.commit.before";
            /// Effects and ledger are written, COMMIT is not sent.
            PARTICIPANT_INSIDE_COMMIT = "participant.commit.inside";
            /// Effects and ledger are committed, no reply is sent.
            PARTICIPANT_AFTER_COMMIT = "participant.commit.after";
            /// Replies are about to be sent.
            PARTICIPANT_BEFORE_REPLY = "participant.reply.before";
            /// Replies are sent, their commands not acknowledged.
            PARTICIPANT_AFTER_REPLY = "participant.reply.after";
            /// A command is answered and about to be acknowledged.
            PARTICIPANT_BEFORE_ACK = "participant.ack.before";
            /// A command is acknowledged.
            PARTICIPANT_AFTER_ACK = "participant.ack.after";
            /// A message nobody can read is about to be quarantined.
            PARTICIPANT_BEFORE_QUARANTINE = "participant.quarantine.before";
            /// It is quarantined.
            PARTICIPANT_AFTER_QUARANTINE = "participant.quarantine.after";
        }
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

    static TARGET: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static HITS: AtomicU64 = AtomicU64::new(0);

    pub(super) fn hit(point: Point) {
        let Some((target, nth)) = TARGET.get_or_init(|| parse(&std::env::var(VARIABLE).ok()?)) else { return };
        if point.name() == target && HITS.fetch_add(1, Ordering::Relaxed) + 1 == *nth {
            // Whoever armed the point tells its own kill from another's by this line.
            eprintln!("crash point {} hit", point.name());
            let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
            // The signal may be delivered to another thread first: nothing must happen here meanwhile.
            loop {
                std::thread::park();
            }
        }
    }

    pub(super) fn parse(text: &str) -> Option<(String, u64)> {
        let (name, nth) = match text.rsplit_once(':') {
            Some((name, nth)) => (name, nth.parse().ok()?),
            None => (text, 1),
        };
        Some((name.to_owned(), nth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn names_are_distinct() {
        let names: BTreeSet<&str> = Point::ALL.iter().map(|point| point.name()).collect();
        assert_eq!(names.len(), Point::ALL.len());
    }

    #[cfg(feature = "crash-points")]
    #[test]
    fn the_variable_names_a_point_and_a_hit() {
        assert_eq!(armed::parse("participant.ack.after"), Some(("participant.ack.after".to_owned(), 1)));
        assert_eq!(armed::parse("participant.ack.after:3"), Some(("participant.ack.after".to_owned(), 3)));
        assert_eq!(armed::parse("participant.ack.after:x"), None);
    }

    /// A point that no code reaches would be listed and never fire.
    #[test]
    fn every_point_stands_somewhere_in_the_code() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut code = String::new();
        for part in
            ["orchestrator/engine/src", "orchestrator/store/src", "orchestrator/operations/src", "participants/kit/src"]
        {
            read(&root.join(part), &mut code);
        }
        let unused: Vec<_> =
            Point::ALL.iter().filter(|point| !code.contains(&format!("hit(Point::{})", constant(**point)))).collect();
        assert!(unused.is_empty(), "{unused:?}");
    }

    /// `orchestrator.commit.before` is ORCHESTRATOR_BEFORE_COMMIT.
    fn constant(point: Point) -> String {
        let parts: Vec<&str> = point.name().split('.').collect();
        format!("{}_{}_{}", parts[0], parts[2], parts[1]).replace('-', "_").to_uppercase()
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
