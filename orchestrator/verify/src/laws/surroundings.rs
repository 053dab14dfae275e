//! Laws over what is around the sagas: the outbox, the broker, quarantine, logs; and two that nobody can check yet.

use crate::broker::is_quarantine;
use crate::coverage::{DEAD_LETTERS, HASH_CHAIN, LOGS, OUTBOX, QUEUES, TWO_BUILDS};
use crate::evidence::Evidence;
use crate::invariant::{Findings, Law};

/// I12, which is not there.
pub const CHAIN: Law =
    Law::whole("I12", "journal entries are chained by hashes", "entries", &[HASH_CHAIN], nothing).at_rest();
pub const OUTBOX_READABLE: Law =
    Law::whole("I14", "every outbox row is a batch of commands", "outbox rows", &[OUTBOX], outbox_readable);
pub const OUTBOX_EMPTY: Law = Law::whole("I17", "the outbox is empty", "outboxes", &[OUTBOX], outbox_empty).at_rest();
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

fn outbox_readable(evidence: &Evidence, found: &mut Findings) {
    if let Some(outbox) = &evidence.outbox {
        found.looked += outbox.rows;
        found.broken.extend(outbox.damaged.iter().cloned());
    }
}

fn outbox_empty(evidence: &Evidence, found: &mut Findings) {
    if let Some(outbox) = &evidence.outbox {
        found.expect(outbox.rows == 0, || {
            format!("{}{} messages wait in the outbox", outbox.rows, if outbox.more { " and more" } else { "" })
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
