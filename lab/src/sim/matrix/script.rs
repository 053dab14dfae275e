//! The adversary that does one thing: it strikes one half-step of one saga exactly as a case says.

use super::cases::{Case, Duplicate, Outcome};
use crate::sim::adversary::{Adversary, CallFate, Fate, Place, ProviderCall, Travel};
use crate::sim::cast::Twist;
use crate::sim::life::{Role, Us};
use baton_courier::bus::Destination;
use baton_participant_kit::participant::{Answer, Command, CommandDirection, CommandKey};
use baton_participant_kit::reason::STORE_UNAVAILABLE;
use saga_core::saga::Direction;
use shop_domain::reason;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How long a message travels, microseconds.
const NEAR: Us = 1_000;

/// The adversary of a case.
#[derive(Debug)]
pub struct Script {
    case: Case,
    fired: Arc<AtomicBool>,
    /// A participant has sent its answer.
    answered: bool,
    /// Participants that hold the command.
    holding: BTreeSet<usize>,
    swallowed: bool,
    duplicated: bool,
    turns: u64,
}

impl Script {
    /// A script; `fired` says afterwards whether its boundary was reached.
    #[must_use]
    pub fn new(case: Case, fired: Arc<AtomicBool>) -> Self {
        let holding = BTreeSet::new();
        Self { case, fired, answered: false, holding, swallowed: false, duplicated: false, turns: 0 }
    }

    fn is_target(&self, key: &CommandKey) -> bool {
        let direction = match self.case.half.direction {
            Direction::Action => CommandDirection::Action,
            Direction::Undo => CommandDirection::Undo,
        };
        key.step == self.case.half.step && key.direction == direction
    }

    /// The action whose answers never arrive, so that the saga must undo what it knows nothing of.
    fn is_silent(&self, key: &CommandKey) -> bool {
        key.direction == CommandDirection::Action && self.case.half.trigger == Some((key.step, true))
    }

    fn dies(&self, process: usize, role: Role, place: Place, keys: &[CommandKey]) -> bool {
        let Some((wanted, orchestrator, answered)) = self.case.boundary.place() else { return false };
        let concerned = match place {
            Place::EffectBefore | Place::EffectAfter => self.holding.contains(&process),
            _ => keys.iter().any(|key| self.is_target(key)),
        };
        wanted == place
            && orchestrator == (role == Role::Orchestrator)
            && answered.is_none_or(|answered| answered == self.answered)
            && concerned
            && !self.fired.load(Ordering::Relaxed)
    }
}

impl Adversary for Script {
    fn wants_keys(&self) -> bool {
        true
    }

    fn handed(&mut self, process: usize, role: Role, keys: &[CommandKey]) {
        if role != Role::Orchestrator && keys.iter().any(|key| self.is_target(key)) {
            self.holding.insert(process);
        }
    }

    fn at(&mut self, _now: Us, process: usize, role: Role, place: Place, keys: &[CommandKey]) -> Fate {
        let dies = self.dies(process, role, place, keys);
        let replies = role != Role::Orchestrator && keys.iter().any(|key| self.is_target(key));
        if replies && place == Place::SendAfter {
            self.answered = true;
        }
        if replies && place == Place::AckAfter {
            self.holding.remove(&process);
        }
        if dies {
            self.fired.store(true, Ordering::Relaxed);
            self.holding.remove(&process);
            return Fate::Crash;
        }
        Fate::Go
    }

    fn travel(&mut self, _now: Us, destination: &Destination, keys: &[CommandKey]) -> Travel {
        let whole = Travel { copies: vec![NEAR], confirm: Some(NEAR) };
        let is_reply = *destination == Destination::Replies;
        if is_reply && keys.iter().any(|key| self.is_silent(key)) {
            return Travel { copies: Vec::new(), confirm: Some(NEAR) };
        }
        if !keys.iter().any(|key| self.is_target(key)) {
            return whole;
        }
        let loses = match self.case.outcome {
            Outcome::DoneUnanswered => is_reply,
            Outcome::NotDoneUnanswered => !is_reply,
            Outcome::Ok | Outcome::Rejected | Outcome::Transient => false,
        };
        if loses && !std::mem::replace(&mut self.swallowed, true) {
            // Gone, and nobody hears of it: only a look finds it.
            return Travel { copies: Vec::new(), confirm: Some(NEAR) };
        }
        let twice = match self.case.duplicate {
            Duplicate::No => false,
            Duplicate::Command => !is_reply,
            Duplicate::Reply => is_reply,
        };
        if twice && !std::mem::replace(&mut self.duplicated, true) {
            return Travel { copies: vec![NEAR, 3_000_000], confirm: Some(NEAR) };
        }
        whole
    }

    fn call(&mut self, _now: Us) -> ProviderCall {
        ProviderCall { takes: NEAR, fate: CallFate::Answered }
    }

    fn probe(&mut self, _now: Us) -> bool {
        !matches!(self.case.half.trigger, Some((_, true)))
    }

    fn hint(&mut self) -> bool {
        true
    }

    fn choose(&mut self, bound: u64) -> u64 {
        // Everybody gets a turn.
        self.turns += 1;
        self.turns % bound.max(1)
    }

    fn heal(&mut self) {}

    fn counts(&self) -> BTreeMap<&'static str, u64> {
        BTreeMap::new()
    }
}

/// What participants answer in a case.
#[derive(Debug)]
pub struct Answers(pub Case);

impl Twist for Answers {
    fn instead(&self, command: &Command) -> Option<Answer> {
        let direction = match command.key.direction {
            CommandDirection::Action => Direction::Action,
            CommandDirection::Undo => Direction::Undo,
        };
        let half = &self.0.half;
        if half.trigger == Some((command.key.step, false)) && direction == Direction::Action {
            return Some(refused());
        }
        if (command.key.step, direction) != (half.step, half.direction) {
            return None;
        }
        match self.0.outcome {
            Outcome::Rejected => Some(refused()),
            Outcome::Transient if command.attempt <= 2 => Some(away()),
            Outcome::Ok | Outcome::Transient | Outcome::DoneUnanswered | Outcome::NotDoneUnanswered => None,
        }
    }

    fn after(&self, _command: &Command, answer: Answer) -> Answer {
        answer
    }
}

fn refused() -> Answer {
    Answer::rejected(reason::OUT_OF_STOCK, "as the case says")
}

fn away() -> Answer {
    Answer::unavailable(STORE_UNAVAILABLE, "as the case says")
}
