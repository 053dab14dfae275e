//! Laws over what is around the sagas: the broker, quarantine, logs; and two that nobody can check yet.

use crate::broker::is_quarantine;
use crate::coverage::{DEAD_LETTERS, HASH_CHAIN, LOGS, QUEUES, TWO_BUILDS};
use crate::evidence::Evidence;
use crate::invariant::{Findings, Law};

/// I12, which is not there.
pub const CHAIN: Law =
    Law::whole("I12", "journal entries are chained by hashes", "entries", &[HASH_CHAIN], nothing).at_rest();
pub const LETTERS_SENT: Law = Law::whole(
    "I17",
    "every dead letter that was to be sent again is sent",
    "dead letters",
    &[DEAD_LETTERS],
    letters_sent,
)
.at_rest();
pub const QUEUES_EMPTY: Law =
    Law::whole("I17", "command and reply queues are empty", "queues", &[QUEUES], queues_empty).at_rest();
pub const QUARANTINE: Law =
    Law::whole("I19", "every dead letter says why it is one", "dead letters", &[DEAD_LETTERS], quarantine);
pub const LEAKS: Law =
    Law::whole("I20", "logs hold no card number, bearer token, configured secret or panic", "lines", &[LOGS], leaks);
/// I21, which no look at one installation can tell.
pub const UPGRADE: Law =
    Law::whole("I21", "sagas begun by another version end correctly", "sagas", &[TWO_BUILDS], nothing).at_rest();

fn nothing(_: &Evidence, _: &mut Findings) {}

fn letters_sent(evidence: &Evidence, found: &mut Findings) {
    for letter in &evidence.dead_letters {
        found.expect(!letter.unsent, || {
            format!("message {:?} in {} waits to be sent again", letter.message, letter.queue)
        });
    }
}

/// Dead-letter queues are another law's.
fn queues_empty(evidence: &Evidence, found: &mut Findings) {
    for queue in evidence.queues.iter().filter(|queue| !is_quarantine(&queue.name)) {
        found.expect(queue.messages == 0, || format!("queue {} holds {} messages", queue.name, queue.messages));
    }
}

fn quarantine(evidence: &Evidence, found: &mut Findings) {
    for letter in &evidence.dead_letters {
        let says = letter.reason.as_deref().is_some_and(|reason| !reason.is_empty());
        found.expect(says, || format!("message {:?} in {} does not say why it is there", letter.message, letter.queue));
    }
}

fn leaks(evidence: &Evidence, found: &mut Findings) {
    if let Some(scan) = &evidence.logs {
        found.looked += scan.lines;
        found.broken.extend(scan.leaks.iter().map(|(place, leak)| format!("{place} holds {}", leak.as_str())));
    }
}
