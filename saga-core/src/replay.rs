//! A journal folded back into the saga it describes, by the same function that moved the saga when it was live.

use crate::definition::Definition;
use crate::event::{Entry, JournalRecord};
use crate::machine;
use crate::saga::Saga;
use crate::transition::{Applied, Ignored, Refused, Transition};

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
    /// The entry's action would have been refused.
    #[error("the action of entry {version} would have been refused: {why}")]
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
    first_move(definition, entry).map(|transition| transition.saga)
}

/// The same, with what was to be sent then.
///
/// # Errors
/// Those of [`begin`].
pub fn first_move(definition: &Definition, entry: &Entry) -> Result<Transition, ReplayError> {
    if entry.version != 1 {
        return Err(ReplayError::Gap { expected: 1, found: entry.version });
    }
    match &entry.record {
        JournalRecord::Moved(_) => Err(ReplayError::WrongRecord { version: 1 }),
        JournalRecord::Started { definition: id, .. } if id != definition.id() => Err(ReplayError::OtherDefinition),
        JournalRecord::Started { input, .. } => Ok(machine::start(definition, entry.saga, input.clone(), entry.at)),
    }
}

/// The saga after one more entry.
///
/// # Errors
/// [`ReplayError`] says why `entry` cannot follow.
pub fn follow(definition: &Definition, saga: &Saga, entry: &Entry) -> Result<Saga, ReplayError> {
    next_move(definition, saga, entry).map(|transition| transition.saga)
}

/// The same, with what was to be sent then.
///
/// # Errors
/// Those of [`follow`].
pub fn next_move(definition: &Definition, saga: &Saga, entry: &Entry) -> Result<Transition, ReplayError> {
    let version = entry.version;
    if version != saga.version + 1 {
        return Err(ReplayError::Gap { expected: saga.version + 1, found: version });
    }
    if entry.saga != saga.id {
        return Err(ReplayError::OtherSaga { version });
    }
    if entry.at != saga.moves_at(entry.at) {
        return Err(ReplayError::TimeWentBack { version });
    }
    match &entry.record {
        JournalRecord::Started { .. } => Err(ReplayError::WrongRecord { version }),
        JournalRecord::Moved(event) => match machine::apply(definition, saga, event, entry.at) {
            Applied::Moved(transition) => Ok(transition),
            Applied::Ignored(why) => Err(ReplayError::Ignored { version, why }),
            Applied::Refused(why) => Err(ReplayError::Refused { version, why }),
        },
    }
}
