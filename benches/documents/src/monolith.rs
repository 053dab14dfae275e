//! Everything in one process: the document's first two designs.

use crate::door::{self, Shop};
use crate::orders::{self, Placing, Standing};
use crate::payments::{self, Misfit, Provider};
use crate::process::{self, Surroundings};
use crate::redis_lock::RedisLock;
use crate::{shelf, tables};
use anyhow::{Context as _, Result};
use async_trait::async_trait;
use baton_sql::database::{Database, Verdict};
use baton_sql::error::SqlError;
use shop_proto::order::v1::OrderState;
use std::net::SocketAddr;
use std::sync::Arc;

/// Reason of an order for which there was too little on the shelf.
const OUT_OF_STOCK: &str = "OUT_OF_STOCK";

/// One transaction for everything, the item under a row lock until its commit.
pub async fn with_row_lock(surroundings: &Surroundings, listen: SocketAddr) -> Result<()> {
    let shop = RowLock {
        database: surroundings.database(tables::MONOLITH).await?,
        provider: Provider::new(&surroundings.provider)?,
    };
    door::serve(process::listen(listen).await?, Arc::new(shop)).await
}

/// A transaction for each step, the stock's under a lock in Redis.
pub async fn with_redis_lock(surroundings: &Surroundings, listen: SocketAddr) -> Result<()> {
    let shop = StepByStep {
        database: surroundings.database(tables::MONOLITH).await?,
        provider: Provider::new(&surroundings.provider)?,
        lock: Some(RedisLock::start(&surroundings.redis).await?),
    };
    door::serve(process::listen(listen).await?, Arc::new(shop)).await
}

/// A transaction for each step, and nothing else.
pub async fn bare(surroundings: &Surroundings, listen: SocketAddr) -> Result<()> {
    let shop = StepByStep {
        database: surroundings.database(tables::MONOLITH).await?,
        provider: Provider::new(&surroundings.provider)?,
        lock: None,
    };
    door::serve(process::listen(listen).await?, Arc::new(shop)).await
}

struct RowLock {
    database: Database,
    provider: Provider,
}

#[async_trait]
impl Shop for RowLock {
    /// The provider is asked before the transaction, not within: no connection and no lock waits for HTTP. Money goes
    /// back before the refusal is written, so that a crash between the two is healed by the caller's next try.
    async fn place(&self, placing: Placing) -> Result<Standing> {
        if let Some(standing) = orders::standing(&self.database, placing.order).await? {
            return Ok(standing);
        }
        let refusal = match self.provider.verify(&placing.payment, placing.order, placing.total).await? {
            Err(Misfit { reason, held }) => {
                if let Some(held) = held {
                    self.provider.refund(&placing.payment, held, reason).await?;
                }
                Standing::because(OrderState::PaymentNoPaymentInfo, reason)
            }
            Ok(()) => match self.sell(&placing).await? {
                Sold::Yes => return Ok(Standing::success()),
                Sold::Before => {
                    let standing = orders::standing(&self.database, placing.order).await?;
                    return standing.context("the payment is another order's");
                }
                Sold::OutOfStock => {
                    self.provider.refund(&placing.payment, placing.total, OUT_OF_STOCK).await?;
                    Standing::because(OrderState::PaymentOutOfStock, OUT_OF_STOCK)
                }
            },
        };
        orders::open(&self.database, &placing, &refusal).await?;
        Ok(refusal)
    }
}

enum Sold {
    Yes,
    OutOfStock,
    /// The same order got there first.
    Before,
}

impl RowLock {
    /// Everything that only this order touches comes first, the item's row last: its lock is what others wait for.
    async fn sell(&self, placing: &Placing) -> Result<Sold> {
        let placing = placing.clone();
        let sold = self.database.transaction(move |tx| {
            let placing = placing.clone();
            Box::pin(async move {
                payments::claim_within(tx, &placing).await?;
                orders::insert(tx, &placing, &Standing::success()).await?;
                shelf::reserve(tx, placing.order, &placing.lines).await?;
                for line in &placing.lines {
                    if !shelf::take_after_reading(tx, line, true).await? {
                        return Ok(Verdict::Rollback(Sold::OutOfStock));
                    }
                }
                Ok(Verdict::Commit(Sold::Yes))
            })
        });
        match sold.await {
            Err(SqlError::Duplicate(_)) => Ok(Sold::Before),
            other => Ok(other?),
        }
    }
}

struct StepByStep {
    database: Database,
    provider: Provider,
    /// None: the statement that takes the units has a condition.
    lock: Option<RedisLock>,
}

#[async_trait]
impl Shop for StepByStep {
    /// An order that is found is told as it stands and not begun again: its stock may be taken already.
    async fn place(&self, placing: Placing) -> Result<Standing> {
        let confirming = Standing::because(OrderState::PaymentConfirm, "");
        if !orders::open(&self.database, &placing, &confirming).await? {
            return Ok(orders::standing(&self.database, placing.order).await?.unwrap_or(confirming));
        }
        let end = match self.provider.verify(&placing.payment, placing.order, placing.total).await? {
            Err(Misfit { reason, held }) => {
                if let Some(held) = held {
                    self.provider.refund(&placing.payment, held, reason).await?;
                }
                Standing::because(OrderState::PaymentNoPaymentInfo, reason)
            }
            Ok(()) => {
                payments::claim(&self.database, &placing.payment, placing.order, placing.total).await?;
                if self.decrease_stock(&placing).await? {
                    Standing::success()
                } else {
                    self.provider.refund(&placing.payment, placing.total, OUT_OF_STOCK).await?;
                    Standing::because(OrderState::PaymentOutOfStock, OUT_OF_STOCK)
                }
            }
        };
        orders::end(&self.database, placing.order, &end).await?;
        Ok(end)
    }
}

impl StepByStep {
    /// Locks are taken in the order of the items, so that two orders never wait for each other in a circle.
    async fn decrease_stock(&self, placing: &Placing) -> Result<bool> {
        let mut held = Vec::new();
        if let Some(lock) = &self.lock {
            for line in &placing.lines {
                held.push(lock.acquire(&line.item_id).await?);
            }
        }
        let is_locked = self.lock.is_some();
        let (order, lines) = (placing.order, placing.lines.clone());
        let taken = self.database.transaction(move |tx| {
            let lines = lines.clone();
            Box::pin(async move {
                for line in &lines {
                    let is_taken = match is_locked {
                        true => shelf::take_after_reading(tx, line, false).await?,
                        false => shelf::take(tx, line).await?,
                    };
                    if !is_taken {
                        return Ok(Verdict::Rollback(false));
                    }
                }
                shelf::reserve(tx, order, &lines).await?;
                Ok(Verdict::Commit(true))
            })
        });
        let taken = taken.await;
        if let Some(lock) = &self.lock {
            for held in held {
                lock.release(held).await?;
            }
        }
        Ok(taken?)
    }
}
