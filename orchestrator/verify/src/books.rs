//! Laws over what belongs to no single saga: items, claims, the provider's ledger, start keys, the outbox, queues, logs.
//!
//! Pure like [`super::laws`]; [`super::verify`] reads and hands over.

use super::broker::is_quarantine;
use super::databases::dossier::Claim;
use super::databases::outbox::Outbox;
use super::databases::shop::{Keys, OrderHead, Shelf};
use super::evidence::LedgerPayment;
use super::laws::Found;
use super::logs::Scan;
use saga_core::saga::SagaId;
use std::collections::{BTreeMap, BTreeSet};

/// What a check over the books is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Book {
    /// The invariant's id.
    pub id: &'static str,
    /// The promise, in a sentence; unique.
    pub name: &'static str,
    /// What it counts.
    pub unit: &'static str,
    /// True if it holds while orders move.
    pub live: bool,
}

const fn book(id: &'static str, name: &'static str, unit: &'static str, live: bool) -> Book {
    Book { id, name, unit, live }
}

/// I1.
pub const NAMED_SAGAS: Book =
    book("I1", "every saga that an order, a claim or a start key names exists or was forgotten", "references", true);
/// I2.
pub const ONE_SAGA: Book = book("I2", "no two order sagas share an order", "start keys", true);
/// I3.
pub const STOCK: Book = book(
    "I3",
    "stock: stocked = available + reserved = initial + restocked, none negative, reserved = held",
    "items",
    true,
);
/// I4.
pub const MONEY: Book =
    book("I4", "money: paid - refunded of ended orders = totals of completed orders, per currency", "currencies", true);
/// I5.
pub const REFUNDS: Book =
    book("I5", "the provider refunded only what its own order's saga took in order to send it back", "refunds", true);
/// I5.
pub const CLAIMS: Book =
    book("I5", "every claim is on a payment the provider made for that very order and amount", "claims", true);
/// I12, which is not there.
pub const CHAIN: Book = book("I12", "journal entries are chained by hashes", "entries", false);
/// I14.
pub const OUTBOX: Book = book("I14", "every outbox row is a batch of commands", "outbox rows", true);
/// I17.
pub const OUTBOX_EMPTY: Book = book("I17", "the outbox is empty", "outboxes", false);
/// I17.
pub const QUEUES_EMPTY: Book = book("I17", "command and reply queues are empty", "queues", false);
/// I19.
pub const QUARANTINE: Book = book("I19", "every dead letter says why it is one", "dead letters", true);
/// I20.
pub const LEAKS: Book =
    book("I20", "logs hold no card number, bearer token, configured secret or panic", "lines", true);
/// I21, which no look at one installation can tell.
pub const UPGRADE: Book = book("I21", "sagas begun by another version end correctly", "sagas", false);

/// Every check over the books, in the order of the invariants.
pub const BOOKS: &[Book] = &[
    NAMED_SAGAS,
    ONE_SAGA,
    STOCK,
    MONEY,
    REFUNDS,
    CLAIMS,
    CHAIN,
    OUTBOX,
    OUTBOX_EMPTY,
    QUEUES_EMPTY,
    QUARANTINE,
    LEAKS,
    UPGRADE,
];

/// A queue of the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Messages in it, ready or unacknowledged.
    pub messages: u64,
}

/// A message in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Which queue it stands in.
    pub queue: String,
    /// Its message id, or empty.
    pub message: String,
    /// Why, if it says so.
    pub reason: Option<String>,
}

/// Items.
pub fn stock(shelves: &[Shelf], homeless: &[(String, i64)], found: &mut Found) {
    for shelf in shelves {
        let Shelf { item, available, reserved, stocked, initial, held, restocked } = shelf;
        let sum = |a: &i64, b: &i64| i128::from(*a) + i128::from(*b);
        let mut problems = Vec::new();
        if *available < 0 || *reserved < 0 {
            problems.push(format!("available {available}, reserved {reserved}"));
        }
        if i128::from(*stocked) != sum(available, reserved) {
            problems.push(format!("stocked {stocked} is not available {available} + reserved {reserved}"));
        }
        if i128::from(*stocked) != sum(initial, restocked) {
            problems.push(format!("stocked {stocked} is not initial {initial} + restocked {restocked}"));
        }
        if held != reserved {
            problems.push(format!("reserved {reserved}, but its reservations hold {held}"));
        }
        found.expect(problems.is_empty(), || format!("item {item}: {}", problems.join("; ")));
    }
    for (item, count) in homeless {
        found.expect(false, || format!("item {item} does not exist, but has {count} reservations"));
    }
}

/// Sums of one currency: what the provider keeps, what completed orders are worth.
pub type Sums = BTreeMap<String, (i128, i128)>;

/// Money of ended orders.
pub fn money(sums: &Sums, found: &mut Found) {
    for (currency, (kept, earned)) in sums {
        found.expect(kept == earned, || {
            format!("{currency}: the provider keeps {kept}, completed orders are worth {earned}")
        });
    }
}

/// Payments of the provider that were refunded, against the claims on them.
pub fn refunds(payments: &[LedgerPayment], claims: &[Claim], found: &mut Found) {
    for payment in payments.iter().filter(|payment| payment.refunds > 0 || payment.refunded > 0) {
        let claim = claims.iter().find(|claim| claim.payment == payment.imp_uid);
        // 2 refunded, 3 refunding: written before the provider is asked.
        let taken = claim.is_some_and(|claim| claim.order == payment.merchant_uid && matches!(claim.state, 2 | 3));
        found.expect(taken, || {
            let who = match claim {
                None => "no saga took it".to_owned(),
                Some(claim) => format!("saga {} has it for order {}, state {}", claim.saga, claim.order, claim.state),
            };
            format!("payment {} of order {} was refunded, but {who}", payment.imp_uid, payment.merchant_uid)
        });
    }
}

/// Claims against the provider's payments.
pub fn claims(claims: &[Claim], payments: &[LedgerPayment], found: &mut Found) {
    for claim in claims {
        let payment = payments.iter().find(|payment| payment.imp_uid == claim.payment);
        let problem = match payment {
            None => Some("the provider knows no such payment".to_owned()),
            Some(payment) if payment.merchant_uid != claim.order => {
                Some(format!("it was made for order {}", payment.merchant_uid))
            }
            Some(payment) if payment.paid != claim.amount || payment.currency != claim.currency => Some(format!(
                "claimed as {} {}, the provider took {} {}",
                claim.amount, claim.currency, payment.paid, payment.currency
            )),
            Some(payment) if claim.state == 2 && payment.refunded != payment.paid => {
                Some(format!("marked as sent back, but {} of {} went back", payment.refunded, payment.paid))
            }
            Some(_) => None,
        };
        found.expect(problem.is_none(), || {
            format!("payment {} of order {}: {}", claim.payment, claim.order, problem.unwrap_or_default())
        });
    }
}

/// Sagas that orders name.
pub fn orders(orders: &[OrderHead], existing: &BTreeSet<SagaId>, found: &mut Found) {
    for (order, saga) in orders.iter().filter_map(|order| order.saga.map(|saga| (order, saga))) {
        found.expect(existing.contains(&saga), || {
            format!("order {} names saga {saga}, which does not exist", order.number)
        });
    }
}

/// Sagas that claims name.
pub fn claimants(claims: &[Claim], existing: &BTreeSet<SagaId>, found: &mut Found) {
    for claim in claims {
        let (payment, saga) = (&claim.payment, claim.saga);
        found.expect(existing.contains(&saga), || format!("payment {payment} is of saga {saga}, which does not exist"));
    }
}

/// Sagas that start keys name.
pub fn keys_exist(keys: &Keys, found: &mut Found) {
    found.looked += usize::try_from(keys.keys).unwrap_or(0);
    found
        .broken
        .extend(keys.without_saga.iter().map(|saga| format!("saga {saga} holds a start key and does not exist")));
}

/// One saga for each order.
pub fn one_saga(keys: &Keys, found: &mut Found) {
    found.looked += usize::try_from(keys.keys).unwrap_or(0);
    found.broken.extend(keys.shared.iter().map(|(order, count)| format!("order {order} has {count} sagas")));
}

/// Rows of the outbox.
pub fn outbox(outbox: &Outbox, found: &mut Found) {
    found.looked += outbox.rows;
    found.broken.extend(outbox.damaged.iter().cloned());
}

/// The outbox at rest.
pub fn outbox_empty(outbox: &Outbox, found: &mut Found) {
    found.expect(outbox.rows == 0, || {
        format!("{}{} messages wait in the outbox", outbox.rows, if outbox.more { " and more" } else { "" })
    });
}

/// Queues at rest; dead-letter queues are another check's.
pub fn queues_empty(queues: &[Queue], found: &mut Found) {
    for queue in queues.iter().filter(|queue| !is_quarantine(&queue.name)) {
        found.expect(queue.messages == 0, || format!("queue {} holds {} messages", queue.name, queue.messages));
    }
}

/// Dead letters.
pub fn quarantine(letters: &[DeadLetter], found: &mut Found) {
    for letter in letters {
        let says = letter.reason.as_deref().is_some_and(|reason| !reason.is_empty());
        found.expect(says, || format!("message {:?} in {} does not say why it is there", letter.message, letter.queue));
    }
}

/// Logs.
pub fn leaks(scan: &Scan, found: &mut Found) {
    found.looked += scan.lines;
    found.broken.extend(scan.leaks.iter().map(|(place, leak)| format!("{place} holds {}", leak.as_str())));
}

#[cfg(test)]
mod tests;
