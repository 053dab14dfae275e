//! Sagas as this process left them: what it need not read again, because the row's version says whether they are still so.
//!
//! Nothing rests on it. A value from here is only ever the start of a move, and the move is written only if the row still
//! has that version; whatever does not move a value from here is decided again on the row itself.

use crate::input::Input;
use crate::plan::Apply;
use crate::sagas::Registry;
use crate::store::Record;
use saga_core::event::Event;
use saga_core::saga::{SagaId, State};
use saga_core::time::Micros;
use saga_core::transition::Applied;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Sagas kept at most. Those under way are as many as callers wait; beyond this the oldest are read again.
const MAX_SAGAS: usize = 16_384;

/// Sagas under way, each as this process committed it last. Cheap to clone, shared by the clones.
#[derive(Clone, Debug, Default)]
pub struct SagaCache(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    sagas: BTreeMap<SagaId, Arc<Record>>,
    /// In the order they came; ids that have left since are skipped.
    order: VecDeque<SagaId>,
}

impl SagaCache {
    /// The sagas among the inputs' that need not be read: each has one input in this batch, a reply, and it moves the value
    /// kept here.
    pub(crate) fn that_move(
        &self,
        registry: &Registry,
        apply: Apply,
        inputs: &[Input],
        now: Micros,
    ) -> BTreeMap<SagaId, Arc<Record>> {
        let mut replies = BTreeMap::new();
        let mut others = BTreeSet::new();
        for input in inputs {
            match input {
                Input::Reply(id, reply) => {
                    if replies.insert(*id, reply).is_some() {
                        others.insert(*id);
                    }
                }
                Input::Start(_) => {}
                Input::Wake(id) => {
                    others.insert(*id);
                }
                Input::Action(act) => {
                    others.insert(act.saga);
                }
            }
        }
        let kept = self.kept();
        let candidates = replies.into_iter().filter(|(id, _)| !others.contains(id));
        let candidates: Vec<_> =
            candidates.filter_map(|(id, reply)| Some((id, reply, kept.sagas.get(&id)?.clone()))).collect();
        drop(kept);
        let moved = candidates.into_iter().filter(|(_, reply, record)| {
            let Some(saga_type) = registry.pinned(&record.saga.definition) else { return false };
            let event = Event::Reply((*reply).clone());
            // This runs in the engine's own task. What panics is taken for unknown: it is read, and panics again in its
            // transaction, which costs this one input.
            let applied = catch_unwind(AssertUnwindSafe(|| apply(saga_type.definition(), &record.saga, &event, now)));
            matches!(applied, Ok(Applied::Moved(_)))
        });
        moved.map(|(id, _, record)| (id, record)).collect()
    }

    /// Keeps what was committed; a saga at rest is not needed any more.
    pub(crate) fn keep(&self, moved: &[(Option<Arc<Record>>, Arc<Record>)]) {
        let mut kept = self.kept();
        for (_, after) in moved {
            let id = after.saga.id;
            if matches!(after.saga.state, State::Running { .. } | State::Compensating { .. }) {
                if kept.sagas.insert(id, after.clone()).is_none() {
                    kept.order.push_back(id);
                }
            } else {
                kept.sagas.remove(&id);
            }
        }
        while kept.order.len() > MAX_SAGAS {
            if let Some(oldest) = kept.order.pop_front() {
                kept.sagas.remove(&oldest);
            }
        }
    }

    /// Forgets sagas whose rows may have moved on.
    pub(crate) fn forget<'a>(&self, ids: impl Iterator<Item = &'a SagaId>) {
        let mut kept = self.kept();
        for id in ids {
            kept.sagas.remove(id);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A map and a list of ids that may be in it: a panic elsewhere leaves nothing half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
