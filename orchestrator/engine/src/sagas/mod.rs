//! The registry: every saga this build knows, by name and version.

pub mod attributes;

use baton_query::filter::{Attribute, is_attribute_name};
use baton_rpc::errors::Violations;
use bytes::Bytes;
use saga_core::definition::Definition;
use saga_core::saga::{DefinitionId, Direction, Saga, StepIndex};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What the shell must know of a saga beside its definition: which inputs it takes, and what its commands say.
pub trait SagaType: Send + Sync + 'static {
    /// The steps.
    fn definition(&self) -> &Definition;

    /// Judges an input before anything is written.
    fn accept(&self, input: &[u8]) -> Result<Accepted, Violations>;

    /// The encoded business message of one command. Deterministic: the same saga gives the same bytes.
    fn payload(&self, saga: &Saga, step: StepIndex, direction: Direction) -> Result<Bytes, PayloadError>;

    /// Full name of the message type that some of this saga's bytes encode, so that they can be shown; `None` if that is not
    /// known, or if they are always empty.
    fn message_type(&self, _part: Part) -> Option<&'static str> {
        None
    }

    /// Names of its attributes: what operators may find its sagas by beside their business key. At most
    /// [`attributes::MAX_NAMES`], each an [attribute's name](is_attribute_name). They belong to the version of the
    /// definition: sagas that are there already get no new ones.
    fn attribute_names(&self) -> Vec<&str> {
        Vec::new()
    }

    /// The attributes of a saga, read from its input; none if the input does not decode. Deterministic, and within the
    /// bounds of [`attributes`] for every input that is accepted. Every value must stand in the input byte for byte, as
    /// texts do in protobuf: where no index helps, a database leaves out rows that cannot have it before anybody decodes
    /// them.
    fn attributes(&self, _input: &[u8]) -> Vec<Attribute> {
        Vec::new()
    }
}

impl std::fmt::Debug for dyn SagaType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SagaType({})", self.definition().id())
    }
}

/// Bytes of a saga that encode a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// What it was started with.
    Input,
    /// What a command carries.
    Command(StepIndex, Direction),
    /// What an action answered.
    Output(StepIndex),
}

/// An input that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Business key to find the saga by, at most 128 bytes, possibly empty.
    pub business_key: String,
    /// True if at most one saga may ever be started for this business key.
    pub exclusive: bool,
}

/// A payload could not be built: a defect of the definition, or an input that was stored by another build.
#[derive(Debug, thiserror::Error)]
#[error("no payload for step {step} {direction:?}: {why}")]
pub struct PayloadError {
    /// The step.
    pub step: StepIndex,
    /// Action or undo.
    pub direction: Direction,
    /// Why not.
    pub why: String,
}

/// Every saga this build knows. Running sagas keep the version they were started with; new ones get the highest.
#[derive(Clone, Default)]
pub struct Registry {
    types: BTreeMap<DefinitionId, Arc<dyn SagaType>>,
}

impl Registry {
    /// Adds one saga. A second one under the same name and version replaces the first.
    ///
    /// # Panics
    /// If a name that it declares cannot be an attribute's, or there are too many.
    #[must_use]
    pub fn with(mut self, saga: impl SagaType) -> Self {
        let names = saga.attribute_names();
        let fit = names.len() <= attributes::MAX_NAMES && names.iter().all(|name| is_attribute_name(name));
        assert!(fit, "{} declares attributes {names:?}", saga.definition().id());
        self.types.insert(saga.definition().id().clone(), Arc::new(saga));
        self
    }

    /// The saga a running instance is pinned to.
    #[must_use]
    pub fn pinned(&self, id: &DefinitionId) -> Option<&Arc<dyn SagaType>> {
        self.types.get(id)
    }

    /// The newest version under a name.
    #[must_use]
    pub fn newest(&self, name: &str) -> Option<&Arc<dyn SagaType>> {
        let from = DefinitionId { name: name.to_owned(), version: 0 };
        let to = DefinitionId { name: name.to_owned(), version: u32::MAX };
        self.types.range(from..=to).next_back().map(|(_, saga)| saga)
    }

    /// All of them, by name and version.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn SagaType>> {
        self.types.values()
    }

    /// Name and version of all of them.
    #[must_use]
    pub fn ids(&self) -> Vec<DefinitionId> {
        self.types.keys().cloned().collect()
    }

    /// The longest that any step of them may wait: for an answer, or before the next attempt.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        let steps = self.iter().flat_map(|saga| saga.definition().steps());
        let waits = steps.flat_map(|step| [step.timeout, step.undo_timeout, step.retry.cap(), step.undo_retry.cap()]);
        waits.max().unwrap_or_default()
    }

    /// Names of all attributes that any saga declares, each once, in order.
    #[must_use]
    pub fn attribute_names(&self) -> Vec<&str> {
        let names: std::collections::BTreeSet<&str> = self.iter().flat_map(|saga| saga.attribute_names()).collect();
        names.into_iter().collect()
    }

    /// Names of all participants that any step names, each once.
    #[must_use]
    pub fn participants(&self) -> Vec<String> {
        let names: std::collections::BTreeSet<String> = self
            .iter()
            .flat_map(|saga| saga.definition().steps().iter().map(|step| step.participant.clone()))
            .collect();
        names.into_iter().collect()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.types.keys()).finish()
    }
}
