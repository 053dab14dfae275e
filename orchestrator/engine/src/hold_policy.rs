//! What operators hold, as far as this process knows, and the pauses that follow from it.

use crate::store::audit;
use saga_core::definition::Definition;
use saga_core::event::{OperatorAction, Verb};
use saga_core::saga::{DefinitionId, SagaId, StepIndex};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// What is held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Held {
    /// A definition, all versions of it.
    Definition(String),
    /// A participant.
    Participant(String),
}

impl Held {
    /// From `holds/definitions/{definition}` or `holds/participants/{participant}`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (kind, name) = name.strip_prefix("holds/")?.split_once('/')?;
        match kind {
            _ if name.is_empty() || name.contains('/') || name.len() > 64 => None,
            "definitions" => Some(Self::Definition(name.to_owned())),
            "participants" => Some(Self::Participant(name.to_owned())),
            _ => None,
        }
    }

    /// The hold's name.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Definition(name) => format!("holds/definitions/{name}"),
            Self::Participant(name) => format!("holds/participants/{name}"),
        }
    }

    /// What the reason of a hold's pause begins with, and no other's.
    #[must_use]
    pub fn mark(&self) -> String {
        format!("held by {}: ", self.name())
    }

    /// The action by which the hold pauses a saga.
    #[must_use]
    pub fn pause(&self, actor: &str, reason: &str) -> OperatorAction {
        OperatorAction {
            verb: Verb::Pause,
            actor: actor.to_owned(),
            reason: audit::reason(&format!("{}{reason}", self.mark())),
        }
    }

    /// The action by which a saga goes on once the hold is released.
    #[must_use]
    pub fn resume(&self, actor: &str, reason: &str) -> OperatorAction {
        let reason = audit::reason(&format!("released from {}: {reason}", self.name()));
        OperatorAction { verb: Verb::Resume, actor: actor.to_owned(), reason }
    }
}

/// A saga that a hold pauses: written down with the pause, so that whoever releases the hold finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The hold.
    pub held: Held,
    /// The saga.
    pub saga: SagaId,
    /// Its version before the pause.
    pub seen: u64,
}

/// Who holds each thing that is held, and why.
pub type Standing = BTreeMap<Held, (String, String)>;

/// A hold that stands in the way of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Barrier {
    /// What is held.
    pub held: Held,
    /// Who holds it.
    pub actor: String,
    /// Why.
    pub reason: String,
}

impl Barrier {
    /// The action by which the hold pauses a saga.
    #[must_use]
    pub fn pause(&self) -> OperatorAction {
        self.held.pause(&self.actor, &self.reason)
    }
}

/// What keeps the commands of these steps from being sent, if anything does.
#[must_use]
pub fn barrier(
    standing: &Standing,
    definition: &Definition,
    steps: impl IntoIterator<Item = StepIndex>,
) -> Option<Barrier> {
    if standing.is_empty() {
        return None;
    }
    let mut steps = steps.into_iter().filter_map(|step| definition.steps().get(usize::from(step))).peekable();
    steps.peek()?;
    let DefinitionId { name, .. } = definition.id();
    let participants = steps.map(|step| Held::Participant(step.participant.clone()));
    let mut any = std::iter::once(Held::Definition(name.clone())).chain(participants);
    any.find_map(|held| {
        let (actor, reason) = standing.get(&held)?.clone();
        Some(Barrier { held, actor, reason })
    })
}

/// The holds that stand, as this process knows them: nothing is read from the store for it. It may be half a second
/// late, which is why a commit checks every hold that it marks a saga with.
#[derive(Debug, Default)]
pub struct HoldCache(RwLock<Arc<Standing>>);

impl HoldCache {
    /// What is known.
    #[must_use]
    pub fn standing(&self) -> Arc<Standing> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on this is known.
    pub fn replace(&self, standing: Standing) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(standing);
    }

    /// These turned out not to stand any more.
    pub fn lift(&self, lifted: &[Held]) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut standing = Standing::clone(&known);
        standing.retain(|held, _| !lifted.contains(held));
        *known = Arc::new(standing);
    }

    /// Who holds it and why.
    #[must_use]
    pub fn of(&self, held: &Held) -> Option<(String, String)> {
        self.standing().get(held).cloned()
    }
}
