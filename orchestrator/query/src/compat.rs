//! How sagas under way would fare under another version of their definition, and what the two versions differ in.
//!
//! A running saga keeps its version, so nothing breaks by deploying a new one. It matters when a build drops the old version,
//! or when somebody means to replace it in place.

use saga_core::definition::{Definition, Step};
use saga_core::saga::{Direction, StepIndex};

/// Where a saga stands, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Standing {
    /// The step it is at.
    pub step: StepIndex,
    /// The half of it. Undo means that it unwinds, perhaps from a later step.
    pub direction: Direction,
}

/// Why a saga could not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The new definition ends before that step.
    StepGone,
    /// Another step stands at its place. A command's identity is its step's position: participants would take it for
    /// another command.
    StepMoved,
    /// The step is of another kind: what may follow its failure is another thing.
    KindChanged,
    /// Another participant carries it out, whose ledger knows nothing of it.
    ParticipantChanged,
    /// Its action is another command, or is there in one version alone.
    ActionChanged,
    /// Its undo is another command, or is there in one version alone.
    UndoChanged,
    /// Another step's undo covers it.
    CoverChanged,
    /// The version the saga is pinned to is not known here, so that nothing can be compared.
    VersionUnknown,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::StepGone,
        Self::StepMoved,
        Self::KindChanged,
        Self::ParticipantChanged,
        Self::ActionChanged,
        Self::UndoChanged,
        Self::CoverChanged,
        Self::VersionUnknown,
    ];

    /// For programs: UPPER_SNAKE, stable.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StepGone => "STEP_GONE",
            Self::StepMoved => "STEP_MOVED",
            Self::KindChanged => "KIND_CHANGED",
            Self::ParticipantChanged => "PARTICIPANT_CHANGED",
            Self::ActionChanged => "ACTION_CHANGED",
            Self::UndoChanged => "UNDO_CHANGED",
            Self::CoverChanged => "COVER_CHANGED",
            Self::VersionUnknown => "VERSION_UNKNOWN",
        }
    }
}

/// What keeps a saga from going on, and at which step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incompatibility {
    /// The rule.
    pub rule: Rule,
    /// The step of the old version that it is about; empty if none.
    pub step: String,
}

impl Incompatibility {
    /// The same for people.
    #[must_use]
    pub fn sentence(&self) -> String {
        let step = &self.step;
        match self.rule {
            Rule::StepGone => format!("{step} is not there any more, and sagas have done it or are at it."),
            Rule::StepMoved => {
                format!("Another step stands where {step} stood: participants would take its command for another one.")
            }
            Rule::KindChanged => format!("{step} is of another kind: what follows its failure has changed."),
            Rule::ParticipantChanged => {
                format!("Another participant carries {step} out; its ledger does not know what was done.")
            }
            Rule::ActionChanged => format!("The action of {step} is another command."),
            Rule::UndoChanged => {
                format!("The undo of {step} is another command: what was done would be undone otherwise.")
            }
            Rule::CoverChanged => format!("Another step's undo covers {step}."),
            Rule::VersionUnknown => "This build does not know the version they are pinned to.".to_owned(),
        }
    }
}

/// Whether a saga of `old` that stands there could go on under `new`. Steps it has not reached may differ; timeouts, retries
/// and the saga's deadline may differ anywhere.
///
/// # Errors
/// The first thing that keeps it from going on, from the first step up.
pub fn fit(old: &Definition, new: &Definition, standing: Standing) -> Result<(), Incompatibility> {
    let reached = match standing.direction {
        Direction::Action => standing.step,
        // It may unwind from any step up to the last that can be undone.
        Direction::Undo => last_undoable(old).max(standing.step),
    };
    for (position, step) in old.steps().iter().enumerate().take(usize::from(reached) + 1) {
        if let Some(rule) = broken(step, new.steps().get(position), new) {
            return Err(Incompatibility { rule, step: step.name.clone() });
        }
    }
    Ok(())
}

fn last_undoable(definition: &Definition) -> StepIndex {
    let past = |position: &StepIndex| definition.is_past_pivot(*position);
    let all = StepIndex::try_from(definition.steps().len()).unwrap_or(StepIndex::MAX);
    (0..all).rev().find(|position| !past(position)).unwrap_or(0)
}

fn broken(old: &Step, new: Option<&Step>, all: &Definition) -> Option<Rule> {
    let Some(new) = new else { return Some(Rule::StepGone) };
    let changed = [
        (old.name != new.name, if all.position(&old.name).is_some() { Rule::StepMoved } else { Rule::StepGone }),
        (old.kind != new.kind, Rule::KindChanged),
        (old.participant != new.participant, Rule::ParticipantChanged),
        (old.action != new.action, Rule::ActionChanged),
        (old.undo != new.undo, Rule::UndoChanged),
        (old.covered_by != new.covered_by, Rule::CoverChanged),
    ];
    changed.into_iter().find(|(is_changed, _)| *is_changed).map(|(_, rule)| rule)
}

/// What `new` changes against `old`, one line a change; nothing if they say the same.
#[must_use]
pub fn changes(old: &Definition, new: &Definition) -> Vec<String> {
    let mut lines = Vec::new();
    for (position, step) in old.steps().iter().enumerate() {
        match new.position(&step.name).map(usize::from) {
            None => lines.push(format!("{} is gone", step.name)),
            Some(other) => {
                if other != position {
                    lines.push(format!("{} moves from place {} to {}", step.name, position + 1, other + 1));
                }
                lines.extend(new.steps().get(other).map(|other| of_step(step, other)).unwrap_or_default());
            }
        }
    }
    let added = new.steps().iter().enumerate().filter(|(_, step)| old.position(&step.name).is_none());
    lines.extend(added.map(|(position, step)| format!("{} is new, at place {}", step.name, position + 1)));
    if old.deadline() != new.deadline() {
        lines.push(format!("the saga's deadline: {} -> {}", time(old.deadline()), time(new.deadline())));
    }
    lines
}

fn of_step(old: &Step, new: &Step) -> Vec<String> {
    let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
    let texts = [
        ("kind", format!("{:?}", old.kind).to_lowercase(), format!("{:?}", new.kind).to_lowercase()),
        ("participant", old.participant.clone(), new.participant.clone()),
        ("action", word(&old.action), word(&new.action)),
        ("undo", word(&old.undo), word(&new.undo)),
        ("covered by", word(&old.covered_by), word(&new.covered_by)),
        ("timeout", time(Some(old.timeout)), time(Some(new.timeout))),
        ("undo timeout", time(Some(old.undo_timeout)), time(Some(new.undo_timeout))),
        ("attempts", old.retry.attempts().to_string(), new.retry.attempts().to_string()),
        ("undo attempts", old.undo_retry.attempts().to_string(), new.undo_retry.attempts().to_string()),
    ];
    let mut lines: Vec<String> = texts
        .into_iter()
        .filter(|(_, old, new)| old != new)
        .map(|(what, before, after)| format!("{}: {what} {before} -> {after}", old.name))
        .collect();
    let paused = |step: &Step| [step.retry, step.undo_retry].map(|it| (it.base(), it.factor(), it.cap()));
    if paused(old) != paused(new) {
        lines.push(format!("{}: pauses between attempts", old.name));
    }
    lines
}

fn time(span: Option<std::time::Duration>) -> String {
    span.map_or_else(|| "none".to_owned(), crate::datetime::spoken)
}
