//! The pure middle of the engine: loaded sagas and inputs in, changes and verdicts out.

mod beside;
mod finish;
mod holds;

use crate::audit_entry::audited;
use crate::hold_policy::{Barrier, Held, Mark, Standing};
use crate::input::{Act, ActionOutcome, EventOutcome, Input, InputOutcome, NotSettled, Start, StartOutcome, Verdict};
use crate::pace::Pace;
use crate::packer::Outgoing;
use crate::sagas::{Registry, SagaType};
use crate::store::{Changes, Holder, Loaded, Record, StartKey};
use baton_courier::bus::Message;
use saga_core::definition::Definition;
use saga_core::event::{Event, Outcome, Reply};
use saga_core::machine;
use saga_core::saga::{Direction, Saga, SagaId};
use saga_core::time::Micros;
use saga_core::transition::{Applied, Command, Ignored, Refused, Transition};
use std::collections::{BTreeMap, BTreeSet};
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
    /// What to send after the commit.
    pub messages: Vec<Message>,
}

/// A saga while the batch is being planned.
struct Working {
    before: Option<Arc<Record>>,
    now: Arc<Record>,
    touched: bool,
}

/// What a saga's machine does with an event: [`machine::apply`].
pub type Apply = fn(&Definition, &Saga, &Event, Micros) -> Applied;

/// What planning depends on beside the inputs and the loaded sagas.
pub struct Planning<'a> {
    /// The sagas this build knows.
    pub registry: &'a Registry,
    /// Sagas that are not loaded, because this process knows them; see [`crate::saga_cache`].
    pub known: &'a BTreeMap<SagaId, Arc<Record>>,
    /// What operators hold.
    pub holds: &'a Standing,
    /// Holds of which the store has said that they do not stand any more.
    pub lifted: &'a BTreeSet<Held>,
    /// Start keys known to be held by sagas outside this batch.
    pub taken: &'a BTreeMap<StartKey, Holder>,
    /// How long participants take to answer.
    pub pace: &'a Pace,
    /// Makes message ids.
    pub new_id: &'a dyn Fn() -> Uuid,
    /// The machine's table, or a broken one that a test puts in its place.
    pub apply: Apply,
}

/// Plans a batch.
#[must_use]
pub fn plan(planning: &Planning<'_>, inputs: &[Input], loaded: &Loaded) -> Plan {
    let mut planner = Planner {
        registry: planning.registry,
        holds: planning.holds,
        lifted: planning.lifted,
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
    /// The saga's final value makes the outcome.
    Of(SagaId, fn(Arc<Record>) -> InputOutcome),
}

/// What an event came to, before it is known what kind of input it was.
enum Came {
    Moved,
    Ignored(Ignored),
    Refused(Refused),
    Held(Barrier),
    OtherVersion(u64),
    UnknownSaga,
    NotSettled(NotSettled),
}

struct Planner<'a> {
    registry: &'a Registry,
    holds: &'a Standing,
    lifted: &'a BTreeSet<Held>,
    apply: Apply,
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
            Input::Reply(saga, reply) => self.happened(*saga, &Event::Reply(reply.clone()), loaded),
            Input::Wake(saga) => self.happened(*saga, &Event::Wake, loaded),
            Input::Action(act) => self.action(act, loaded),
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
                let taken = StartOutcome::Taken { key: index, holder: holder.saga, same };
                return Answer::Ready(Ok(InputOutcome::Start(taken)));
            }
        }
        if self.working.contains_key(&start.id) {
            return Answer::Of(start.id, started);
        }
        let Some(saga_type) = self.registry.pinned(&start.definition).cloned() else {
            return Answer::Ready(Err(NotSettled::UnknownDefinition(start.definition.to_string())));
        };
        let transition = machine::start(saga_type.definition(), start.id, start.input.clone(), self.now);
        let record = Record {
            saga: transition.saga.clone(),
            business_key: start.business_key.clone(),
            traceparent: start.traceparent.clone(),
            last_failure: None,
            skipped: Vec::new(),
        };
        for key in &start.keys {
            self.taken.insert(*key, Holder { key: *key, saga: start.id, fingerprint: start.fingerprint });
        }
        self.working.insert(start.id, Working { before: None, now: Arc::new(record), touched: true });
        self.inserts.push((start.id, start.clone()));
        self.record(start.id, &saga_type, transition);
        Answer::Of(start.id, started)
    }

    /// An action that moves its saga is written down with the move. One whose request id another act of this batch has just
    /// taken is not judged: the store would refuse both.
    fn action(&mut self, act: &Act, loaded: &Loaded) -> Answer {
        let audits = &self.changes.audits;
        if act.request.is_some() && audits.iter().any(|audit| audit.request == act.request) {
            return Answer::Ready(Ok(InputOutcome::Action(ActionOutcome::RequestTaken)));
        }
        if act.hold.as_ref().is_some_and(|held| self.lifted.contains(held)) {
            return Answer::Ready(Err(NotSettled::Contended("the hold does not stand any more".to_owned())));
        }
        let before = self.working.get(&act.saga).map(|working| working.now.clone());
        let (entries, acts) = (self.changes.journal.len(), audits.len());
        let came = self.event(act.saga, &Event::Action(act.action.clone()), Some(act), loaded);
        let after = self.working.get(&act.saga).map(|working| working.now.clone());
        let entry = self.changes.journal.get(entries);
        if let (Came::Moved, Some(before), Some(after), Some(entry)) = (&came, before, after, entry) {
            let definition = self.registry.pinned(&after.saga.definition).map(|saga_type| saga_type.definition());
            let audit = audited(act, definition, &before.saga.state, &after.saga.state, entry);
            // Before the act of a hold that it may have led to.
            self.changes.audits.insert(acts, audit);
            let mark = |held: &Held| Mark { held: held.clone(), saga: act.saga, seen: before.saga.version };
            self.changes.marks.extend(act.hold.as_ref().map(mark));
        }
        let outcome = match came {
            Came::Moved => return Answer::Of(act.saga, |record| InputOutcome::Action(ActionOutcome::Moved(record))),
            Came::Refused(rule) => ActionOutcome::Refused(rule),
            Came::Held(barrier) => ActionOutcome::Held(barrier),
            Came::OtherVersion(current) => ActionOutcome::OtherVersion { current },
            Came::UnknownSaga => ActionOutcome::UnknownSaga,
            Came::NotSettled(why) => return Answer::Ready(Err(why)),
            // One of the machine's laws: actions are never ignored.
            Came::Ignored(why) => {
                return Answer::Ready(Err(NotSettled::Poisoned(format!("an action was ignored: {why:?}"))));
            }
        };
        Answer::Ready(Ok(InputOutcome::Action(outcome)))
    }

    /// A reply, or a deadline.
    fn happened(&mut self, id: SagaId, event: &Event, loaded: &Loaded) -> Answer {
        let outcome = match self.event(id, event, None, loaded) {
            Came::Moved => return Answer::Of(id, |record| InputOutcome::Event(EventOutcome::Moved(record))),
            Came::Ignored(why) => EventOutcome::Ignored(why),
            Came::UnknownSaga => EventOutcome::UnknownSaga,
            Came::NotSettled(why) => return Answer::Ready(Err(why)),
            // Another of its laws: only actions are refused, held back, or for a version.
            Came::Refused(_) | Came::Held(_) | Came::OtherVersion(_) => {
                return Answer::Ready(Err(NotSettled::Poisoned("a reply or a deadline was refused".to_owned())));
            }
        };
        Answer::Ready(Ok(InputOutcome::Event(outcome)))
    }

    fn event(&mut self, id: SagaId, event: &Event, act: Option<&Act>, loaded: &Loaded) -> Came {
        let Some(working) = self.working.get(&id) else {
            let broken = loaded.broken.iter().find(|(broken, _)| *broken == id);
            return match broken {
                Some((_, why)) => Came::NotSettled(NotSettled::Unreadable(why.clone())),
                None => Came::UnknownSaga,
            };
        };
        let saga = &working.now.saga;
        if act.and_then(|act| act.version).is_some_and(|version| version != saga.version) {
            return Came::OtherVersion(saga.version);
        }
        let Some(saga_type) = self.registry.pinned(&saga.definition).cloned() else {
            return Came::NotSettled(NotSettled::UnknownDefinition(saga.definition.to_string()));
        };
        // What was written by another build, or by hand, may not fit the definition. It must not take the batch with it.
        if let Err(broken) = machine::check(saga_type.definition(), saga) {
            return Came::NotSettled(NotSettled::Unreadable(broken.to_string()));
        }
        match (self.apply)(saga_type.definition(), saga, event, self.now) {
            Applied::Moved(transition) => {
                let saga = saga.clone();
                self.moved(&saga, &saga_type, (event, act), transition)
            }
            Applied::Ignored(why) => Came::Ignored(why),
            Applied::Refused(why) => Came::Refused(why),
        }
    }

    /// Takes a transition over: value, journal entry, commands. Where a hold keeps its commands back the saga is paused by
    /// the same commit, and the commands count as lost, which any may be. A command whose payload cannot be built is answered
    /// by [`unsendable`], and the saga backs off, unwinds or parks by the same table as ever; each round leaves it without a
    /// command or moves it down at least one half-step, so this ends.
    fn record(&mut self, id: SagaId, saga_type: &Arc<dyn SagaType>, transition: Transition) {
        let mut next = Some(transition);
        while let Some(Transition { saga, entry, commands }) = next.take() {
            let last_failure = self.last_failure(&entry.record, &saga);
            let skipped = self.skipped(saga_type.definition(), &entry.record, id);
            self.changes.journal.push(entry);
            let barrier = self.barrier(saga_type.definition(), &commands);
            next = barrier.and_then(|barrier| self.paused_by(saga_type.definition(), &saga, barrier));
            let commands = if next.is_some() { Vec::new() } else { commands };
            for command in commands {
                let traceparent = self.working.get(&id).map(|working| working.now.traceparent.as_str());
                match Outgoing::of(&**saga_type, &saga, traceparent.unwrap_or_default(), command) {
                    Ok(outgoing) => self.commands.push(outgoing),
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
                    last_failure,
                    skipped,
                });
                working.touched = true;
            }
        }
    }
}

fn started(record: Arc<Record>) -> InputOutcome {
    InputOutcome::Start(StartOutcome::Started(record))
}

/// What a command that cannot be built comes to. It was never sent, but attempts before it may have been, and done: so only the
/// first attempt at an action counts as rejected, and a later one as lost, which unwinds from the step itself in the end. An
/// undo that is rejected parks its saga, whatever came before.
fn unsendable(command: Command, message: String) -> Event {
    let reason = "PAYLOAD_REFUSED".to_owned();
    let outcome = match (command.id.direction, command.attempt) {
        (Direction::Action, 2..) => Outcome::Unavailable { reason, message },
        (Direction::Action, _) | (Direction::Undo, _) => Outcome::Rejected { reason, message },
    };
    Event::Reply(Reply { step: command.id.step, direction: command.id.direction, attempt: command.attempt, outcome })
}
