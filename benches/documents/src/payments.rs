//! The payment provider, and the row that says which order a payment belongs to.

use crate::orders::{Placing, now_us};
use anyhow::{Result, bail};
use baton_payment::claim::ClaimState;
use baton_payment::gateway::{Cancelled, Lookup, PaymentGateway, ProviderState};
use baton_payment::money::Money;
use baton_payment::portone_v1::{PortOneConfig, PortOneV1};
use baton_sql::database::{Database, Tx};
use baton_sql::error::SqlError;
use baton_sql::value::Value;
use shop_domain::identifier::{OrderNumber, PaymentId};
use std::time::Duration;

/// Tries of one call to the provider before the order is left as it is.
const TRIES: u32 = 5;

/// Pause between two of them, times the number of the try.
const PAUSE: Duration = Duration::from_millis(50);

/// The sandbox's own key and secret, which are no secrets.
const KEY: &str = "sandbox-key";
const SECRET: &str = "sandbox-secret";

/// A payment does not fit its order. What the provider holds of it is to go back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// In upper snake case.
    pub reason: &'static str,
    /// What is left to send back; nothing for a payment that is not this order's.
    pub held: Option<Money>,
}

/// The provider.
#[derive(Debug)]
pub struct Provider {
    gateway: PortOneV1,
}

impl Provider {
    /// Behind a base URL; calls nobody yet.
    pub fn new(base_url: &str) -> Result<Self> {
        let config = PortOneConfig::new(base_url, KEY.to_owned().into(), SECRET.to_owned().into());
        Ok(Self { gateway: PortOneV1::new(config)? })
    }

    /// Looks a payment up and compares it with its order.
    pub async fn verify(&self, payment: &PaymentId, order: OrderNumber, total: Money) -> Result<Result<(), Misfit>> {
        let misfit = |reason, held| Ok(Err(Misfit { reason, held }));
        let found = match self.look_up(payment).await? {
            Some(found) => found,
            None => return misfit("PAYMENT_UNKNOWN", None),
        };
        if found.merchant_number != order.to_string() {
            return misfit("PAYMENT_OF_OTHER_ORDER", None);
        }
        if found.state != ProviderState::Paid {
            return misfit("PAYMENT_NOT_PAID", None);
        }
        if found.remaining() != total {
            return misfit("PAYMENT_WRONG_AMOUNT", Some(found.remaining()));
        }
        Ok(Ok(()))
    }

    /// Sends money back, once however often it is asked to.
    pub async fn refund(&self, payment: &PaymentId, held: Money, reason: &str) -> Result<()> {
        for attempt in 1..=TRIES {
            match self.gateway.cancel(payment, held, reason).await {
                Cancelled::Done(_) => return Ok(()),
                Cancelled::Refused { message } => {
                    let left = self.look_up(payment).await?.map(|found| found.remaining().minor_units);
                    if left == Some(0) {
                        return Ok(());
                    }
                    bail!("the provider refuses to send {payment:?} back: {message}");
                }
                // The amount it must still hold keeps a repeated call from sending it twice.
                Cancelled::InDoubt(_) => tokio::time::sleep(PAUSE * attempt).await,
            }
        }
        bail!("nobody knows whether {payment:?} was sent back")
    }

    async fn look_up(&self, payment: &PaymentId) -> Result<Option<baton_payment::gateway::ProviderPayment>> {
        let mut last = String::new();
        for attempt in 1..=TRIES {
            match self.gateway.lookup(payment).await {
                Lookup::Found(found) => return Ok(Some(found)),
                Lookup::Unknown => return Ok(None),
                Lookup::Unavailable(why) => last = why,
            }
            tokio::time::sleep(PAUSE * attempt).await;
        }
        bail!("the provider does not answer: {last}")
    }
}

const COLUMNS: [&str; 8] =
    ["payment_id", "order_no", "saga_id", "currency", "amount", "state", "created_at", "updated_at"];

/// Claims the payment inside a transaction. There is no saga here: the order stands in its place.
pub async fn claim_within(tx: &mut Tx, placing: &Placing) -> Result<(), SqlError> {
    let row = row(&placing.payment, placing.order, placing.total);
    tx.insert_many("payment", &COLUMNS, vec![row]).await.map(|_| ())
}

/// Claims the payment as a transaction of its own, in one round trip; false if it is another order's.
pub async fn claim(
    database: &Database,
    payment: &PaymentId,
    order: OrderNumber,
    total: Money,
) -> Result<bool, SqlError> {
    let sql = baton_sql::statement::insert("payment", &COLUMNS, 1);
    match database.query(&sql, row(payment, order, total)).await {
        Ok(_) => Ok(true),
        Err(SqlError::Duplicate(_)) => {
            let sql = "SELECT order_no FROM payment WHERE payment_id = ?";
            let rows = database.query(sql, vec![payment.as_str().into()]).await?;
            rows.first().map_or(Ok(false), |row| Ok(row.bytes(0)? == order.bytes()))
        }
        Err(error) => Err(error),
    }
}

/// Notes that a payment went back.
pub async fn note_refund(database: &Database, payment: &PaymentId) -> Result<(), SqlError> {
    let sql = "UPDATE payment SET state = ?, updated_at = ? WHERE payment_id = ?";
    let args = vec![ClaimState::Refunded.stored().into(), now_us().into(), payment.as_str().into()];
    database.query(sql, args).await.map(|_| ())
}

fn row(payment: &PaymentId, order: OrderNumber, total: Money) -> Vec<Value> {
    let now = now_us();
    vec![
        payment.as_str().into(),
        order.bytes().into(),
        order.bytes().into(),
        total.currency.as_str().into(),
        total.minor_units.into(),
        ClaimState::Claimed.stored().into(),
        now.into(),
        now.into(),
    ]
}
