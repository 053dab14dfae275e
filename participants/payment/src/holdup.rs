//! What a pause that the provider asks for does to a batch of commands: as little of their attempts as can be.
//!
//! An attempt is spent by an answer, and a step has few of them. So commands that are not sent because of a pause are answered
//! late: within a short pause not at all before it has ended, and the calls are then made within the same attempt; behind a
//! longer one just before their step would time out. Eight attempts last 43 seconds at least that way, and 190 half an hour.

use crate::gateway::PaymentGateway;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// A pause that has ended by then is waited out. Below the time in which a batch may begin calls (3 s).
const WAITED_OUT: Duration = Duration::from_millis(2_500);

/// Otherwise the batch is answered this long after it began: before its step times out (5 s), with a second for the way.
const ANSWERED_LATE: Duration = Duration::from_secs(4);

/// When a batch began, for what it has to wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holdup(pub(crate) Instant);

impl Holdup {
    /// Waits out a pause that is short enough. Behind a longer one the gateway refuses every call by itself.
    pub(crate) async fn before_calls(self, gateway: &dyn PaymentGateway) {
        let Some(left) = gateway.pause() else { return };
        let end = Instant::now() + left;
        if end <= self.0 + WAITED_OUT {
            sleep_until(end).await;
        }
    }

    /// Waits until the batch may be answered, if a pause has left anything in it unanswered.
    pub(crate) async fn before_answers(self, gateway: &dyn PaymentGateway, is_unanswered: bool) {
        if is_unanswered && gateway.pause().is_some() {
            sleep_until(self.0 + ANSWERED_LATE).await;
        }
    }
}
