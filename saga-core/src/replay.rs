//! A journal folded back into the saga it describes, by the same function that moved the saga when it was live.

use crate::definition::Definition;
use crate::event::{Entry, Record};
use crate::machine;
use crate::saga::Saga;
use crate::transition::{Applied, Ignored, Refused};

/// Why a journal is none: a row was lost, changed or invented, or the definition was changed under its version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ReplayError {
    /// There is no entry.
    #[error("the journal is empty")]
    Empty,
    /// The first entry does not start the saga, or a later one starts it again.
    #[error("entry {version} should {} the saga", if *.version == 1 { "start" } else { "move" })]
    WrongRecord {
        /// The entry's version.
        version: u64,
    },
    /// Versions do not go 1, 2, 3 …
    #[error("entry {found} stands where entry {expected} should")]
    Gap {
        /// The version that should come.
        expected: u64,
        /// The version that comes.
        found: u64,
    },
    /// The entry belongs to another saga.
    #[error("entry {version} belongs to another saga")]
    OtherSaga {
        /// The entry's version.
        version: u64,
    },
    /// The saga was started with another definition or version.
    #[error("the saga was started with another definition")]
    OtherDefinition,
    /// The entry is older than the one before it.
    #[error("entry {version} is older than the one before it")]
    TimeWentBack {
        /// The entry's version.
        version: u64,
    },
    /// The entry's event would have been ignored.
    #[error("the event of entry {version} would have been ignored: {why:?}")]
    Ignored {
        /// The entry's version.
        version: u64,
        /// Why it would have been ignored.
        why: Ignored,
    },
    /// The entry's order would have been refused.
    #[error("the order of entry {version} would have been refused: {why}")]
    Refused {
        /// The entry's version.
        version: u64,
        /// Why it would have been refused.
        why: Refused,
    },
}

/// The saga whose journal `entries` is, exactly as it was after the last of them. Sends nothing.
///
/// # Errors
/// [`ReplayError`] names the first entry that cannot be.
pub fn replay<'a>(definition: &Definition, entries: impl IntoIterator<Item = &'a Entry>) -> Result<Saga, ReplayError> {
    let mut entries = entries.into_iter();
    let mut saga = begin(definition, entries.next().ok_or(ReplayError::Empty)?)?;
    for entry in entries {
        saga = follow(definition, &saga, entry)?;
    }
    Ok(saga)
}

/// The saga after its first entry.
///
/// # Errors
/// [`ReplayError`] says why it cannot be the first entry of a saga of this definition.
pub fn begin(definition: &Definition, entry: &Entry) -> Result<Saga, ReplayError> {
    if entry.version != 1 {
        return Err(ReplayError::Gap { expected: 1, found: entry.version });
    }
    match &entry.record {
        Record::Moved(_) => Err(ReplayError::WrongRecord { version: 1 }),
        Record::Started { definition: id, .. } if id != definition.id() => Err(ReplayError::OtherDefinition),
        Record::Started { input, .. } => Ok(machine::start(definition, entry.saga, input.clone(), entry.at).saga),
    }
}

/// The saga after one more entry.
///
/// # Errors
/// [`ReplayError`] says why `entry` cannot follow.
pub fn follow(definition: &Definition, saga: &Saga, entry: &Entry) -> Result<Saga, ReplayError> {
    let version = entry.version;
    if version != saga.version + 1 {
        return Err(ReplayError::Gap { expected: saga.version + 1, found: version });
    }
    if entry.saga != saga.id {
        return Err(ReplayError::OtherSaga { version });
    }
    if entry.at < saga.updated_at {
        return Err(ReplayError::TimeWentBack { version });
    }
    match &entry.record {
        Record::Started { .. } => Err(ReplayError::WrongRecord { version }),
        Record::Moved(event) => match machine::apply(definition, saga, event, entry.at) {
            Applied::Moved(transition) => Ok(transition.saga),
            Applied::Ignored(why) => Err(ReplayError::Ignored { version, why }),
            Applied::Refused(why) => Err(ReplayError::Refused { version, why }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::StepOptions;
    use crate::event::Event;
    use crate::exhaust::events_at;
    use crate::saga::SagaId;
    use crate::time::Micros;
    use bytes::Bytes;
    use proptest::prelude::*;
    use std::time::Duration;

    fn definition() -> Definition {
        let options = StepOptions::new;
        Definition::builder("order", 1)
            .deadline(Duration::from_secs(90))
            .happened("payment.taken", "payment", "payment.cancel", options())
            .compensatable("order.open", "order", "order.open", "order.reject", options())
            .covered("payment.verify", "payment", "payment.verify", "payment.taken", options())
            .pivot_with_undo("stock.reserve", "stock", "stock.reserve", "stock.release", options())
            .retriable("order.confirm", "order", "order.confirm", options())
            .build()
            .unwrap()
    }

    /// A saga that lived through events chosen at random from all that make sense where it stood, and its journal.
    fn lived(choices: &[(u16, i32)]) -> (Saga, Vec<Entry>) {
        let definition = definition();
        let first = machine::start(&definition, SagaId([9; 16]), Bytes::from_static(b"cart"), Micros(5));
        let (mut saga, mut journal) = (first.saga, vec![first.entry]);
        for (choice, skew_us) in choices {
            let events = events_at(&definition, &saga, true);
            let (event, at) = &events[usize::from(*choice) % events.len()];
            // The clock may jump, backwards too: a move is never earlier than the one before it.
            let now = Micros(at.0 + i64::from(*skew_us));
            if let Applied::Moved(transition) = machine::apply(&definition, &saga, event, now) {
                saga = transition.saga;
                journal.push(transition.entry);
            }
        }
        (saga, journal)
    }

    fn choices() -> impl Strategy<Value = Vec<(u16, i32)>> {
        proptest::collection::vec((any::<u16>(), -5_000_000..20_000_000), 0..80)
    }

    proptest! {
        #[test]
        fn a_journal_gives_the_saga_back(choices in choices()) {
            let (saga, journal) = lived(&choices);
            prop_assert_eq!(saga.version, journal.len() as u64);
            prop_assert_eq!(replay(&definition(), &journal), Ok(saga));
        }

        #[test]
        fn a_journal_with_a_hole_is_refused(choices in choices(), hole: prop::sample::Index) {
            let (_, mut journal) = lived(&choices);
            prop_assume!(journal.len() > 1);
            let hole = hole.index(journal.len() - 1);
            journal.remove(hole);
            let (expected, found) = (hole as u64 + 1, hole as u64 + 2);
            prop_assert_eq!(replay(&definition(), &journal), Err(ReplayError::Gap { expected, found }));
        }
    }

    #[test]
    fn what_is_no_journal_is_named() {
        let definition = definition();
        let (_, journal) = lived(&[(9, 0), (12, 0)]);
        let with = |at: usize, change: &dyn Fn(&mut Entry)| {
            let mut journal = journal.clone();
            change(&mut journal[at]);
            replay(&definition, &journal).unwrap_err()
        };
        assert!(journal.len() >= 2, "the choices must move the saga");
        assert_eq!(replay(&definition, &[]), Err(ReplayError::Empty));
        let started = journal[0].record.clone();
        assert_eq!(with(1, &|e| e.record = started.clone()), ReplayError::WrongRecord { version: 2 });
        assert_eq!(with(0, &|e| e.record = Record::Moved(Event::Wake)), ReplayError::WrongRecord { version: 1 });
        assert_eq!(with(1, &|e| e.at = Micros(0)), ReplayError::TimeWentBack { version: 2 });
        assert_eq!(with(1, &|e| e.saga = SagaId([1; 16])), ReplayError::OtherSaga { version: 2 });
        assert_eq!(
            with(1, &|e| e.record = Record::Moved(Event::Wake)),
            ReplayError::Ignored { version: 2, why: Ignored::NotDue }
        );
        let other = Definition::builder("order", 2).pivot("go", "someone", "go", StepOptions::new()).build().unwrap();
        assert_eq!(replay(&other, &journal), Err(ReplayError::OtherDefinition));
    }
}
