//! What to do with each command of a batch, given what the ledger holds. Pure.

use crate::participant::{Answer, Command, CommandDirection, CommandKey};
use crate::reason::{DEADLINE_PASSED, UNDONE_BEFORE_ACTION};
use std::collections::{HashMap, HashSet};

/// The ledger's answers for the sagas of a batch.
pub type Stored = HashMap<CommandKey, Answer>;

/// What to do with one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The ledger holds the answer: say it again.
    Known(Answer),
    /// An answer that is not stored.
    Pass(Answer),
    /// Let the participant handle it, store its answer.
    Handle,
    /// An undo without an action that is handled all the same: the late action is refused as after a tombstone.
    HandleAndBury,
    /// An undo without an action: store a refusal for the action, and that the undo is done.
    Tombstone,
    /// An undo of an action that was refused: store that the undo is done.
    NothingToUndo,
}

/// Which rules a ledger follows. There is one set of rules; the feature `planted-bugs` can break them one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The rule that is broken, if any.
    #[cfg(feature = "planted-bugs")]
    pub planted: Option<PlantedBug>,
}

/// A defect on purpose.
#[cfg(feature = "planted-bugs")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlantedBug {
    /// A known command is handled again.
    NoLedgerCheck,
    /// An undo without an action leaves nothing that refuses the late action.
    NoTombstone,
    /// Deliveries are acknowledged before their transaction.
    AckBeforeCommit,
    /// Refusals are forgotten.
    RejectionNotStored,
    /// A command is begun again while it is in hand.
    BeginsTwice,
    /// A command that was in hand once is taken for being so for ever.
    NeverLetsGo,
}

impl Decision {
    /// True if the participant's handler runs.
    #[must_use]
    pub fn is_handled(&self) -> bool {
        matches!(self, Self::Handle | Self::HandleAndBury)
    }

    /// True if the step's action is refused from now on.
    #[must_use]
    pub fn buries(&self) -> bool {
        matches!(self, Self::Tombstone | Self::HandleAndBury)
    }
}

impl Rules {
    /// True if known commands are answered from the ledger.
    pub(crate) fn check_ledger(self) -> bool {
        #[cfg(feature = "planted-bugs")]
        if self.planted == Some(PlantedBug::NoLedgerCheck) {
            return false;
        }
        true
    }

    /// True if an undo without an action leaves a tombstone.
    pub(crate) fn leave_tombstones(self) -> bool {
        #[cfg(feature = "planted-bugs")]
        if self.planted == Some(PlantedBug::NoTombstone) {
            return false;
        }
        true
    }

    /// True if deliveries are acknowledged only after the commit.
    pub(crate) fn acknowledge_last(self) -> bool {
        #[cfg(feature = "planted-bugs")]
        if self.planted == Some(PlantedBug::AckBeforeCommit) {
            return false;
        }
        true
    }

    /// True if a command that is in hand is dropped from later deliveries.
    pub(crate) fn drop_in_hand(self) -> bool {
        #[cfg(feature = "planted-bugs")]
        if self.planted == Some(PlantedBug::BeginsTwice) {
            return false;
        }
        true
    }

    /// True if a command is in hand only as long as its batch is under way.
    #[cfg(feature = "planted-bugs")]
    pub(crate) fn let_go(self) -> bool {
        self.planted != Some(PlantedBug::NeverLetsGo)
    }

    /// True if refusals are stored.
    pub(crate) fn store_rejections(self) -> bool {
        #[cfg(feature = "planted-bugs")]
        if self.planted == Some(PlantedBug::RejectionNotStored) {
            return false;
        }
        true
    }
}

/// Decides for each command, in order. The keys must be distinct. `always` names undos that are handled even though
/// their action never came. An action whose undo leaves a tombstone in this same batch is refused by it: the
/// orchestrator has given it up already.
#[must_use]
pub fn plan(rules: Rules, always: &[&str], commands: &[Command], stored: &Stored, now_us: i64) -> Vec<Decision> {
    let decided = commands.iter().map(|command| decide(rules, always, command, stored, now_us));
    let mut decisions = decided.collect::<Vec<_>>();
    if rules.leave_tombstones() {
        let buried = commands.iter().zip(&decisions).filter(|(_, decision)| decision.buries());
        let buried = buried.map(|(command, _)| command.key.with(CommandDirection::Action)).collect::<HashSet<_>>();
        for (command, decision) in commands.iter().zip(&mut decisions) {
            if buried.contains(&command.key) {
                *decision = Decision::Known(tombstone());
            }
        }
    }
    decisions
}

/// The refusal that a tombstone is.
#[must_use]
pub fn tombstone() -> Answer {
    Answer::rejected(UNDONE_BEFORE_ACTION, "the undo of this action came before it")
}

fn decide(rules: Rules, always: &[&str], command: &Command, stored: &Stored, now_us: i64) -> Decision {
    if rules.check_ledger()
        && let Some(answer) = stored.get(&command.key)
    {
        return Decision::Known(answer.clone());
    }
    match command.key.direction {
        CommandDirection::Action if command.deadline_us != 0 && now_us > command.deadline_us => {
            Decision::Pass(Answer::unavailable(DEADLINE_PASSED, "the deadline had passed on arrival"))
        }
        CommandDirection::Action => Decision::Handle,
        CommandDirection::Undo if command.effect_before_saga => Decision::Handle,
        CommandDirection::Undo => match stored.get(&command.key.with(CommandDirection::Action)) {
            Some(Answer::Succeeded { .. }) => Decision::Handle,
            Some(Answer::Rejected { .. } | Answer::Unavailable { .. }) => Decision::NothingToUndo,
            None if always.contains(&command.name.as_str()) => Decision::HandleAndBury,
            None => Decision::Tombstone,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Decision, Rules, Stored, plan, tombstone};
    use crate::participant::{Answer, Command, CommandDirection, CommandKey};
    use bytes::Bytes;

    fn command(direction: CommandDirection, effect_before_saga: bool, deadline_us: i64) -> Command {
        let key = CommandKey { saga: [1; 16], step: 2, direction };
        let (name, traceparent) = ("toy.add".to_owned(), String::new());
        Command { key, attempt: 1, name, payload: Bytes::new(), deadline_us, traceparent, effect_before_saga }
    }

    fn one(command: &Command, stored: &[(CommandDirection, Answer)]) -> Decision {
        let stored = stored.iter().map(|(side, answer)| (command.key.with(*side), answer.clone())).collect::<Stored>();
        plan(Rules::default(), &[], std::slice::from_ref(command), &stored, 100).remove(0)
    }

    #[test]
    fn every_case_of_the_ledger() {
        let action = command(CommandDirection::Action, false, 0);
        let undo = command(CommandDirection::Undo, false, 0);
        let before = command(CommandDirection::Undo, true, 0);
        let done = Answer::done();
        assert_eq!(one(&action, &[]), Decision::Handle);
        assert_eq!(one(&action, &[(CommandDirection::Action, done.clone())]), Decision::Known(done.clone()));
        assert_eq!(one(&action, &[(CommandDirection::Action, tombstone())]), Decision::Known(tombstone()));
        assert_eq!(one(&undo, &[]), Decision::Tombstone);
        assert_eq!(one(&undo, &[(CommandDirection::Action, done.clone())]), Decision::Handle);
        assert_eq!(one(&undo, &[(CommandDirection::Action, tombstone())]), Decision::NothingToUndo);
        assert_eq!(one(&undo, &[(CommandDirection::Undo, done.clone())]), Decision::Known(done.clone()));
        assert_eq!(one(&before, &[]), Decision::Handle);
        assert_eq!(one(&before, &[(CommandDirection::Undo, done.clone())]), Decision::Known(done));
    }

    #[test]
    fn a_deadline_stops_only_actions_that_have_not_begun() {
        let late = command(CommandDirection::Action, false, 99);
        assert!(matches!(one(&late, &[]), Decision::Pass(Answer::Unavailable { .. })));
        assert!(matches!(one(&late, &[(CommandDirection::Action, Answer::done())]), Decision::Known(_)));
        assert_eq!(one(&command(CommandDirection::Action, false, 100), &[]), Decision::Handle);
        assert_eq!(one(&command(CommandDirection::Undo, true, 1), &[]), Decision::Handle);
    }

    #[test]
    fn an_action_beside_its_undo_is_refused() {
        let batch = [command(CommandDirection::Action, false, 0), command(CommandDirection::Undo, false, 0)];
        let decisions = plan(Rules::default(), &[], &batch, &Stored::new(), 0);
        assert_eq!(decisions, [Decision::Known(tombstone()), Decision::Tombstone]);
        let decisions = plan(Rules::default(), &["toy.add"], &batch, &Stored::new(), 0);
        assert_eq!(decisions, [Decision::Known(tombstone()), Decision::HandleAndBury]);
    }
}
