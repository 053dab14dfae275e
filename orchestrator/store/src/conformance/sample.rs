//! Sagas and entries made by hand: values only, no machine needed.

use baton_engine::sagas::{Accepted, PayloadError, Registry, SagaType, attributes};
use baton_engine::store::audit::NewAudit;
use baton_engine::store::{Changes, Decide, Fingerprint, Insert, Loaded, Record, StartKey, Update};
use baton_query::filter::Attribute;
use baton_rpc::errors::Violations;
use bytes::Bytes;
use saga_core::definition::{Definition, StepOptions};
use saga_core::event::{Entry, Event, JournalRecord, OperatorAction, Outcome, Reply, Verb};
use saga_core::saga::{Cause, DefinitionId, Direction, Resume, Saga, SagaId, State, StepIndex, Wait};
use saga_core::time::Micros;
use uuid::Uuid;

/// 14 November 2023: before any clock the suite runs on.
pub const START: Micros = Micros(1_700_000_000_000_000);

/// An id: `space` keeps the laws of a suite apart, `number` sorts within it.
#[must_use]
pub fn id(space: u8, number: u32) -> SagaId {
    let mut bytes = [0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x00, 0x70, space, 0x80, 0, 0, 0, 0, 0, 0, 0];
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    SagaId(bytes)
}

/// A request id.
#[must_use]
pub fn request_id(space: u8, number: u32) -> Uuid {
    Uuid::from_bytes(id(space, number).0)
}

/// The definition every sample is pinned to.
#[must_use]
pub fn definition() -> DefinitionId {
    DefinitionId { name: "sample".to_owned(), version: 3 }
}

/// Waits for the reply to attempt 1 of `step` until `until`.
#[must_use]
pub fn running(step: u8, until: Micros) -> State {
    State::Running { step, wait: Wait::Reply { attempt: 1, last: 5, until } }
}

/// A cause.
#[must_use]
pub fn cause(step: u8, reason: &str) -> Cause {
    Cause { step, reason: reason.to_owned(), message: format!("{reason}, for people: naïve 🚀") }
}

/// A saga of version 1.
#[must_use]
pub fn record(id: SagaId, state: State) -> Record {
    Record {
        saga: Saga {
            id,
            definition: definition(),
            version: 1,
            state,
            created_at: START,
            updated_at: START,
            deadline: None,
            input: Bytes::from_static(b"\x00input\xff"),
            outputs: Vec::new(),
        },
        business_key: format!("order-{id}"),
        traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
        last_failure: None,
        skipped: Vec::new(),
    }
}

/// One of each state, and of each shape a state can have.
#[must_use]
pub fn every_state() -> Vec<(&'static str, State)> {
    let wait = Wait::Backoff { attempt: 2, last: 5, until: Micros(START.0 + 7) };
    let refund = || cause(3, "OUT_OF_STOCK");
    let stuck = |direction, unwinding| State::Stuck {
        step: 1,
        direction,
        attempt: 9,
        why: cause(1, "ATTEMPTS_SPENT"),
        unwinding,
    };
    vec![
        ("running, waits for reply", running(1, Micros(START.0 + 5))),
        ("running, backs off", State::Running { step: 2, wait }),
        (
            "compensating, waits for reply",
            State::Compensating {
                step: 2,
                wait: Wait::Reply { attempt: 1, last: u32::MAX, until: Micros(START.0 + 6) },
                cause: refund(),
            },
        ),
        ("compensating, backs off", State::Compensating { step: 0, wait, cause: refund() }),
        ("stuck at an action", stuck(Direction::Action, None)),
        ("stuck at an undo", stuck(Direction::Undo, Some(refund()))),
        ("paused while running", State::Paused { resume: Resume::Run { step: 4, attempt: 0 } }),
        ("paused while unwinding", State::Paused { resume: Resume::Unwind { step: 2, attempt: 3, cause: refund() } }),
        ("completed", State::Completed),
        ("compensated", State::Compensated { cause: refund() }),
    ]
}

/// One journal record of each kind.
#[must_use]
pub fn every_journal_record() -> Vec<(&'static str, JournalRecord)> {
    let reply =
        |direction, outcome| JournalRecord::Moved(Event::Reply(Reply { step: 2, direction, attempt: 7, outcome }));
    let action = |verb| {
        JournalRecord::Moved(Event::Action(OperatorAction {
            verb,
            actor: "ada".to_owned(),
            reason: "the customer called".to_owned(),
        }))
    };
    let (reason, message) = ("OUT_OF_STOCK".to_owned(), "three left, naïve".to_owned());
    vec![
        ("started", JournalRecord::Started { definition: definition(), input: Bytes::from_static(b"\x00input\xff") }),
        ("succeeded", reply(Direction::Action, Outcome::Succeeded { output: Bytes::from_static(b"\x01out") })),
        ("succeeded with nothing", reply(Direction::Undo, Outcome::Succeeded { output: Bytes::new() })),
        ("rejected", reply(Direction::Action, Outcome::Rejected { reason: reason.clone(), message: message.clone() })),
        ("unavailable", reply(Direction::Undo, Outcome::Unavailable { reason, message })),
        ("wake", JournalRecord::Moved(Event::Wake)),
        ("cancel", action(Verb::Cancel)),
        ("retry", action(Verb::Retry)),
        ("skip", action(Verb::Skip)),
        ("resolve done", action(Verb::ResolveDone)),
        ("resolve undone", action(Verb::ResolveUndone)),
        ("pause", action(Verb::Pause)),
        ("resume", action(Verb::Resume)),
    ]
}

/// A start without keys.
#[must_use]
pub fn insert(record: Record) -> Insert {
    let look_at = record.saga.wake_at();
    Insert { record, keys: Vec::new(), fingerprint: Fingerprint([7; 32]), look_at, attributes: Vec::new() }
}

/// A saga whose input names what it is found by, a line each, such as `region=eu`; it declares these two names.
#[derive(Debug)]
pub struct Labelled(Definition);

impl Labelled {
    /// Names that it declares.
    pub const NAMES: [&str; 2] = ["region", "label"];

    /// Of this name and version.
    ///
    /// # Panics
    /// If a definition cannot be called so.
    #[must_use]
    pub fn new(name: &str, version: u32) -> Self {
        let built = Definition::builder(name, version).pivot("go", "sample", "go", StepOptions::new()).build();
        Self(built.expect("a definition of one step"))
    }

    /// All that is known, if nothing else is.
    #[must_use]
    pub fn registry(self) -> Registry {
        Registry::default().with(self)
    }

    /// A start of such a saga, with an input.
    #[must_use]
    pub fn insert(&self, mut record: Record, input: &str) -> Insert {
        record.saga.definition = self.0.id().clone();
        record.saga.input = Bytes::copy_from_slice(input.as_bytes());
        let attributes = attributes::bounded(self, input.as_bytes());
        Insert { attributes, ..insert(record) }
    }
}

impl SagaType for Labelled {
    fn definition(&self) -> &Definition {
        &self.0
    }

    fn accept(&self, _input: &[u8]) -> Result<Accepted, Violations> {
        Ok(Accepted { business_key: String::new(), exclusive: false })
    }

    fn payload(&self, _saga: &Saga, _step: StepIndex, _direction: Direction) -> Result<Bytes, PayloadError> {
        Ok(Bytes::new())
    }

    fn attribute_names(&self) -> Vec<&str> {
        Self::NAMES.to_vec()
    }

    fn attributes(&self, input: &[u8]) -> Vec<Attribute> {
        let text = std::str::from_utf8(input).unwrap_or_default();
        let pairs = text.split('\n').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| Attribute::new(name, value)).collect()
    }
}

/// A start key; `space` and `number` as in [`id`].
#[must_use]
pub fn key(space: u8, number: u32) -> StartKey {
    let mut bytes = [space; 32];
    bytes[28..].copy_from_slice(&number.to_be_bytes());
    StartKey(bytes)
}

/// The journal entry of a start.
#[must_use]
pub fn started(saga: &Saga) -> Entry {
    let record = JournalRecord::Started { definition: saga.definition.clone(), input: saga.input.clone() };
    Entry { saga: saga.id, version: 1, at: saga.created_at, record }
}

/// Moves a loaded saga to `state`, with its journal entry.
pub fn advance(changes: &mut Changes, loaded: &Record, state: State) {
    let before = &loaded.saga;
    let saga =
        Saga { version: before.version + 1, updated_at: Micros(before.updated_at.0 + 1), state, ..before.clone() };
    let record = JournalRecord::Moved(Event::Wake);
    changes.journal.push(Entry { saga: saga.id, version: saga.version, at: saga.updated_at, record });
    let (last_failure, skipped) = (loaded.last_failure.clone(), loaded.skipped.clone());
    let (loaded_version, look_at) = (before.version, saga.wake_at());
    changes.updates.push(Update { saga, last_failure, skipped, loaded_version, look_at, data_changed: true });
}

/// A decision that does not look at what was loaded.
#[must_use]
pub fn always(changes: Changes) -> Decide {
    Box::new(move |_: &Loaded| changes.clone())
}

/// An act on a saga, as it moves on from where it is.
#[must_use]
pub fn audit(saga: &Saga, request: Option<Uuid>) -> NewAudit {
    NewAudit {
        at: START,
        actor: "ada".to_owned(),
        act: "pause".to_owned(),
        subject: format!("sagas/{}", saga.id),
        reason: "for people: naïve 🚀".to_owned(),
        before: "running".to_owned(),
        after: "paused".to_owned(),
        saga: Some(saga.id),
        version: saga.version + 1,
        request,
        content: Fingerprint([7; 32]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use baton_engine::sagas::attributes::{MAX_ATTRIBUTES, bounded, checked};
    use baton_query::filter::MAX_ATTRIBUTE_VALUE;

    #[test]
    fn what_is_over_a_bound_is_refused_at_the_start_and_left_out_later() {
        let labelled = Labelled::new("labelled", 1);
        let long = format!("region={}", "x".repeat(MAX_ATTRIBUTE_VALUE));
        let longer = format!("label=a\n{long}x");
        let lines = |count: usize| (0..count).map(|n| format!("label={n}\n")).collect::<String>();
        for (input, said, left) in [
            ("label=a\nlabel=a\nregion=", None, 2),
            (long.as_str(), None, 1),
            (longer.as_str(), Some("region"), 1),
            (lines(MAX_ATTRIBUTES).as_str(), None, MAX_ATTRIBUTES),
            (lines(MAX_ATTRIBUTES + 1).as_str(), Some("input"), MAX_ATTRIBUTES),
        ] {
            let kept = bounded(&labelled, input.as_bytes());
            assert_eq!(kept.len(), left, "{input}");
            match (checked(&labelled, input.as_bytes()), said) {
                (Ok(attributes), None) => assert_eq!(attributes, kept),
                (Err(violations), Some(field)) => {
                    assert_eq!(violations.list().iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), [field]);
                }
                (answer, said) => panic!("{said:?}, but {}", answer.is_ok()),
            }
        }
    }
}
