//! Holds in SQL.

use super::{append, until, update};
use crate::audit::{NewAudit, RequestTaken};
use crate::claims::LONGEST_CLAIM;
use crate::holds::{Hold, HoldStore, Placed};
use async_trait::async_trait;
use baton_engine::hold_policy::Held;
use baton_engine::store::{SagaStore as _, StoreError};
use baton_sql::database::{Dialect, Tx, Verdict};
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use baton_store::sql::{SqlStore, marks, store_error};
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::time::Duration;
use uuid::Uuid;

const COLUMNS: &str = "name, reason, actor, created_at, releasing, release_reason, release_actor";

#[async_trait]
impl HoldStore for SqlStore {
    async fn holds(&self) -> Result<Vec<Hold>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}, (SELECT COUNT(*) FROM hold_saga WHERE hold_saga.hold = hold.name) FROM hold ORDER BY name"
        );
        let rows = self.database().query(&sql, Vec::new()).await.map_err(store_error)?;
        rows.iter().map(decode).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn hold(&self, hold: Hold, act: NewAudit) -> Result<Placed, StoreError> {
        let placed = self.database().transaction(move |tx| {
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
        placed.await.map_err(store_error)
    }

    async fn release(&self, held: Held, act: NewAudit) -> Result<Placed, StoreError> {
        let placed = self.database().transaction(move |tx| {
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
        placed.await.map_err(store_error)
    }

    async fn claim_hold(&self, held: &Held, worker: Uuid, lease: Duration) -> Result<Option<Hold>, StoreError> {
        let (now, held) = (self.now(), held.clone());
        let claimed = self.database().transaction(move |tx| {
            let held = held.clone();
            Box::pin(async move {
                let sql = "UPDATE hold SET claimed_by = ?, claimed_until = ? \
                    WHERE name = ? AND (claimed_by = ? OR claimed_until NOT BETWEEN ? AND ?)";
                let own = Value::from(*worker.as_bytes());
                let (claim, ahead) = (until(now, lease), until(now, LONGEST_CLAIM));
                let args = vec![own.clone(), claim, held.name().into(), own, now.0.into(), ahead];
                let claimed = tx.execute(sql, args).await?;
                Ok(Verdict::Commit(if claimed == 0 { None } else { locked(tx, &held).await? }))
            })
        });
        claimed.await.map_err(store_error)
    }

    async fn leave_hold(&self, held: &Held, worker: Uuid) -> Result<(), StoreError> {
        let sql = "UPDATE hold SET claimed_until = 0 WHERE name = ? AND claimed_by = ?";
        update(self, sql, vec![held.name().into(), (*worker.as_bytes()).into()]).await?;
        Ok(())
    }

    async fn unmark(&self, held: &Held, sagas: Vec<(SagaId, u64)>) -> Result<(), StoreError> {
        let held = held.clone();
        let done = self.database().transaction(move |tx| {
            let (held, sagas) = (held.clone(), sagas.iter().copied().collect());
            Box::pin(async move {
                locked(tx, &held).await?;
                marks::erase(tx, &held, &sagas).await?;
                Ok(Verdict::Commit(()))
            })
        });
        done.await.map_err(store_error)
    }

    async fn marked(&self, held: &Held, after: Option<SagaId>, limit: u32) -> Result<Vec<(SagaId, u64)>, StoreError> {
        let sql = "SELECT saga_id, seen_version FROM hold_saga WHERE hold = ? AND saga_id > ? ORDER BY saga_id LIMIT ?";
        let after = after.map_or([0; 16], |saga| saga.0);
        let args = vec![held.name().into(), after.into(), limit.into()];
        let rows = self.database().query(sql, args).await.map_err(store_error)?;
        rows.iter().map(marks::decode).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn forget_hold(&self, held: &Held) -> Result<(), StoreError> {
        let sql = "DELETE FROM hold WHERE name = ? AND releasing = 1 \
            AND NOT EXISTS (SELECT 1 FROM hold_saga WHERE hold_saga.hold = ?)";
        update(self, sql, vec![held.name().into(), held.name().into()]).await?;
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
