//! How a batch of commands is answered from the book and the watch list, in memory: what was found out in, answers out.

use crate::claim::{Book, ClaimRefusal, Claimant, SagaId};
use crate::command::Verify;
use crate::gateway::Lookup;
use crate::reason;
use crate::refund::{self, Nothing, Outcome};
use crate::verify::{Judgement, judge};
use crate::watch::{Watch, WatchState, Watchlist};
use baton_participant_kit::participant::{Answer, Command};
use baton_rpc::reason::Reason;
use std::collections::BTreeSet;
use std::time::Duration;

/// What was found out about a command before its transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// What the provider says about a payment to be verified.
    Verify(Verify, Lookup),
    /// What became of a payment to be sent back.
    Cancel(Claimant, Outcome),
    /// The command says nothing that could be done.
    Answered(Answer),
}

/// Both tables of a batch, and the time.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) book: Book,
    pub(crate) watchlist: Watchlist,
    /// How long a verification waits for its payment.
    pub(crate) patience: Duration,
    pub(crate) now_us: i64,
}

/// The sagas of a batch whose row of the watch list must be read. A first attempt that finds its payment has none: nobody has
/// waited for it yet.
pub(crate) fn watched(batch: &[(Command, Prepared)]) -> BTreeSet<SagaId> {
    let concerns = |(command, prepared): &&(Command, Prepared)| match prepared {
        Prepared::Verify(verify, found) => match judge(verify, found) {
            Judgement::NotYet(..) => true,
            Judgement::Fits(_) => command.attempt > 1,
            Judgement::Answered(_) => false,
        },
        Prepared::Cancel(_, outcome) => !matches!(outcome, Outcome::Unanswered(_)),
        Prepared::Answered(_) => false,
    };
    batch.iter().filter(concerns).map(|(command, _)| command.key.saga).collect()
}

impl Desk {
    pub(crate) fn answer(&mut self, prepared: &Prepared) -> Answer {
        match prepared {
            Prepared::Verify(verify, found) => match judge(verify, found) {
                Judgement::Fits(_) => self.claimed(verify),
                Judgement::NotYet(reason, text) => self.not_yet(&verify.claimant, reason, text),
                Judgement::Answered(answer) => answer,
            },
            Prepared::Cancel(claimant, outcome) => self.cancelled(claimant, outcome),
            Prepared::Answered(answer) => answer.clone(),
        }
    }

    fn claimed(&mut self, verify: &Verify) -> Answer {
        match self.book.claim(&verify.claimant, verify.money, self.now_us) {
            Ok(()) => {
                self.watchlist.remove(verify.claimant.saga);
                Answer::done()
            }
            Err(ClaimRefusal::Closed) => closed(),
            Err(ClaimRefusal::Taken) => {
                Answer::rejected(reason::PAYMENT_ALREADY_CLAIMED, "the payment is taken or was refunded")
            }
        }
    }

    /// Waits from the first time that the payment was not there, however often and by whomever it is asked since.
    fn not_yet(&mut self, claimant: &Claimant, reason: Reason, text: &'static str) -> Answer {
        if self.book.is_closed(claimant.saga) {
            return closed();
        }
        if self.patience.is_zero() {
            return Answer::rejected(reason, text);
        }
        let waits = match self.watchlist.get(claimant.saga) {
            None => {
                self.watchlist.put(Watch::awaited(claimant, reason, self.now_us));
                true
            }
            // A clock that was set back waits longer, within the attempts of the step.
            Some(watch) => {
                let waited = u64::try_from(self.now_us.saturating_sub(watch.since_us)).unwrap_or(0);
                watch.state == WatchState::Awaited && Duration::from_micros(waited) < self.patience
            }
        };
        if waits { Answer::unavailable(reason::PAYMENT_NOT_YET, text) } else { Answer::rejected(reason, text) }
    }

    /// Books what became of a refund, and answers it.
    fn cancelled(&mut self, claimant: &Claimant, outcome: &Outcome) -> Answer {
        let payment_id = claimant.payment_id.as_str();
        match outcome {
            Outcome::SentBack => {
                self.book.finish_refund(claimant, self.now_us);
                self.watchlist.remove(claimant.saga);
                Answer::done()
            }
            // The provider has shown this payment paid before, so that it contradicts itself. "Done" would close the refund for
            // ever with the money still there; so it comes again, and at last a person is called.
            Outcome::NothingToDo(why) if self.book.owes(claimant) => {
                tracing::warn!(payment_id, why = %why.reason(), "a payment that was there cannot be refunded");
                refund::unavailable("the provider lost sight of the payment")
            }
            Outcome::NothingToDo(why) => {
                tracing::info!(payment_id, why = %why.reason(), "nothing to refund so far");
                self.give_up(claimant, *why);
                Answer::done()
            }
            // Changes nothing: the command comes again.
            Outcome::Unanswered(answer) => answer.clone(),
        }
    }

    /// The saga may end, and the payment is looked at again.
    fn give_up(&mut self, claimant: &Claimant, why: Nothing) {
        if self.watchlist.get(claimant.saga).is_some_and(|watch| watch.state != WatchState::Awaited) {
            return;
        }
        let watch = Watch::given_up(claimant, why.reason(), why.held(), self.now_us);
        self.watchlist.put(match why {
            Nothing::Unknown | Nothing::NotPaid | Nothing::OtherOrder(_) => watch,
            // An order has one saga: whose the money is can only be said by a person.
            Nothing::OtherSaga(held) => watch.opened(why.reason().as_str(), Some(held), self.now_us),
        });
    }
}

fn closed() -> Answer {
    Answer::rejected(reason::PAYMENT_CANCELLED, "the saga has cancelled the payment")
}
