//! A saga's steps as data.
use crate::saga::DefinitionId;
use crate::retry::RetryPolicy;
use std::time::Duration;
/// Steps a definition may have.
pub const MAX_STEPS: usize = 64;
/// What may follow a step's failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind { /// can be undone
 Compensatable, /// go / no-go
 Pivot, /// may not refuse
 Retriable }
/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// name
    pub name: String,
    /// participant
    pub participant: String,
    /// kind
    pub kind: Kind,
    /// command name of the action; None: happened before the saga
    pub action: Option<String>,
    /// command name of the undo
    pub undo: Option<String>,
    /// how long one attempt may take
    pub timeout: Duration,
    /// retry
    pub retry: RetryPolicy,
}
/// A checked definition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Definition { pub(crate) id: DefinitionId, pub(crate) steps: Vec<Step>, pub(crate) deadline: Option<Duration> }
impl Definition {
    /// id
    #[must_use] pub fn id(&self) -> &DefinitionId { &self.id }
    /// steps
    #[must_use] pub fn steps(&self) -> &[Step] { &self.steps }
}
