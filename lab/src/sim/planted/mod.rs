//! Defects on purpose, each with the invariants that must notice it: the proof that the simulator's checks can fail.

pub mod elsewhere;
mod tables;

use super::cast::Twist;
use super::plant::AdapterBug;
use super::run::{Options, run};
use baton_orchestrator::engine::planted::{EngineBug, Plant};
use baton_orchestrator::operations::memory::defect::Defect;
use baton_orchestrator::wiring::Settings;
use baton_participant_kit::participant::{Answer, Command};
use baton_participant_kit::plan::{PlantedBug, Rules};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tables::{
    late_success_ignored, no_deadline_after_retry, old_unavailable_counts, stored_rejection_taken_for_success,
    undo_past_the_pivot, undos_in_forward_order,
};

/// One defect.
pub struct Planted {
    /// Its name.
    pub name: &'static str,
    /// What is wrong then.
    pub what: &'static str,
    /// Invariants that must break, each in some seed.
    pub breaks: &'static [&'static str],
    options: fn() -> Options,
}

/// Seeds a defect may take to be noticed. The sound code passes them all.
pub const SEEDS: u64 = 400;

/// By invariant: the first seed that noticed the defect by it, and what it said.
pub type Caught = BTreeMap<&'static str, (u64, String)>;

impl Planted {
    /// Runs seeds until every invariant that is there for the defect has noticed it, at most so many.
    #[must_use]
    pub fn caught_within(&self, seeds: u64) -> Caught {
        let mut caught = Caught::new();
        for seed in 0..seeds {
            if self.breaks.iter().all(|invariant| caught.contains_key(invariant)) {
                break;
            }
            let outcome = run(seed, &(self.options)());
            for failure in outcome.failures.iter().filter(|one| self.breaks.contains(&one.invariant)) {
                caught.entry(failure.invariant).or_insert_with(|| (seed, failure.what.clone()));
            }
        }
        caught
    }
}

fn adapter(bug: AdapterBug) -> Options {
    Options { adapter: Some(bug), ..Options::default() }
}

fn kit(bug: PlantedBug) -> Options {
    Options { rules: Rules { planted: Some(bug) }, ..Options::default() }
}

fn engine(plant: Plant) -> Options {
    Options { engine: Some(plant), ..Options::default() }
}

fn twist(twist: impl Twist) -> Options {
    Options { twist: Arc::new(twist), ..Options::default() }
}

fn paused(settings: Settings) -> Options {
    Options { settings: Some(settings), ..Options::default() }
}

fn operations(defect: Defect) -> Options {
    Options { defect: Some(defect), ..Options::default() }
}

/// An answer in place of a participant's own.
#[derive(Debug)]
struct Lie {
    command: &'static str,
    reason: &'static str,
}

impl Twist for Lie {
    fn instead(&self, command: &Command) -> Option<Answer> {
        (self.reason.is_empty() && command.name == self.command).then(Answer::done)
    }

    fn after(&self, command: &Command, answer: Answer) -> Answer {
        let lies = command.name == self.command && !self.reason.is_empty() && answer.reason() == self.reason;
        if lies { Answer::done() } else { answer }
    }
}

macro_rules! planted {
    ($name:literal, $what:literal, [$($breaks:literal),+], $options:expr) => {
        Planted { name: $name, what: $what, breaks: &[$($breaks),+], options: || $options }
    };
}

/// Every planted defect.
pub const ALL: &[Planted] = &[
    planted!(
        "send-before-commit",
        "commands go out before their state is durable",
        ["I14"],
        engine(|bus| EngineBug::SendBeforeCommit(bus.clone()))
    ),
    planted!(
        "engine-ack-before-commit",
        "replies are acknowledged before they are applied",
        ["I15"],
        engine(|_| EngineBug::AckBeforeCommit)
    ),
    planted!(
        "never-sent-again",
        "a command that was lost is not sent again",
        ["I14"],
        engine(|_| EngineBug::NeverSendAgain)
    ),
    planted!(
        "clock-runs-while-away",
        "the time of an attempt goes on while the courier is away",
        ["I14"],
        engine(|_| EngineBug::ClockRunsWhileAway)
    ),
    planted!(
        "sent-again-as-an-attempt",
        "sending a command again gives its attempt up",
        ["I15"],
        engine(|_| EngineBug::SendingAgainIsAnAttempt)
    ),
    planted!(
        "late-success-ignored",
        "an answer that comes while the saga backs off is thrown away",
        ["I15"],
        engine(|_| EngineBug::Machine(late_success_ignored))
    ),
    planted!(
        "old-unavailable-counts",
        "a late Unavailable of an older attempt counts as the newest's",
        ["I15"],
        engine(|_| EngineBug::Machine(old_unavailable_counts))
    ),
    planted!(
        "no-deadline-after-retry",
        "a repeated command carries no deadline",
        ["I12"],
        engine(|_| EngineBug::Machine(no_deadline_after_retry))
    ),
    planted!(
        "undo-past-pivot",
        "an operator can cancel past the pivot",
        ["I12"],
        engine(|_| EngineBug::Machine(undo_past_the_pivot))
    ),
    planted!(
        "undo-order-reversed",
        "undos begin at the bottom",
        ["I12"],
        engine(|_| EngineBug::Machine(undos_in_forward_order))
    ),
    planted!(
        "refusal-taken-for-success",
        "an order without stock goes on",
        ["I15"],
        engine(|_| EngineBug::Machine(stored_rejection_taken_for_success))
    ),
    planted!("no-ledger-check", "a repeated command is carried out again", ["I6"], kit(PlantedBug::NoLedgerCheck)),
    planted!(
        "kit-ack-before-commit",
        "commands are acknowledged before their transaction",
        ["I14"],
        kit(PlantedBug::AckBeforeCommit)
    ),
    planted!(
        "rejection-not-stored",
        "a refusal is forgotten, the next try may do it",
        ["I6"],
        kit(PlantedBug::RejectionNotStored)
    ),
    planted!(
        "no-tombstone",
        "an undo without its action leaves nothing that refuses the late action",
        ["I8"],
        kit(PlantedBug::NoTombstone)
    ),
    planted!(
        "unconfirmed-believed",
        "a dead letter counts as sent again though the broker never took it",
        ["I19"],
        adapter(AdapterBug::BelievesUnconfirmed)
    ),
    planted!(
        "stream-ends-silently",
        "a consumer's stream ends and nobody notices",
        ["I17"],
        adapter(AdapterBug::StreamEndsSilently)
    ),
    planted!(
        "lost-update",
        "the store reads without locks and writes without comparing versions",
        ["I13"],
        adapter(AdapterBug::LostUpdate)
    ),
    planted!(
        "dropped-begin",
        "a transaction is dropped although its COMMIT was answered",
        ["I1"],
        adapter(AdapterBug::DroppedBegin)
    ),
    planted!(
        "unknown-is-success",
        "a lost COMMIT answer is taken for success",
        ["I14"],
        adapter(AdapterBug::UnknownIsSuccess)
    ),
    planted!(
        "unknown-is-failure",
        "a lost COMMIT answer is taken for failure",
        ["I22"],
        adapter(AdapterBug::UnknownIsFailure)
    ),
    planted!("start-keys-ignored", "the same request starts two sagas", ["I2"], adapter(AdapterBug::StartKeysIgnored)),
    planted!(
        "look-forgotten",
        "a state is committed and nobody is to look at it",
        ["I14"],
        adapter(AdapterBug::LookForgotten)
    ),
    planted!(
        "own-sagas-only",
        "an orchestrator looks only at what it has moved itself, so that nobody takes over what a dead one left",
        ["I17"],
        adapter(AdapterBug::LooksAtItsOwn)
    ),
    planted!(
        "ledger-forgets",
        "a ledger drops answers while their sagas are under way",
        ["I6"],
        adapter(AdapterBug::LedgerForgets)
    ),
    planted!(
        "journal-forgotten",
        "a state is committed without its journal entry",
        ["I12"],
        adapter(AdapterBug::JournalForgotten)
    ),
    planted!(
        "second-refund",
        "a refund looks at an old balance and compares none",
        ["I5"],
        adapter(AdapterBug::SecondRefund)
    ),
    planted!(
        "stock-without-condition",
        "stock is promised whether or not it is there",
        ["I3"],
        twist(Lie { command: "stock.reserve", reason: "OUT_OF_STOCK" })
    ),
    planted!(
        "others-payment-accepted",
        "a payment made under another number is accepted",
        ["I4"],
        twist(Lie { command: "payment.verify", reason: "PAYMENT_OF_OTHER_ORDER" })
    ),
    planted!(
        "amount-not-compared",
        "a payment of another amount is accepted",
        ["I4"],
        twist(Lie { command: "payment.verify", reason: "PAYMENT_AMOUNT_MISMATCH" })
    ),
    planted!(
        "refund-only-said",
        "a refund is answered and not made",
        ["I4"],
        twist(Lie { command: "payment.cancel", reason: "" })
    ),
    planted!(
        "undo-only-said",
        "an order's undo is answered and not made",
        ["I10"],
        twist(Lie { command: "order.reject", reason: "" })
    ),
    planted!(
        "no-waker",
        "nobody looks at sagas that wait",
        ["I17"],
        paused(Settings { waker_pause: Duration::from_secs(1_000_000), ..Settings::default() })
    ),
    planted!(
        "act-not-audited",
        "a job is created without its entry in the audit",
        ["I24"],
        operations(Defect::ActNotAudited)
    ),
    planted!("audit-rewritten", "an entry of the audit is changed later", ["I23"], operations(Defect::AuditRewritten)),
    planted!("holds-unread", "whoever looks for holds finds none", ["I26"], operations(Defect::HoldsUnread)),
    planted!(
        "marks-forgotten",
        "what a hold has paused is forgotten when it is released",
        ["I26"],
        operations(Defect::MarksForgotten)
    ),
    planted!("page-forgotten", "a job begins a page without its sagas", ["I25"], operations(Defect::PageForgotten)),
    planted!("page-counted-again", "a job counts a page twice", ["I25"], operations(Defect::PageCountedAgain)),
    planted!("ends-too-early", "a job is done with its first page", ["I25"], operations(Defect::EndsTooEarly)),
    planted!(
        "replay-only-said",
        "a dead letter is marked as sent again and is not sent",
        ["I19"],
        operations(Defect::ReplayOnlySaid)
    ),
    planted!(
        "letters-confused",
        "a dead letter with the body of another one is taken for it",
        ["I19"],
        operations(Defect::LettersConfused)
    ),
];
