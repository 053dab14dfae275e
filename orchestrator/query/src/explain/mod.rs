//! One saga in plain sentences: what happened, what it waits for and since when, when it acts next and what it will then
//! do, what the participant knows of it, and what may be done now.
//!
//! Every sentence is derived from the definition, the journal and the machine; none is written for a saga. Beside each
//! stand typed fields, for whoever draws instead of writes.

mod ending;
mod offers;
mod past;
mod phrases;
mod present;

pub use offers::Offer;
pub use past::Past;
pub use present::{Answer, Knowledge, LedgerSays, Outlook, Place, Upcoming, Waiting, WaitsFor};

use crate::acts::{self, Acts};
use crate::escape;
use crate::step_position::StepPosition;
use crate::timeline::timeline;
use saga_core::definition::Definition;
use saga_core::event::{Entry, Verb};
use saga_core::machine::{self, BrokenInvariant};
use saga_core::saga::{Saga, State};
use saga_core::time::Micros;
use saga_core::transition::Refused;
use std::fmt;

/// Everything that an explanation is made from.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// The definition the saga is pinned to; `None` if this build does not know it.
    pub definition: Option<&'a Definition>,
    /// The saga as stored.
    pub saga: &'a Saga,
    /// Its journal, oldest entry first; perhaps cut off at its end.
    pub journal: &'a [Entry],
    /// What the ledger of the participant that is asked knows of the open command; `None` if it was not asked.
    pub ledger: Option<Knowledge>,
    /// What keeps its command back, if something does.
    pub hold: Option<Hold>,
    /// The present, on the database's clock.
    pub now: Micros,
}

/// A definition or participant that somebody has halted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its name.
    pub name: String,
    /// Who.
    pub actor: String,
    /// Why, in their words.
    pub reason: String,
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} holds: {}", escape::words(&self.actor), escape::words(&self.reason))
    }
}

/// Why an act may not be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The machine would refuse it.
    Rule(Refused),
    /// It would send what a hold keeps back.
    Held(Hold),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(rule) => write!(f, "{rule}"),
            Self::Held(hold) => write!(f, "{} must be released first, which {hold}", hold.name),
        }
    }
}

/// Why less can be said of a saga than usual. It is listed and shown all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// This build does not know the definition: another build must run it.
    #[error(
        "This build does not know the definition {0}, so it cannot tell what the saga will do; nor will it move it."
    )]
    UnknownDefinition(String),
    /// The row says what cannot be.
    #[error("The saga's row cannot be right: {0}. Nothing moves the saga before that is mended.")]
    Broken(BrokenInvariant),
    /// The row does not decode.
    #[error("The saga's row cannot be read: {0}. Nothing moves the saga before that is mended.")]
    Unreadable(String),
}

/// One saga, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Why less can be said than usual.
    pub trouble: Option<Trouble>,
    /// Where it stands; `None` only if its row cannot be read.
    pub place: Option<Place>,
    /// What happened, in order.
    pub past: Vec<Past>,
    /// What is missing in the past, if anything is.
    pub gap: Option<String>,
    /// What it waits for.
    pub waiting: Option<Waiting>,
    /// When it acts next by itself, and what it will then do; `None` if it never does.
    pub upcoming: Option<Upcoming>,
    /// What the participant's ledger says; `None` if it was not asked or there is nothing to ask about.
    pub ledger: Option<LedgerSays>,
    /// Where it may come to rest if nobody acts; `None` if it rests already, or if that cannot be told.
    pub outlook: Option<Outlook>,
    /// What may be done now.
    pub offers: Vec<Offer>,
    /// What keeps its command back, if something does: nothing goes on before that is released.
    pub hold: Option<Hold>,
    /// What may not be done now, and why.
    pub refused: Vec<(Verb, Obstacle)>,
}

impl Explanation {
    /// All sentences, in the order in which they are read.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let mut sentences: Vec<String> = Vec::new();
        sentences.extend(self.trouble.as_ref().map(ToString::to_string));
        sentences.extend(self.place.as_ref().map(|place| place.sentence.clone()));
        sentences.extend(self.past.iter().map(|past| past.sentence.clone()));
        sentences.extend(self.gap.clone());
        sentences.extend(self.waiting.as_ref().map(|waiting| waiting.sentence.clone()));
        sentences.extend(self.upcoming.as_ref().map(|upcoming| upcoming.sentence.clone()));
        sentences.extend(self.ledger.as_ref().map(|ledger| ledger.sentence.clone()));
        sentences.extend(self.outlook.as_ref().map(|outlook| outlook.sentence.clone()));
        sentences.extend(self.offers.iter().map(|offer| offer.sentence.clone()));
        sentences
    }
}

/// Explains one saga. Says as much as can be known, and never fails.
#[must_use]
pub fn explain(case: &Case<'_>) -> Explanation {
    // No ages below zero, whatever the clocks say.
    let case = &Case { now: case.now.max(case.saga.updated_at), ..case.clone() };
    let drawn = timeline(case.definition, case.journal, case.now);
    let trouble = match case.definition {
        None => Some(Trouble::UnknownDefinition(escape::words(&case.saga.definition.to_string()))),
        Some(definition) => machine::check(definition, case.saga).err().map(Trouble::Broken),
    };
    let by_hand = past::by_hand(&drawn);
    let told = case.journal.last().is_some_and(|last| last.version == case.saga.version) && drawn.broken.is_none();
    let without: Vec<StepPosition> =
        by_hand.iter().filter(|one| one.is_skipped()).map(|one| one.half.clone()).collect();
    let mut explanation = Explanation {
        place: Some(present::place(case, told.then_some(by_hand.as_slice()))),
        past: past::past(&drawn, case.saga),
        gap: past::gap(&drawn, case),
        ..nothing_known()
    };
    match (case.definition, trouble) {
        (Some(definition), None) => {
            // Checked above.
            let Acts { legal, refused } = acts::acts(definition, case.saga, case.now).unwrap_or_default();
            explanation.waiting = Some(present::waiting(definition, case, &drawn));
            explanation.upcoming = present::upcoming(definition, case, &without);
            explanation.ledger = present::ledger(definition, case, &without);
            explanation.outlook = present::outlook(definition, case);
            let half = StepPosition::of(definition, case.saga).map(|(half, _)| half);
            let kept_back = |act: &acts::Act| offers::sends_again(act.verb).then(|| case.hold.clone()).flatten();
            for act in legal {
                match kept_back(&act) {
                    Some(hold) => explanation.refused.push((act.verb, Obstacle::Held(hold))),
                    None => explanation.offers.push(offers::offer(act, half.as_ref(), &without, case.now)),
                }
            }
            explanation.hold = case.hold.clone().filter(|_| !case.saga.has_ended());
            if let (Some(Knowledge::Known(Answer::Rejected(reason))), Some(half), State::Stuck { .. }) =
                (&case.ledger, &half, &case.saga.state)
            {
                offers::retry_is_in_vain(&mut explanation.offers, half, reason);
            }
            explanation.refused.extend(refused.into_iter().map(|act| (act.verb, Obstacle::Rule(act.rule))));
        }
        (_, trouble) => explanation.trouble = trouble,
    }
    explanation
}

/// A saga whose row cannot be read; `why` is what the decoder said.
#[must_use]
pub fn unreadable(why: &str) -> Explanation {
    Explanation { trouble: Some(Trouble::Unreadable(escape::words(why))), ..nothing_known() }
}

fn nothing_known() -> Explanation {
    Explanation {
        trouble: None,
        place: None,
        past: Vec::new(),
        gap: None,
        waiting: None,
        upcoming: None,
        ledger: None,
        outlook: None,
        offers: Vec::new(),
        hold: None,
        refused: Vec::new(),
    }
}
