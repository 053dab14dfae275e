//! Holds in memory.

use super::defect::Defect;
use super::{MemoryOperations, OperationTables, Tables};
use crate::OpsStore as _;
use crate::audit::NewAudit;
use crate::claims::is_claim;
use crate::holds::{Hold, HoldStore, Placed};
use async_trait::async_trait;
use baton_engine::hold_policy::Held;
use baton_engine::store::StoreError;
use saga_core::saga::SagaId;
use saga_core::time::Micros;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;
use uuid::Uuid;

/// Holds by name.
pub(super) type HoldRows = BTreeMap<String, HoldRow>;

#[derive(Debug)]
pub(super) struct HoldRow {
    /// Without the number of its sagas, which is counted.
    hold: Hold,
    claimed_by: Uuid,
    claimed_until: Micros,
}

fn marks(sagas: &Tables, held: &Held, after: Option<SagaId>) -> Vec<(SagaId, u64)> {
    let from = Bound::Excluded((held.clone(), after.unwrap_or(SagaId([0; 16]))));
    let to = Bound::Included((held.clone(), SagaId([u8::MAX; 16])));
    sagas.marks.range((from, to)).map(|((_, saga), seen)| (*saga, *seen)).collect()
}

fn counted(row: &HoldRow, sagas: &Tables) -> Hold {
    Hold { paused: marks(sagas, &row.hold.held, None).len() as u64, ..row.hold.clone() }
}

fn place(own: &mut OperationTables, sagas: &mut Tables, hold: Hold, mut act: NewAudit) -> Placed {
    let name = hold.held.name();
    let before = own.holds.get(&name);
    if let Some(standing) = before.filter(|row| row.hold.release.is_none()) {
        return Placed::Hold(Box::new(counted(standing, sagas)));
    }
    if sagas.untaken(std::slice::from_ref(&act)).is_err() {
        return Placed::RequestTaken;
    }
    act.before = if before.is_some() { "releasing" } else { "free" }.to_owned();
    "held".clone_into(&mut act.after);
    let (claimed_by, claimed_until) =
        before.map_or((Uuid::nil(), Micros(0)), |row| (row.claimed_by, row.claimed_until));
    let row = HoldRow { hold: Hold { release: None, ..hold }, claimed_by, claimed_until };
    sagas.standing.insert(row.hold.held.clone());
    sagas.append(&[act]);
    let placed = counted(&row, sagas);
    own.holds.insert(name, row);
    Placed::Hold(Box::new(placed))
}

fn release(own: &mut OperationTables, sagas: &mut Tables, held: &Held, mut act: NewAudit) -> Placed {
    let Some(row) = own.holds.get_mut(&held.name()) else { return Placed::Unknown };
    if row.hold.release.is_some() {
        return Placed::Hold(Box::new(counted(row, sagas)));
    }
    if sagas.untaken(std::slice::from_ref(&act)).is_err() {
        return Placed::RequestTaken;
    }
    row.hold.release = Some((act.actor.clone(), act.reason.clone()));
    (act.before, act.after) = ("held".to_owned(), "releasing".to_owned());
    sagas.standing.remove(held);
    sagas.append(&[act]);
    Placed::Hold(Box::new(counted(row, sagas)))
}

#[async_trait]
impl HoldStore for MemoryOperations {
    async fn holds(&self) -> Result<Vec<Hold>, StoreError> {
        let is_read = |_: &&HoldRow| !self.has(Defect::HoldsUnread);
        self.read(|own, sagas| own.holds.values().filter(is_read).map(|row| counted(row, sagas)).collect()).await
    }

    async fn hold(&self, hold: Hold, act: NewAudit) -> Result<Placed, StoreError> {
        self.write(|own, sagas| place(own, sagas, hold, act)).await
    }

    async fn release(&self, held: Held, act: NewAudit) -> Result<Placed, StoreError> {
        self.write(|own, sagas| {
            let released = release(own, sagas, &held, act);
            if self.has(Defect::MarksForgotten) {
                sagas.marks.retain(|(of, _), _| *of != held);
            }
            if self.has(Defect::AuditRewritten)
                && let [.., before, _] = &mut sagas.audit[..]
            {
                "rewritten".clone_into(&mut before.audit.reason);
            }
            released
        })
        .await
    }

    async fn claim_hold(&self, held: &Held, worker: Uuid, lease: Duration) -> Result<Option<Hold>, StoreError> {
        let now = self.now();
        self.write(|own, sagas| {
            let row = own.holds.get_mut(&held.name())?;
            if row.claimed_by != worker && is_claim(row.claimed_until, now) {
                return None;
            }
            (row.claimed_by, row.claimed_until) = (worker, now.plus(lease));
            Some(counted(row, sagas))
        })
        .await
    }

    async fn leave_hold(&self, held: &Held, worker: Uuid) -> Result<(), StoreError> {
        self.write(|own, _| {
            let row = own.holds.get_mut(&held.name()).filter(|row| row.claimed_by == worker);
            row.into_iter().for_each(|row| row.claimed_until = Micros(0));
        })
        .await
    }

    async fn unmark(&self, held: &Held, unmarked: Vec<(SagaId, u64)>) -> Result<(), StoreError> {
        self.write(|_, sagas| {
            for (saga, seen) in unmarked {
                let key = (held.clone(), saga);
                if sagas.marks.get(&key) == Some(&seen) {
                    sagas.marks.remove(&key);
                }
            }
        })
        .await
    }

    async fn marked(&self, held: &Held, after: Option<SagaId>, limit: u32) -> Result<Vec<(SagaId, u64)>, StoreError> {
        self.read(|_, sagas| {
            let mut page = marks(sagas, held, after);
            page.truncate(limit as usize);
            page
        })
        .await
    }

    async fn forget_hold(&self, held: &Held) -> Result<(), StoreError> {
        self.write(|own, sagas| {
            let is_over = own.holds.get(&held.name()).is_some_and(|row| row.hold.release.is_some());
            if is_over && marks(sagas, held, None).is_empty() {
                own.holds.remove(&held.name());
            }
        })
        .await
    }
}
