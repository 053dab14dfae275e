//! Holds: definitions and participants that are halted, and the sagas that each has paused.
//!
//! A saga is marked before it is paused, with the version it was seen at: whoever releases the hold finds in the saga's
//! journal whether the pause came, and whether it is still the hold's.

use crate::held::{Held, Known};
use crate::operations::Operations;
use crate::operations::audit::{NewAudit, RequestTaken, append};
use crate::operations::jobs::until;
use crate::store::StoreError;
use crate::store::sql::{marks, store_error};
use baton_sql::database::{Dialect, Tx, Verdict};
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

const COLUMNS: &str = "name, reason, actor, created_at, releasing, release_reason, release_actor";

/// A hold as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// What is held.
    pub held: Held,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: String,
    /// Since when.
    pub created_at: Micros,
    /// Who releases it and why, once it is being released.
    pub release: Option<(String, String)>,
    /// Sagas that are marked as paused by it.
    pub paused: u64,
}

/// What became of an operator's act on a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placed {
    /// The hold afterwards; if it was so before, nothing is written down.
    Hold(Box<Hold>),
    /// There is no such hold.
    Unknown,
    /// An act with this request id is written down already.
    RequestTaken,
}

impl Operations {
    /// Who holds a definition and why, as far as this process knows: see [`Operations::holds`].
    #[must_use]
    pub fn held(&self, definition: &str) -> Option<(String, String)> {
        self.known.of(&Held::Definition(definition.to_owned()))
    }

    /// The holds that this process knows of; every clone shares them.
    #[must_use]
    pub fn known_holds(&self) -> Arc<Known> {
        self.known.clone()
    }

    /// All holds, by name. What is read is known from then on.
    pub async fn holds(&self) -> Result<Vec<Hold>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}, (SELECT COUNT(*) FROM hold_saga WHERE hold_saga.hold = hold.name) FROM hold ORDER BY name"
        );
        let rows = self.store.database().query(&sql, Vec::new()).await.map_err(store_error)?;
        let holds: Vec<Hold> = rows.iter().map(decode).collect::<Result<_, _>>().map_err(store_error)?;
        let standing = holds.iter().filter(|hold| hold.release.is_none());
        let standing = standing.map(|hold| (hold.held.clone(), (hold.actor.clone(), hold.reason.clone())));
        self.known.replace(standing.collect());
        Ok(holds)
    }

    /// Holds something, from now on. What is being released is held again.
    pub async fn hold(&self, hold: Hold, act: NewAudit) -> Result<Placed, StoreError> {
        let placed = self.store.database().transaction(move |tx| {
            let (hold, mut act) = (hold.clone(), act.clone());
            Box::pin(async move {
                let name = Value::from(hold.held.name());
                let before = locked(tx, &hold.held).await?;
                match &before {
                    Some(standing) if standing.release.is_none() => {
                        return Ok(Verdict::Rollback(Placed::Hold(Box::new(standing.clone()))));
                    }
                    Some(_) => {
                        let sql = "UPDATE hold SET reason = ?, actor = ?, created_at = ?, releasing = 0 WHERE name = ?";
                        let args =
                            vec![hold.reason.clone().into(), hold.actor.clone().into(), hold.created_at.0.into(), name];
                        tx.execute(sql, args).await?;
                    }
                    // Another orchestrator may hold the same at the same time: the first one stands.
                    None if insert(tx, &hold).await? == 0 => {
                        let standing = locked(tx, &hold.held).await?;
                        return Ok(Verdict::Rollback(Placed::Hold(Box::new(standing.unwrap_or(hold)))));
                    }
                    None => {}
                }
                let word = |hold: Option<&Hold>| if hold.is_some() { "releasing" } else { "free" }.to_owned();
                (act.before, act.after) = (word(before.as_ref()), "held".to_owned());
                let paused = before.map_or(0, |before| before.paused);
                Ok(match append(tx, act).await? {
                    Ok(()) => Verdict::Commit(Placed::Hold(Box::new(Hold { paused, ..hold }))),
                    Err(RequestTaken) => Verdict::Rollback(Placed::RequestTaken),
                })
            })
        });
        let placed = placed.await.map_err(store_error)?;
        self.holds().await?;
        Ok(placed)
    }

    /// Begins to release a hold: nothing is refused any more, and its sagas are resumed one after the other.
    pub async fn release(&self, held: Held, act: NewAudit) -> Result<Placed, StoreError> {
        let placed = self.store.database().transaction(move |tx| {
            let (held, mut act) = (held.clone(), act.clone());
            Box::pin(async move {
                let Some(mut hold) = locked(tx, &held).await? else { return Ok(Verdict::Rollback(Placed::Unknown)) };
                if hold.release.is_some() {
                    return Ok(Verdict::Rollback(Placed::Hold(Box::new(hold))));
                }
                let sql = "UPDATE hold SET releasing = 1, release_reason = ?, release_actor = ? WHERE name = ?";
                tx.execute(sql, vec![act.reason.clone().into(), act.actor.clone().into(), held.name().into()]).await?;
                hold.release = Some((act.actor.clone(), act.reason.clone()));
                (act.before, act.after) = ("held".to_owned(), "releasing".to_owned());
                Ok(match append(tx, act).await? {
                    Ok(()) => Verdict::Commit(Placed::Hold(Box::new(hold))),
                    Err(RequestTaken) => Verdict::Rollback(Placed::RequestTaken),
                })
            })
        });
        let placed = placed.await.map_err(store_error)?;
        self.holds().await?;
        Ok(placed)
    }

    /// Claims a hold for `lease`, or renews the claim; `None` if another worker has it, or it is gone.
    pub async fn claim_hold(&self, held: &Held, worker: Uuid, lease: Duration) -> Result<Option<Hold>, StoreError> {
        let (now, held) = (self.now(), held.clone());
        let claimed = self.store.database().transaction(move |tx| {
            let held = held.clone();
            Box::pin(async move {
                let sql = "UPDATE hold SET claimed_by = ?, claimed_until = ? \
                    WHERE name = ? AND (claimed_by = ? OR claimed_until < ?)";
                let own = Value::from(*worker.as_bytes());
                let args = vec![own.clone(), until(now, lease), held.name().into(), own, now.0.into()];
                let claimed = tx.execute(sql, args).await?;
                Ok(Verdict::Commit(if claimed == 0 { None } else { locked(tx, &held).await? }))
            })
        });
        claimed.await.map_err(store_error)
    }

    /// Ends a claim before its time, so that another worker need not wait for it to lapse.
    pub async fn leave_hold(&self, held: &Held, worker: Uuid) -> Result<(), StoreError> {
        let sql = "UPDATE hold SET claimed_until = 0 WHERE name = ? AND claimed_by = ?";
        self.update(sql, vec![held.name().into(), (*worker.as_bytes()).into()]).await?;
        Ok(())
    }

    /// Marks sagas that a hold is about to pause, with the versions they were seen at. False, and nothing is written, if
    /// another worker has the hold by now, or it is being released.
    pub async fn mark(&self, held: &Held, worker: Uuid, sagas: Vec<(SagaId, u64)>) -> Result<bool, StoreError> {
        let held = held.clone();
        let marked = self.store.database().transaction(move |tx| {
            let (held, sagas) = (held.clone(), sagas.clone());
            Box::pin(async move {
                let sql = format!(
                    "SELECT name FROM hold WHERE name = ? AND claimed_by = ? AND releasing = 0{}",
                    tx.for_update()
                );
                if tx.query(&sql, vec![held.name().into(), (*worker.as_bytes()).into()]).await?.is_empty() {
                    return Ok(Verdict::Rollback(false));
                }
                marks::write(tx, &held, sagas.into_iter().collect()).await?;
                Ok(Verdict::Commit(true))
            })
        });
        marked.await.map_err(store_error)
    }

    /// Takes marks away, of sagas that were not paused after all or have been resumed, unless they have got a later
    /// version: then a pause has come with it.
    pub async fn unmark(&self, held: &Held, sagas: Vec<(SagaId, u64)>) -> Result<(), StoreError> {
        let held = held.clone();
        let done = self.store.database().transaction(move |tx| {
            let (held, sagas) = (held.clone(), sagas.iter().copied().collect());
            Box::pin(async move {
                locked(tx, &held).await?;
                marks::erase(tx, &held, &sagas).await?;
                Ok(Verdict::Commit(()))
            })
        });
        done.await.map_err(store_error)
    }

    /// Marked sagas after one with the versions they were seen at, oldest first, at most `limit`.
    pub async fn marked(
        &self,
        held: &Held,
        after: Option<SagaId>,
        limit: u32,
    ) -> Result<Vec<(SagaId, u64)>, StoreError> {
        let sql = "SELECT saga_id, seen_version FROM hold_saga WHERE hold = ? AND saga_id > ? ORDER BY saga_id LIMIT ?";
        let after = after.map_or([0; 16], |saga| saga.0);
        let args = vec![held.name().into(), after.into(), limit.into()];
        let rows = self.store.database().query(sql, args).await.map_err(store_error)?;
        rows.iter().map(marks::decode).collect::<Result<_, _>>().map_err(store_error)
    }

    /// Takes away a hold that is being released and has no saga left.
    pub async fn forget_hold(&self, held: &Held) -> Result<(), StoreError> {
        let sql = "DELETE FROM hold WHERE name = ? AND releasing = 1 \
            AND NOT EXISTS (SELECT 1 FROM hold_saga WHERE hold_saga.hold = ?)";
        self.update(sql, vec![held.name().into(), held.name().into()]).await?;
        Ok(())
    }
}

async fn insert(tx: &mut Tx, hold: &Hold) -> Result<u64, SqlError> {
    let ignore = match tx.dialect() {
        Dialect::MariaDb => "INSERT IGNORE",
        Dialect::Sqlite => "INSERT OR IGNORE",
    };
    let sql = format!(
        "{ignore} INTO hold (name, reason, actor, created_at, releasing, release_reason, release_actor, claimed_by, \
         claimed_until) VALUES (?, ?, ?, ?, 0, '', '', ?, 0)"
    );
    let args = vec![
        hold.held.name().into(),
        hold.reason.as_str().into(),
        hold.actor.as_str().into(),
        hold.created_at.0.into(),
        [0_u8; 16].into(),
    ];
    tx.execute(&sql, args).await
}

async fn locked(tx: &mut Tx, held: &Held) -> Result<Option<Hold>, SqlError> {
    let sql = format!(
        "SELECT {COLUMNS}, (SELECT COUNT(*) FROM hold_saga WHERE hold_saga.hold = hold.name) FROM hold WHERE name = ?{}",
        tx.for_update()
    );
    tx.query(&sql, vec![held.name().into()]).await?.first().map(decode).transpose()
}

fn decode(row: &Row) -> Result<Hold, SqlError> {
    let name = row.text(0)?;
    let release = (row.int(4)? != 0).then(|| Ok::<_, SqlError>((row.text(6)?.to_owned(), row.text(5)?.to_owned())));
    Ok(Hold {
        held: Held::parse(name).ok_or_else(|| SqlError::Refused(format!("a hold is named {name}")))?,
        reason: row.text(1)?.to_owned(),
        actor: row.text(2)?.to_owned(),
        created_at: Micros(row.int(3)?),
        release: release.transpose()?,
        paused: u64::try_from(row.int(7)?).unwrap_or(0),
    })
}
