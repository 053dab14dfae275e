//! The pure middle of the engine: loaded sagas and inputs in, changes and verdicts out.

use crate::engine::input::{Input, Start, Verdict};
use crate::engine::outgoing::{Outgoing, pack};
use crate::sagas::{Registry, SagaType};
use crate::store::{Changes, Holder, Insert, Loaded, Record, StartKey, Update};
use saga_core::definition::Definition;
use saga_core::event::{Event, Outcome, Reply};
use saga_core::machine;
use saga_core::saga::{Saga, SagaId, State};
use saga_core::time::Micros;
use saga_core::transition::{Applied, Command, Transition};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// What a batch will write and what it will answer, if it is committed.
#[derive(Debug, Default)]
pub struct Plan {
    /// Handed to the store.
    pub changes: Changes,
    /// One per input, in order.
    pub verdicts: Vec<Verdict>,
    /// Sagas that were started or moved, each once, with what they were before (`None`: started here).
    pub moved: Vec<(Option<Arc<Record>>, Arc<Record>)>,
}

/// A saga while the batch is being planned.
struct Working {
    before: Option<Arc<Record>>,
    now: Arc<Record>,
    touched: bool,
}

/// What planning depends on beside the inputs and the loaded sagas.
pub struct Planning<'a> {
    /// The sagas this build knows.
    pub registry: &'a Registry,
    /// Sagas that are not loaded, because this process knows them; see [`crate::engine::known`].
    pub known: &'a BTreeMap<SagaId, Arc<Record>>,
    /// Start keys known to be held by sagas outside this batch.
    pub taken: &'a BTreeMap<StartKey, Holder>,
    /// Makes message ids.
    pub new_id: &'a dyn Fn() -> Uuid,
    /// The machine's table, or a broken one that a test puts in its place.
    pub apply: fn(&Definition, &Saga, &Event, Micros) -> Applied,
}

/// Plans a batch.
#[must_use]
pub fn plan(planning: &Planning<'_>, inputs: &[Input], loaded: &Loaded) -> Plan {
    let mut planner = Planner {
        registry: planning.registry,
        apply: planning.apply,
        now: loaded.now,
        working: BTreeMap::new(),
        taken: planning.taken.clone(),
        inserts: Vec::new(),
        changes: Changes::default(),
        commands: Vec::new(),
    };
    let loaded_now = loaded.records.iter().map(|(id, record)| (*id, Arc::new(record.clone())));
    for (id, record) in loaded_now.chain(planning.known.iter().map(|(id, record)| (*id, record.clone()))) {
        planner.working.insert(id, Working { before: Some(record.clone()), now: record, touched: false });
    }
    let answers: Vec<Answer> = inputs.iter().map(|input| planner.input(input, loaded)).collect();
    planner.finish(answers, planning)
}

/// A verdict that may refer to a saga whose final value in this batch is not known yet.
enum Answer {
    Ready(Verdict),
    Started(SagaId),
    Moved(SagaId),
}

struct Planner<'a> {
    registry: &'a Registry,
    apply: fn(&Definition, &Saga, &Event, Micros) -> Applied,
    now: Micros,
    working: BTreeMap<SagaId, Working>,
    taken: BTreeMap<StartKey, Holder>,
    inserts: Vec<(SagaId, Arc<Start>)>,
    changes: Changes,
    commands: Vec<Outgoing>,
}

impl Planner<'_> {
    fn input(&mut self, input: &Input, loaded: &Loaded) -> Answer {
        match input {
            Input::Start(start) => self.start(start),
            Input::Reply(saga, reply) => self.event(*saga, &Event::Reply(reply.clone()), None, loaded),
            Input::Wake(saga) => self.event(*saga, &Event::Wake, None, loaded),
            Input::Order(saga, order, version) => self.event(*saga, &Event::Order(order.clone()), *version, loaded),
        }
    }

    fn start(&mut self, start: &Arc<Start>) -> Answer {
        for (index, key) in start.keys.iter().enumerate() {
            if let Some(holder) = self.taken.get(key) {
                if holder.saga == start.id {
                    // Committed by an earlier try whose answer was lost.
                    continue;
                }
                let same = holder.fingerprint == start.fingerprint;
                return Answer::Ready(Verdict::Taken { key: index, holder: holder.saga, same });
            }
        }
        if self.working.contains_key(&start.id) {
            return Answer::Started(start.id);
        }
        let Some(saga_type) = self.registry.pinned(&start.definition).cloned() else {
            return Answer::Ready(Verdict::UnknownDefinition(start.definition.to_string()));
        };
        let transition = machine::start(saga_type.definition(), start.id, start.input.clone(), self.now);
        let record = Record {
            saga: transition.saga.clone(),
            business_key: start.business_key.clone(),
            traceparent: start.traceparent.clone(),
        };
        for key in &start.keys {
            self.taken.insert(*key, Holder { key: *key, saga: start.id, fingerprint: start.fingerprint });
        }
        self.working.insert(start.id, Working { before: None, now: Arc::new(record), touched: true });
        self.inserts.push((start.id, start.clone()));
        self.record(start.id, &saga_type, transition);
        Answer::Started(start.id)
    }

    fn event(&mut self, id: SagaId, event: &Event, version: Option<u64>, loaded: &Loaded) -> Answer {
        let Some(working) = self.working.get(&id) else {
            let broken = loaded.broken.iter().find(|(broken, _)| *broken == id);
            return Answer::Ready(match broken {
                Some((_, why)) => Verdict::Unreadable(why.clone()),
                None => Verdict::UnknownSaga,
            });
        };
        let saga = &working.now.saga;
        if version.is_some_and(|version| version != saga.version) {
            return Answer::Ready(Verdict::OtherVersion { current: saga.version });
        }
        let Some(saga_type) = self.registry.pinned(&saga.definition).cloned() else {
            return Answer::Ready(Verdict::UnknownDefinition(saga.definition.to_string()));
        };
        // What was written by another build, or by hand, may not fit the definition. It must not take the batch with it.
        if let Err(broken) = machine::check(saga_type.definition(), saga) {
            return Answer::Ready(Verdict::Unreadable(broken.to_string()));
        }
        match (self.apply)(saga_type.definition(), saga, event, self.now) {
            Applied::Moved(transition) => {
                self.record(id, &saga_type, transition);
                Answer::Moved(id)
            }
            Applied::Ignored(why) => Answer::Ready(Verdict::Ignored(why)),
            Applied::Refused(why) => Answer::Ready(Verdict::Refused(why)),
        }
    }

    /// Takes a transition over: value, journal entry, commands. A command whose payload cannot be built was never sent,
    /// so the step counts as rejected and the saga unwinds or parks by the same table as ever; each round moves the saga
    /// down at least one half-step, so this ends.
    fn record(&mut self, id: SagaId, saga_type: &Arc<dyn SagaType>, transition: Transition) {
        let mut next = Some(transition);
        while let Some(Transition { saga, entry, commands }) = next.take() {
            self.changes.journal.push(entry);
            for command in commands {
                match saga_type.payload(&saga, command.id.step, command.id.direction) {
                    Ok(payload) => self.send(id, saga_type, &saga, command, payload),
                    Err(error) => {
                        tracing::error!(saga_id = %id, %error, "payload refused");
                        let event = unsendable(command, error.why);
                        if let Applied::Moved(moved) = machine::apply(saga_type.definition(), &saga, &event, self.now) {
                            next = Some(moved);
                        }
                    }
                }
            }
            if let Some(working) = self.working.get_mut(&id) {
                working.now = Arc::new(Record {
                    saga,
                    business_key: working.now.business_key.clone(),
                    traceparent: working.now.traceparent.clone(),
                });
                working.touched = true;
            }
        }
    }

    fn send(
        &mut self,
        id: SagaId,
        saga_type: &Arc<dyn SagaType>,
        saga: &Saga,
        command: Command,
        payload: bytes::Bytes,
    ) {
        let step = &saga_type.definition().steps()[usize::from(command.id.step)];
        let name = match command.id.direction {
            saga_core::saga::Direction::Action => step.action.clone(),
            saga_core::saga::Direction::Undo => step.undo.clone(),
        };
        self.commands.push(Outgoing {
            participant: step.participant.clone(),
            name: name.unwrap_or_default(),
            command,
            payload,
            traceparent: self.working.get(&id).map(|w| w.now.traceparent.clone()).unwrap_or_default(),
            definition: saga.definition.clone(),
            effect_before_saga: step.action.is_none(),
        });
    }

    fn finish(mut self, answers: Vec<Answer>, planning: &Planning<'_>) -> Plan {
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
                    loaded_version: before.saga.version,
                    data_changed: data_differs(&before.saga, &after.saga),
                });
            }
            moved.push((working.before, after));
        }
        for (id, start) in self.inserts {
            if let Some(record) = now_at.get(&id) {
                let record = Record::clone(record);
                self.changes.inserts.push(Insert { record, keys: start.keys.clone(), fingerprint: start.fingerprint });
            }
        }
        self.changes.outbox = pack(self.commands, self.now, planning.new_id);
        let verdicts = answers
            .into_iter()
            .map(|answer| match answer {
                Answer::Ready(verdict) => verdict,
                Answer::Started(id) => now_at.get(&id).cloned().map_or(Verdict::UnknownSaga, Verdict::Started),
                Answer::Moved(id) => now_at.get(&id).cloned().map_or(Verdict::UnknownSaga, Verdict::Moved),
            })
            .collect();
        Plan { changes: self.changes, verdicts, moved }
    }
}

/// A command that could not be built did not happen.
fn unsendable(command: Command, message: String) -> Event {
    Event::Reply(Reply {
        step: command.id.step,
        direction: command.id.direction,
        attempt: command.attempt,
        outcome: Outcome::Rejected { reason: "PAYLOAD_REFUSED".to_owned(), message },
    })
}

/// Whether the data column must be written: outputs and causes change rarely, everything else has a column.
fn data_differs(before: &Saga, after: &Saga) -> bool {
    before.outputs.len() != after.outputs.len() || causes(&before.state) != causes(&after.state)
}

fn causes(state: &State) -> (Option<&saga_core::saga::Cause>, Option<&saga_core::saga::Cause>) {
    use saga_core::saga::Resume;
    match state {
        State::Running { .. } | State::Completed | State::Paused { resume: Resume::Run { .. } } => (None, None),
        State::Compensating { cause, .. }
        | State::Compensated { cause }
        | State::Paused { resume: Resume::Unwind { cause, .. } } => (Some(cause), None),
        State::Stuck { why, unwinding, .. } => (unwinding.as_ref(), Some(why)),
    }
}
