//! Which payment belongs to which order: the rows, and the rules over them.
//!
//! A payment belongs to the first saga that claims it, to verify it or to send it back, and never changes hands. A batch
//! reads its rows once ([`Book::read`]), decides on them in memory and writes once ([`Book::write`]).

use crate::money::Money;
use baton_sql::database::Tx;
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use shop_domain::currency::Currency;
use shop_domain::identifier::{OrderNumber, PaymentId};
use std::collections::{BTreeMap, BTreeSet};

/// A saga's id.
pub type SagaId = [u8; 16];

/// What [`Claim::from_row`] reads, in its order.
pub(crate) const COLUMNS: &str = "payment_id, order_no, saga_id, currency, amount, state, created_at, updated_at";

const COLUMN_LIST: [&str; 8] =
    ["payment_id", "order_no", "saga_id", "currency", "amount", "state", "created_at", "updated_at"];

/// What has become of a claimed payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimState {
    /// Verified for its order.
    Claimed,
    /// Its saga is about to send it back, or has; written before the provider is called, so that nobody claims it meanwhile.
    Refunding,
    /// Sent back.
    Refunded,
}

impl ClaimState {
    /// How it is stored.
    #[must_use]
    pub fn stored(self) -> i64 {
        match self {
            Self::Claimed => 1,
            Self::Refunded => 2,
            Self::Refunding => 3,
        }
    }

    fn from_stored(stored: i64) -> Option<Self> {
        [Self::Claimed, Self::Refunding, Self::Refunded].into_iter().find(|state| state.stored() == stored)
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The provider's id.
    pub payment_id: PaymentId,
    /// The one order.
    pub order: OrderNumber,
    /// The one saga.
    pub saga: SagaId,
    /// What the provider said was paid.
    pub money: Money,
    /// What has become of it.
    pub state: ClaimState,
    /// When it was claimed, microseconds.
    pub created_us: i64,
    /// When it last changed, microseconds.
    pub updated_us: i64,
}

impl Claim {
    /// Reads a row back.
    pub fn from_row(row: &Row) -> Result<Self, SqlError> {
        let wrong = |what: &str| SqlError::Refused(format!("payment: a row with a bad {what}"));
        Ok(Self {
            payment_id: PaymentId::parse(row.text(0)?).map_err(|_| wrong("payment_id"))?,
            order: OrderNumber::from_bytes(row.array(1)?),
            saga: row.array(2)?,
            money: Money {
                currency: Currency::from_code(row.text(3)?).map_err(|_| wrong("currency"))?,
                minor_units: row.int(4)?,
            },
            state: ClaimState::from_stored(row.int(5)?).ok_or_else(|| wrong("state"))?,
            created_us: row.int(6)?,
            updated_us: row.int(7)?,
        })
    }

    /// The row's columns.
    #[must_use]
    pub fn to_values(&self) -> Vec<Value> {
        vec![
            self.payment_id.as_str().into(),
            self.order.bytes().into(),
            self.saga.into(),
            self.money.currency.as_str().into(),
            self.money.minor_units.into(),
            self.state.stored().into(),
            self.created_us.into(),
            self.updated_us.into(),
        ]
    }
}

/// Who wants a payment, for which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// The provider's id.
    pub payment_id: PaymentId,
    /// The order.
    pub order: OrderNumber,
    /// The saga.
    pub saga: SagaId,
}

/// Why a payment cannot be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimRefusal {
    /// The saga has cancelled before.
    Closed,
    /// Another order or saga has it, or it went back.
    Taken,
}

/// The rows of a batch, read once, changed in memory, written once.
#[derive(Debug, Default)]
pub struct Book {
    claims: BTreeMap<PaymentId, Claim>,
    closed: BTreeSet<SagaId>,
    inserted: BTreeSet<PaymentId>,
    changed: BTreeSet<PaymentId>,
    closed_now: BTreeSet<SagaId>,
}

impl Book {
    /// Reads and locks the rows that these claimants are about, in the order of their ids.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn read(tx: &mut Tx, claimants: impl Iterator<Item = &Claimant> + Send) -> Result<Self, SqlError> {
        let (ids, sagas): (BTreeSet<_>, BTreeSet<_>) =
            claimants.map(|claimant| (claimant.payment_id.clone(), claimant.saga)).unzip();
        let mut book = Self::default();
        let values = sagas.iter().map(|saga| Value::from(*saga)).collect();
        let before = "SELECT saga_id FROM payment_closed WHERE saga_id";
        for row in tx.select_in(before, Vec::new(), values, tx.for_update()).await? {
            book.closed.insert(row.array(0)?);
        }
        let values = ids.iter().map(|id| Value::from(id.as_str())).collect();
        let before = format!("SELECT {COLUMNS} FROM payment WHERE payment_id");
        for row in tx.select_in(&before, Vec::new(), values, tx.for_update()).await? {
            let claim = Claim::from_row(&row)?;
            book.claims.insert(claim.payment_id.clone(), claim);
        }
        Ok(book)
    }

    /// Claims a verified payment. A repeated claim by the same saga is fine.
    ///
    /// # Errors
    /// [`ClaimRefusal`]; nothing was changed.
    pub fn claim(&mut self, claimant: &Claimant, money: Money, now_us: i64) -> Result<(), ClaimRefusal> {
        if self.closed.contains(&claimant.saga) {
            return Err(ClaimRefusal::Closed);
        }
        match self.claims.get(&claimant.payment_id) {
            None => {
                self.insert(claimant, money, ClaimState::Claimed, now_us);
                Ok(())
            }
            Some(claim) if owns(claim, claimant) && claim.state == ClaimState::Claimed => Ok(()),
            Some(_) => Err(ClaimRefusal::Taken),
        }
    }

    /// Takes a payment in order to send it back; false if another saga or order has it. Afterwards nobody can claim it.
    pub fn begin_refund(&mut self, claimant: &Claimant, money: Money, now_us: i64) -> bool {
        match self.claims.get(&claimant.payment_id) {
            None => self.insert(claimant, money, ClaimState::Refunding, now_us),
            Some(claim) if !owns(claim, claimant) => return false,
            Some(claim) if claim.state == ClaimState::Claimed => {
                self.set(&claimant.payment_id, ClaimState::Refunding, now_us);
            }
            Some(_) => {}
        }
        true
    }

    /// Notes that a payment went back, if the saga has it.
    pub fn finish_refund(&mut self, claimant: &Claimant, now_us: i64) {
        if self.owes(claimant) {
            self.set(&claimant.payment_id, ClaimState::Refunded, now_us);
        }
    }

    /// True if the saga has the payment and it has not gone back: its money was seen at the provider.
    #[must_use]
    pub fn owes(&self, claimant: &Claimant) -> bool {
        let unfinished = |claim: &Claim| owns(claim, claimant) && claim.state != ClaimState::Refunded;
        self.claims.get(&claimant.payment_id).is_some_and(unfinished)
    }

    /// What the saga has of a payment that has not gone back: what was paid.
    #[must_use]
    pub fn owed(&self, claimant: &Claimant) -> Option<Money> {
        let claim = self.claims.get(&claimant.payment_id)?;
        self.owes(claimant).then_some(claim.money)
    }

    /// True if any saga has the payment, or has sent it back.
    #[must_use]
    pub fn is_taken(&self, payment_id: &PaymentId) -> bool {
        self.claims.contains_key(payment_id)
    }

    /// True if the saga has cancelled before.
    #[must_use]
    pub fn is_closed(&self, saga: SagaId) -> bool {
        self.closed.contains(&saga)
    }

    /// Notes that a saga has cancelled: from now on it cannot claim.
    pub fn close(&mut self, saga: SagaId) {
        if self.closed.insert(saga) {
            self.closed_now.insert(saga);
        }
    }

    /// Writes what changed: one statement per table and state.
    ///
    /// # Errors
    /// [`SqlError::Duplicate`] if another worker claimed one of these payments since it was read: read again.
    pub async fn write(self, tx: &mut Tx, now_us: i64) -> Result<(), SqlError> {
        let closed = self.closed_now.iter().map(|saga| vec![Value::from(*saga), now_us.into()]).collect();
        tx.insert_many("payment_closed", &["saga_id", "closed_at"], closed).await?;
        let rows = self.inserted.iter().filter_map(|id| self.claims.get(id)).map(Claim::to_values).collect();
        tx.insert_many("payment", &COLUMN_LIST, rows).await?;
        for state in [ClaimState::Refunding, ClaimState::Refunded] {
            let ids: Vec<Value> = self
                .changed
                .iter()
                .filter(|id| self.claims.get(*id).is_some_and(|claim| claim.state == state))
                .map(|id| Value::from(id.as_str()))
                .collect();
            let args = vec![state.stored().into(), now_us.into()];
            tx.execute_in("UPDATE payment SET state = ?, updated_at = ? WHERE payment_id", args, ids).await?;
        }
        Ok(())
    }

    fn insert(&mut self, claimant: &Claimant, money: Money, state: ClaimState, now_us: i64) {
        let Claimant { payment_id, order, saga } = claimant.clone();
        self.inserted.insert(payment_id.clone());
        let claim =
            Claim { payment_id: payment_id.clone(), order, saga, money, state, created_us: now_us, updated_us: now_us };
        self.claims.insert(payment_id, claim);
    }

    fn set(&mut self, payment_id: &PaymentId, state: ClaimState, now_us: i64) {
        if let Some(claim) = self.claims.get_mut(payment_id) {
            claim.state = state;
            claim.updated_us = now_us;
        }
        if !self.inserted.contains(payment_id) {
            self.changed.insert(payment_id.clone());
        }
    }
}

fn owns(claim: &Claim, claimant: &Claimant) -> bool {
    claim.saga == claimant.saga && claim.order == claimant.order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimant(saga: u8) -> Claimant {
        Claimant {
            payment_id: PaymentId::parse("imp_1").expect("an id"),
            order: OrderNumber::from_bytes([9; 16]),
            saga: [saga; 16],
        }
    }

    fn money() -> Money {
        Money { currency: Currency::from_code("KRW").expect("a code"), minor_units: 1_000 }
    }

    fn state(book: &Book) -> Option<ClaimState> {
        book.claims.values().next().map(|claim| claim.state)
    }

    #[test]
    fn a_payment_belongs_to_the_first_saga_that_wants_it() {
        let mut book = Book::default();
        assert_eq!(book.claim(&claimant(1), money(), 5), Ok(()));
        assert_eq!(book.claim(&claimant(1), money(), 6), Ok(()));
        assert_eq!(book.claim(&claimant(2), money(), 6), Err(ClaimRefusal::Taken));
        assert!(!book.begin_refund(&claimant(2), money(), 6));
        book.finish_refund(&claimant(2), 6);
        assert_eq!(state(&book), Some(ClaimState::Claimed));
        let other_order = Claimant { order: OrderNumber::from_bytes([8; 16]), ..claimant(1) };
        assert_eq!(book.claim(&other_order, money(), 6), Err(ClaimRefusal::Taken));
        assert!(!book.begin_refund(&other_order, money(), 6));
        assert!(book.owes(&claimant(1)) && !book.owes(&claimant(2)) && !book.owes(&other_order));
    }

    #[test]
    fn what_is_on_its_way_back_cannot_be_claimed() {
        let mut book = Book::default();
        assert!(book.begin_refund(&claimant(1), money(), 5));
        for saga in [1, 2] {
            assert_eq!(book.claim(&claimant(saga), money(), 6), Err(ClaimRefusal::Taken));
        }
        assert!(book.begin_refund(&claimant(1), money(), 6) && book.owes(&claimant(1)));
        book.finish_refund(&claimant(1), 7);
        assert!(!book.owes(&claimant(1)), "it went back");
        assert_eq!(state(&book), Some(ClaimState::Refunded));
        assert_eq!(book.claim(&claimant(1), money(), 8), Err(ClaimRefusal::Taken));
        assert!(book.begin_refund(&claimant(1), money(), 8));
        assert_eq!(state(&book), Some(ClaimState::Refunded));
    }

    #[test]
    fn a_closed_saga_cannot_claim() {
        let mut book = Book::default();
        book.close([1; 16]);
        assert_eq!(book.claim(&claimant(1), money(), 5), Err(ClaimRefusal::Closed));
        assert_eq!(book.claim(&claimant(2), money(), 5), Ok(()));
    }
}
