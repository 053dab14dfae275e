//! The watch list: payments that were not there when they were needed, and may turn up paid.
//!
//! A row is written when a verification finds a payment that is not paid *yet*, and when a saga that gives up finds nothing to
//! send back. It goes when the payment is claimed or has gone back, or when nothing came of it for a day; what is found and may
//! not be sent back stays as an open case, for a person.

use crate::claim::{Claimant, SagaId};
use crate::money::Money;
use crate::schedule;
use baton_rpc::reason::Reason;
use baton_sql::database::Tx;
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use shop_domain::currency::Currency;
use shop_domain::identifier::{OrderNumber, PaymentId};
use std::collections::{BTreeMap, BTreeSet};

/// What [`Watch::from_row`] reads, in its order.
pub(crate) const WATCH_COLUMNS: &str =
    "saga_id, payment_id, order_no, state, reason, currency, held, looks, since, look_at, updated_at, decision";

const WATCH_COLUMN_LIST: [&str; 12] = [
    "saga_id",
    "payment_id",
    "order_no",
    "state",
    "reason",
    "currency",
    "held",
    "looks",
    "since",
    "look_at",
    "updated_at",
    "decision",
];

/// Why a payment is on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchState {
    /// Its verification waits for it: the saga may still claim it, and nobody sends it back.
    Awaited,
    /// Its saga has given up: what turns up paid goes back.
    GivenUp,
    /// Money was found that may not be sent back, or nobody can tell: a person decides.
    Open,
    /// A person has decided.
    Settled,
}

impl WatchState {
    /// How it is stored.
    #[must_use]
    pub fn stored(self) -> i64 {
        match self {
            Self::Awaited => 1,
            Self::GivenUp => 2,
            Self::Open => 3,
            Self::Settled => 4,
        }
    }

    fn from_stored(stored: i64) -> Option<Self> {
        [Self::Awaited, Self::GivenUp, Self::Open, Self::Settled].into_iter().find(|state| state.stored() == stored)
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Whose payment it was to be.
    pub claimant: Claimant,
    /// Why it is on the list.
    pub state: WatchState,
    /// What the last look found: a reason of the payment participant.
    pub reason: String,
    /// What the provider held of it when that was last known.
    pub held: Option<Money>,
    /// Looks that were answered since the saga gave up.
    pub looks: u32,
    /// When the verification first waited for it, or the saga gave up, microseconds.
    pub since_us: i64,
    /// When it is looked at next, microseconds; `None` for never.
    pub look_at_us: Option<i64>,
    /// When the row last changed, microseconds.
    pub updated_us: i64,
    /// Who has settled it, and why; empty until then. At most 630 characters.
    pub decision: String,
}

impl Watch {
    /// A payment that a verification waits for from now on.
    #[must_use]
    pub fn awaited(claimant: &Claimant, reason: Reason, now_us: i64) -> Self {
        Self {
            claimant: claimant.clone(),
            state: WatchState::Awaited,
            reason: reason.as_str().to_owned(),
            held: None,
            looks: 0,
            since_us: now_us,
            look_at_us: Some(schedule::after(now_us, schedule::AWAITED_FOR)),
            updated_us: now_us,
            decision: String::new(),
        }
    }

    /// A payment whose saga gives up now.
    #[must_use]
    pub fn given_up(claimant: &Claimant, reason: Reason, held: Option<Money>, now_us: i64) -> Self {
        let look_at_us = schedule::next_look(now_us, now_us);
        Self { state: WatchState::GivenUp, held, look_at_us, ..Self::awaited(claimant, reason, now_us) }
    }

    /// The same as an open case.
    #[must_use]
    pub fn opened(self, reason: &str, held: Option<Money>, now_us: i64) -> Self {
        let look_at_us = schedule::open(self.since_us, now_us);
        let held = held.or(self.held);
        Self { state: WatchState::Open, reason: reason.to_owned(), held, look_at_us, updated_us: now_us, ..self }
    }

    /// The same after a person has decided: nobody looks at it any more.
    #[must_use]
    pub fn settled(self, decision: String, now_us: i64) -> Self {
        Self { state: WatchState::Settled, look_at_us: None, updated_us: now_us, decision, ..self }
    }

    /// Reads a row back.
    pub fn from_row(row: &Row) -> Result<Self, SqlError> {
        let wrong = |what: &str| SqlError::Refused(format!("payment_watch: a row with a bad {what}"));
        let held = match row.text(5)? {
            "" => None,
            code => {
                let currency = Currency::from_code(code).map_err(|_| wrong("currency"))?;
                Some(Money { currency, minor_units: row.int(6)? })
            }
        };
        Ok(Self {
            claimant: Claimant {
                saga: row.array(0)?,
                payment_id: PaymentId::parse(row.text(1)?).map_err(|_| wrong("payment_id"))?,
                order: OrderNumber::from_bytes(row.array(2)?),
            },
            state: WatchState::from_stored(row.int(3)?).ok_or_else(|| wrong("state"))?,
            reason: row.text(4)?.to_owned(),
            held,
            looks: u32::try_from(row.int(7)?).map_err(|_| wrong("looks"))?,
            since_us: row.int(8)?,
            look_at_us: row.opt_int(9)?,
            updated_us: row.int(10)?,
            decision: row.text(11)?.to_owned(),
        })
    }

    fn to_values(&self) -> Vec<Value> {
        vec![
            self.claimant.saga.into(),
            self.claimant.payment_id.as_str().into(),
            self.claimant.order.bytes().into(),
            self.state.stored().into(),
            self.reason.as_str().into(),
            self.held.map_or_else(String::new, |held| held.currency.as_str().to_owned()).into(),
            self.held.map_or(0, |held| held.minor_units).into(),
            i64::from(self.looks).into(),
            self.since_us.into(),
            self.look_at_us.into(),
            self.updated_us.into(),
            self.decision.as_str().into(),
        ]
    }
}

/// The rows of some sagas, read once, changed in memory, written once.
#[derive(Debug, Default)]
pub struct Watchlist {
    rows: BTreeMap<SagaId, Watch>,
    inserted: BTreeSet<SagaId>,
    changed: BTreeSet<SagaId>,
    removed: BTreeSet<SagaId>,
}

impl Watchlist {
    /// Reads and locks the rows of these sagas, in the order of their ids; nothing for no sagas.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn read(tx: &mut Tx, sagas: &BTreeSet<SagaId>) -> Result<Self, SqlError> {
        let before = format!("SELECT {WATCH_COLUMNS} FROM payment_watch WHERE saga_id");
        let values = sagas.iter().map(|saga| Value::from(*saga)).collect();
        let mut list = Self::default();
        for row in tx.select_in(&before, Vec::new(), values, tx.for_update()).await? {
            let watch = Watch::from_row(&row)?;
            list.rows.insert(watch.claimant.saga, watch);
        }
        Ok(list)
    }

    /// The row of a saga.
    #[must_use]
    pub fn get(&self, saga: SagaId) -> Option<&Watch> {
        self.rows.get(&saga)
    }

    /// Puts a saga's row in place of the one it has, if any.
    pub fn put(&mut self, watch: Watch) {
        let saga = watch.claimant.saga;
        let is_stored = self.removed.remove(&saga) || (self.rows.contains_key(&saga) && !self.inserted.contains(&saga));
        let _ = if is_stored { self.changed.insert(saga) } else { self.inserted.insert(saga) };
        self.rows.insert(saga, watch);
    }

    /// Takes a saga's payment off the list.
    pub fn remove(&mut self, saga: SagaId) {
        if self.rows.remove(&saga).is_some() && !self.inserted.remove(&saga) {
            self.changed.remove(&saga);
            self.removed.insert(saga);
        }
    }

    /// Writes what changed.
    ///
    /// # Errors
    /// [`SqlError::Duplicate`] if another worker has put one of these sagas on the list since it was read: read again.
    pub async fn write(self, tx: &mut Tx) -> Result<(), SqlError> {
        let rows = self.inserted.iter().filter_map(|saga| self.rows.get(saga)).map(Watch::to_values).collect();
        tx.insert_many("payment_watch", &WATCH_COLUMN_LIST, rows).await?;
        for watch in self.changed.iter().filter_map(|saga| self.rows.get(saga)) {
            let mut values = watch.to_values();
            // Neither the saga nor its payment changes; the key comes last in the statement.
            let key = values.remove(0);
            let values = values.into_iter().skip(2).chain([key]).collect();
            let sql = "UPDATE payment_watch SET state = ?, reason = ?, currency = ?, held = ?, looks = ?, since = ?, \
                       look_at = ?, updated_at = ?, decision = ? WHERE saga_id = ?";
            tx.execute(sql, values).await?;
        }
        let removed = self.removed.iter().map(|saga| Value::from(*saga)).collect();
        tx.execute_in("DELETE FROM payment_watch WHERE saga_id", Vec::new(), removed).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::{PAYMENT_NOT_PAID, PAYMENT_UNKNOWN};

    fn claimant(saga: u8) -> Claimant {
        Claimant {
            payment_id: PaymentId::parse("imp_1").expect("an id"),
            order: OrderNumber::from_bytes([9; 16]),
            saga: [saga; 16],
        }
    }

    #[test]
    fn what_is_written_follows_from_what_was_read() {
        let row = Watch::awaited(&claimant(1), PAYMENT_UNKNOWN, 5);
        let mut list = Watchlist { rows: BTreeMap::from([([1; 16], row)]), ..Watchlist::default() };
        list.put(Watch::given_up(&claimant(1), PAYMENT_NOT_PAID, None, 7));
        list.put(Watch::given_up(&claimant(2), PAYMENT_NOT_PAID, None, 7));
        list.put(Watch::given_up(&claimant(2), PAYMENT_NOT_PAID, None, 8));
        assert_eq!((list.changed.len(), list.inserted.len(), list.removed.len()), (1, 1, 0));
        list.remove([1; 16]);
        list.remove([2; 16]);
        list.remove([3; 16]);
        assert_eq!((list.changed.len(), list.inserted.len(), list.removed.len()), (0, 0, 1));
        list.put(Watch::awaited(&claimant(1), PAYMENT_UNKNOWN, 9));
        assert_eq!((list.changed.len(), list.inserted.len(), list.removed.len()), (1, 0, 0));
    }

    #[test]
    fn an_open_case_keeps_what_was_last_known_to_be_there() {
        let held = Money { currency: Currency::from_code("KRW").expect("a code"), minor_units: 600 };
        let watch =
            Watch::given_up(&claimant(1), PAYMENT_NOT_PAID, Some(held), 7).opened("PROVIDER_UNAVAILABLE", None, 9);
        assert_eq!(
            (watch.state, watch.held, watch.reason.as_str()),
            (WatchState::Open, Some(held), "PROVIDER_UNAVAILABLE")
        );
        assert!(watch.look_at_us > Some(9));
    }
}
