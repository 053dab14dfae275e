//! The end of planning: what is written of each saga, once, and what each input is answered.

use super::{Answer, Plan, Planner, Planning};
use crate::input::NotSettled;
use crate::pace::participant;
use crate::packer::pack;
use crate::resending::{FIRST_LOOK, look_at};
use crate::store::causes;
use crate::store::{Insert, Record, Update};
use std::collections::BTreeMap;

impl Planner<'_> {
    pub(super) fn finish(mut self, answers: Vec<Answer>, planning: &Planning<'_>) -> Plan {
        let (registry, now) = (self.registry, self.now);
        let look = |after: &Record| {
            let first_look = participant(registry, after).map(|name| planning.pace.first_look(name, now));
            look_at(&after.saga, now, first_look.unwrap_or(FIRST_LOOK))
        };
        let mut moved = Vec::new();
        let mut now_at = BTreeMap::new();
        for (id, working) in self.working {
            let after = working.now;
            now_at.insert(id, after.clone());
            if !working.touched {
                continue;
            }
            if let Some(before) = &working.before {
                self.changes.updates.push(Update {
                    saga: after.saga.clone(),
                    last_failure: after.last_failure.clone(),
                    skipped: after.skipped.clone(),
                    loaded_version: before.saga.version,
                    look_at: look(&after),
                    data_changed: data_differs(before, &after),
                });
            }
            moved.push((working.before, after));
        }
        for (id, start) in self.inserts {
            if let Some(record) = now_at.get(&id) {
                let record = Record::clone(record);
                let look_at = look(&record);
                let (keys, attributes) = (start.keys.clone(), start.attributes.clone());
                self.changes.inserts.push(Insert { record, keys, fingerprint: start.fingerprint, look_at, attributes });
            }
        }
        let messages = pack(self.commands, planning.new_id);
        let verdicts = answers
            .into_iter()
            .map(|answer| match answer {
                Answer::Ready(verdict) => verdict,
                Answer::Of(id, outcome) => match now_at.get(&id) {
                    Some(record) => Ok(outcome(record.clone())),
                    None => Err(NotSettled::Poisoned("a saga that moved is not written".to_owned())),
                },
            })
            .collect();
        Plan { changes: self.changes, verdicts, moved, messages }
    }
}

/// Whether the data column must be written: outputs, causes and failures change rarely, everything else has a column.
fn data_differs(before: &Record, after: &Record) -> bool {
    before.saga.outputs.len() != after.saga.outputs.len()
        || causes(&before.saga.state) != causes(&after.saga.state)
        || before.last_failure != after.last_failure
        || before.skipped != after.skipped
}
