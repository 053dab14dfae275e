//! The typestate builder: a step in the wrong place does not compile.

use super::{DEFAULT_TIMEOUT, Definition, DefinitionError, Kind, Step};
use crate::retry::RetryPolicy;
use crate::saga::DefinitionId;
use std::marker::PhantomData;
use std::time::Duration;

/// Phase of the builder: nothing has been done yet, so what happened before the saga can still be named.
#[derive(Clone, Copy, Debug)]
pub enum Beginning {}

/// Phase of the builder: compensatable steps, then perhaps the pivot.
#[derive(Clone, Copy, Debug)]
pub enum BeforePivot {}

/// Phase of the builder: only retriable steps can follow.
#[derive(Clone, Copy, Debug)]
pub enum AfterPivot {}

/// The phases in which the saga can still unwind. Sealed: [`Beginning`] and [`BeforePivot`].
pub trait CanUnwind: sealed::Sealed {}
impl CanUnwind for Beginning {}
impl CanUnwind for BeforePivot {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Beginning {}
    impl Sealed for super::BeforePivot {}
}

/// Timeouts and retries of one step; what is not set follows the step's kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepOptions {
    timeout: Option<Duration>,
    retry: Option<RetryPolicy>,
    undo_timeout: Option<Duration>,
    undo_retry: Option<RetryPolicy>,
}

impl StepOptions {
    /// The defaults: [`DEFAULT_TIMEOUT`], and [`RetryPolicy::BEFORE_PIVOT`], [`RetryPolicy::RETRIABLE`] and
    /// [`RetryPolicy::UNDO`] as the case may be.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long one attempt of the action may take.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// Attempts of the action and the pauses between them.
    #[must_use]
    pub fn retry(self, retry: RetryPolicy) -> Self {
        Self { retry: Some(retry), ..self }
    }

    /// How long one attempt of the undo may take.
    #[must_use]
    pub fn undo_timeout(self, timeout: Duration) -> Self {
        Self { undo_timeout: Some(timeout), ..self }
    }

    /// Attempts of the undo and the pauses between them.
    #[must_use]
    pub fn undo_retry(self, retry: RetryPolicy) -> Self {
        Self { undo_retry: Some(retry), ..self }
    }
}

/// A definition being written down, in one of the phases [`Beginning`], [`BeforePivot`], [`AfterPivot`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct Builder<Phase> {
    id: DefinitionId,
    steps: Vec<Step>,
    deadline: Option<Duration>,
    phase: PhantomData<Phase>,
}

impl Builder<Beginning> {
    pub(super) fn new(id: DefinitionId) -> Self {
        Self { id, steps: Vec::new(), deadline: None, phase: PhantomData }
    }

    /// An effect that happened before the saga: skipped on the way forward, undone on the way back.
    pub fn happened(self, name: &str, participant: &str, undo: &str, options: StepOptions) -> Self {
        let step = step(name, participant, Kind::Compensatable, options);
        self.push(Step { undo: Some(undo.to_owned()), ..step })
    }
}

impl<Phase: CanUnwind> Builder<Phase> {
    /// A step with an undo of its own.
    pub fn compensatable(
        self,
        name: &str,
        participant: &str,
        action: &str,
        undo: &str,
        options: StepOptions,
    ) -> Builder<BeforePivot> {
        let step = step(name, participant, Kind::Compensatable, options);
        self.push(Step { action: Some(action.to_owned()), undo: Some(undo.to_owned()), ..step })
    }

    /// A compensatable step that has no undo of its own, because undoing the earlier step called `by` undoes it too.
    pub fn covered(
        self,
        name: &str,
        participant: &str,
        action: &str,
        by: &str,
        options: StepOptions,
    ) -> Builder<BeforePivot> {
        let step = step(name, participant, Kind::Compensatable, options);
        self.push(Step { action: Some(action.to_owned()), covered_by: Some(by.to_owned()), ..step })
    }

    /// The pivot. If its outcome stays unknown, the saga is stuck until an operator decides.
    pub fn pivot(self, name: &str, participant: &str, action: &str, options: StepOptions) -> Builder<AfterPivot> {
        let step = step(name, participant, Kind::Pivot, options);
        self.push(Step { action: Some(action.to_owned()), ..step })
    }

    /// A pivot that is undone if its outcome stays unknown, and only then.
    pub fn pivot_with_undo(
        self,
        name: &str,
        participant: &str,
        action: &str,
        undo: &str,
        options: StepOptions,
    ) -> Builder<AfterPivot> {
        let step = step(name, participant, Kind::Pivot, options);
        self.push(Step { action: Some(action.to_owned()), undo: Some(undo.to_owned()), ..step })
    }
}

impl Builder<AfterPivot> {
    /// A step that may not refuse.
    pub fn retriable(self, name: &str, participant: &str, action: &str, options: StepOptions) -> Self {
        let step = step(name, participant, Kind::Retriable, options);
        self.push(Step { action: Some(action.to_owned()), ..step })
    }
}

impl<Phase> Builder<Phase> {
    /// How long after its start a saga that has not done its pivot begins to unwind.
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// The checked definition.
    ///
    /// # Errors
    /// [`DefinitionError`] for what types cannot say: bad or duplicate names, too many steps, no action, a missing
    /// cover, a timeout or deadline outside its bounds.
    pub fn build(self) -> Result<Definition, DefinitionError> {
        Definition::from_steps(self.id, self.steps, self.deadline)
    }

    fn push<Next>(mut self, step: Step) -> Builder<Next> {
        self.steps.push(step);
        Builder { id: self.id, steps: self.steps, deadline: self.deadline, phase: PhantomData }
    }
}

/// A step with neither half yet; options that are not set follow the kind.
fn step(name: &str, participant: &str, kind: Kind, options: StepOptions) -> Step {
    let retry = match kind {
        Kind::Compensatable | Kind::Pivot => RetryPolicy::BEFORE_PIVOT,
        Kind::Retriable => RetryPolicy::RETRIABLE,
    };
    Step {
        name: name.to_owned(),
        participant: participant.to_owned(),
        kind,
        action: None,
        undo: None,
        covered_by: None,
        timeout: options.timeout.unwrap_or(DEFAULT_TIMEOUT),
        retry: options.retry.unwrap_or(retry),
        undo_timeout: options.undo_timeout.unwrap_or(DEFAULT_TIMEOUT),
        undo_retry: options.undo_retry.unwrap_or(RetryPolicy::UNDO),
    }
}
