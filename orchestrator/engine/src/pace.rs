//! How long each participant has taken lately to answer, so that nobody asks again before an answer can have come: a participant that
//! falls behind must not be given more to do for it.

use crate::resending::{FIRST_LOOK, MAX_PAUSE};
use crate::sagas::Registry;
use crate::store::Record;
use saga_core::time::Micros;
use saga_core::transition::Command;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The first look comes after so many times as long as the slowest recent answer took.
pub const PATIENCE: u32 = 4;

/// A slow answer counts half as much after this.
const HALF_LIFE: Duration = Duration::from_secs(2);

/// What this process has seen of each participant. Lost with the process, which costs a few repetitions.
#[derive(Debug, Default)]
pub struct Pace(Mutex<BTreeMap<String, Slowest>>);

#[derive(Clone, Copy, Debug, Default)]
struct Slowest {
    took: Duration,
    at: Micros,
}

impl Slowest {
    fn at(self, now: Micros) -> Duration {
        let halvings = now.since(self.at).as_secs_f64() / HALF_LIFE.as_secs_f64();
        self.took.mul_f64(0.5_f64.powf(halvings))
    }
}

impl Pace {
    /// Sagas have moved: each that waited for an answer and got one in time tells how long that took.
    pub fn moved(&self, registry: &Registry, moved: &[(Option<Arc<Record>>, Arc<Record>)]) {
        let mut slowest: BTreeMap<&str, (Duration, Micros)> = BTreeMap::new();
        for (before, after) in moved {
            let Some(before) = before else { continue };
            let Some(name) = participant(registry, before) else { continue };
            let (took, at) = (after.saga.updated_at.since(before.saga.updated_at), after.saga.updated_at);
            if before.saga.wake_at().is_some_and(|until| after.saga.updated_at < until) {
                let known = slowest.entry(name).or_default();
                *known = (took.max(known.0), at.max(known.1));
            }
        }
        let mut all = self.lock();
        for (name, (took, at)) in slowest {
            // Few participants, so that a name is rarely new.
            match all.get_mut(name) {
                Some(known) if known.at(at) > took => {}
                Some(known) => *known = Slowest { took, at },
                None => drop(all.insert(name.to_owned(), Slowest { took, at })),
            }
        }
    }

    /// How long an answer of this participant is waited for before its command is sent again: half a second at the least, five
    /// seconds at the most.
    #[must_use]
    pub fn first_look(&self, participant: &str, now: Micros) -> Duration {
        let slowest = self.lock().get(participant).copied().unwrap_or_default();
        (slowest.at(now) * PATIENCE).clamp(FIRST_LOOK, MAX_PAUSE)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Slowest>> {
        // Values that are each whole: a panic elsewhere leaves nothing half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who is to answer the command that a saga waits for.
#[must_use]
pub fn participant<'a>(registry: &'a Registry, record: &Record) -> Option<&'a str> {
    let command = Command::awaited_by(&record.saga)?;
    let definition = registry.pinned(&record.saga.definition)?.definition();
    definition.steps().get(usize::from(command.id.step)).map(|step| step.participant.as_str())
}
