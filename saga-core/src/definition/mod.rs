//! A saga's steps as checked data: what can be hashed, drawn, diffed and compared.

mod builder;
mod checks;

pub use builder::{AfterPivot, BeforePivot, Beginning, Builder, CanUnwind, StepOptions};
pub use checks::DefinitionError;

use crate::retry::RetryPolicy;
use crate::saga::{DefinitionId, StepIndex};
use std::time::Duration;

/// Steps a definition may have. A flow longer than this is several sagas; it also keeps a saga's row small.
pub const MAX_STEPS: usize = 64;

/// Bytes a name may have: definitions, steps and commands. Names end up in routing keys and index columns.
pub const MAX_NAME_BYTES: usize = 64;

/// Bytes a participant's name may have: it names a queue.
pub const MAX_PARTICIPANT_BYTES: usize = 32;

/// The longest deadline of a whole saga.
pub const MAX_DEADLINE: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// How long one attempt may take unless the step says otherwise: many times a healthy round trip, and short enough
/// that a lost message is noticed while a caller still waits.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// What may follow a step's failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Its effect can be undone, by its own undo or by that of an earlier step; a failure unwinds the saga.
    Compensatable,
    /// Go or no-go: once it is done the saga only goes forward. At most one.
    Pivot,
    /// Comes after the pivot and may not refuse: it is repeated until it succeeds or a person is needed.
    Retriable,
}

/// One step, as data. Only a [`Definition`] has been checked; a step on its own promises nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step {
    /// Name of the step, unique within its definition, for example `hotel.book`.
    pub name: String,
    /// Who executes it: names the participant's command queue. 1 to [`MAX_PARTICIPANT_BYTES`] of `[a-z0-9-]`.
    pub participant: String,
    /// What may follow its failure.
    pub kind: Kind,
    /// Command name of the action; `None` if the effect happened before the saga and there is only something to undo.
    pub action: Option<String>,
    /// Command name of the undo. For a pivot: only sent when the outcome of its action stayed unknown.
    pub undo: Option<String>,
    /// Name of the earlier step whose undo undoes this one too; only for a compensatable step without an undo.
    pub covered_by: Option<String>,
    /// How long one attempt of the action may take, 1 ms to a day.
    pub timeout: Duration,
    /// Attempts of the action and the pauses between them.
    pub retry: RetryPolicy,
    /// How long one attempt of the undo may take, 1 ms to a day.
    pub undo_timeout: Duration,
    /// Attempts of the undo and the pauses between them.
    pub undo_retry: RetryPolicy,
}

/// A checked definition: steps in the only order that can always be finished or undone.
///
/// Compensatable steps come first (those without an action before all others), then at most one pivot, then retriable
/// steps. Sagas are pinned to name and version: a changed step list is a new version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Definition {
    id: DefinitionId,
    steps: Vec<Step>,
    deadline: Option<Duration>,
}

impl Definition {
    /// Begins a definition in code. The wrong order of steps does not compile.
    ///
    /// ```
    /// use saga_core::definition::{Definition, StepOptions};
    ///
    /// let definition = Definition::builder("trip", 1)
    ///     .happened("card.charged", "bank", "card.credit", StepOptions::new())
    ///     .compensatable("trip.open", "trip", "trip.open", "trip.close", StepOptions::new())
    ///     .covered("card.check", "bank", "card.check", "card.charged", StepOptions::new())
    ///     .pivot_with_undo("hotel.book", "hotel", "hotel.book", "hotel.cancel", StepOptions::new())
    ///     .retriable("trip.confirm", "trip", "trip.confirm", StepOptions::new())
    ///     .build()?;
    /// assert_eq!(definition.pivot(), Some(3));
    /// # Ok::<(), saga_core::definition::DefinitionError>(())
    /// ```
    ///
    /// A compensatable step after the pivot:
    ///
    /// ```compile_fail
    /// use saga_core::definition::{Definition, StepOptions};
    ///
    /// let _ = Definition::builder("trip", 1)
    ///     .pivot("hotel.book", "hotel", "hotel.book", StepOptions::new())
    ///     .compensatable("trip.open", "trip", "trip.open", "trip.close", StepOptions::new());
    /// ```
    pub fn builder(name: &str, version: u32) -> Builder<Beginning> {
        Builder::new(DefinitionId { name: name.to_owned(), version })
    }

    /// A definition that was loaded as data, checked like one that was built.
    ///
    /// # Errors
    /// [`DefinitionError`] names the first rule that is broken and the step that breaks it.
    pub fn from_steps(id: DefinitionId, steps: Vec<Step>, deadline: Option<Duration>) -> Result<Self, DefinitionError> {
        checks::check(&id, &steps, deadline)?;
        Ok(Self { id, steps, deadline })
    }

    /// Name and version.
    #[must_use]
    pub fn id(&self) -> &DefinitionId {
        &self.id
    }

    /// All steps, in order; between 1 and [`MAX_STEPS`].
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The step at `index`, `None` past the end.
    #[must_use]
    pub fn step(&self, index: StepIndex) -> Option<&Step> {
        self.steps.get(usize::from(index))
    }

    /// How long after its start a saga that has not done its pivot begins to unwind; `None` for never.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Where the pivot is, if there is one.
    #[must_use]
    pub fn pivot(&self) -> Option<StepIndex> {
        self.find(0, |step| step.kind == Kind::Pivot)
    }

    /// The position of the step called `name`.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<StepIndex> {
        self.find(0, |step| step.name == name)
    }

    /// The first step at or above `from` that has an action: steps without one are skipped on the way forward.
    #[must_use]
    pub fn action_from(&self, from: StepIndex) -> Option<StepIndex> {
        self.find(usize::from(from), |step| step.action.is_some())
    }

    /// The highest step strictly below `below` that has an undo: steps without one are skipped on the way back.
    #[must_use]
    pub fn undo_below(&self, below: StepIndex) -> Option<StepIndex> {
        (0..below).rev().find(|index| self.step(*index).is_some_and(|step| step.undo.is_some()))
    }

    /// True if `index` lies above the pivot, where the saga can only go forward.
    #[must_use]
    pub fn is_past_pivot(&self, index: StepIndex) -> bool {
        self.pivot().is_some_and(|pivot| index > pivot)
    }

    /// True if the saga may unwind although nobody knows whether the action of `index` happened: the step is
    /// compensatable, or it is a pivot with an undo for just this case.
    #[must_use]
    pub fn can_unwind_unknown(&self, index: StepIndex) -> bool {
        self.step(index).is_some_and(|step| match step.kind {
            Kind::Compensatable => true,
            Kind::Pivot => step.undo.is_some(),
            Kind::Retriable => false,
        })
    }

    fn find(&self, from: usize, wanted: impl Fn(&Step) -> bool) -> Option<StepIndex> {
        let found = self.steps.iter().skip(from).position(wanted)?;
        // A checked definition has at most MAX_STEPS steps, so the position fits.
        StepIndex::try_from(from + found).ok()
    }
}
