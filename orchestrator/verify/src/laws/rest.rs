//! Laws of progress: at rest nothing is under way; live nothing is overdue.

use super::{Case, Found, Law, Mode};
use saga_core::saga::State;

/// A saga whose deadline passed this long ago has been forgotten: the waker looks every second, and its longest look takes
/// a few.
const OVERDUE_US: i64 = 60_000_000;

/// I17.
pub const AT_REST: Law = Law {
    id: "I17",
    name: "every saga has ended, is stuck or was paused, and none of its commands waits",
    unit: "sagas",
    live: false,
    check: at_rest,
};

/// I17.
pub const NOT_OVERDUE: Law = Law {
    id: "I17",
    name: "no saga's deadline passed more than a minute ago",
    unit: "active sagas",
    live: true,
    check: not_overdue,
};

fn at_rest(case: &Case<'_>, found: &mut Found) {
    let Some(saga) = case.saga() else { return };
    let resting = match &saga.state {
        State::Completed | State::Compensated { .. } | State::Stuck { .. } | State::Paused { .. } => true,
        State::Running { .. } | State::Compensating { .. } => false,
    };
    found.expect(resting && case.dossier.pending.is_empty(), || {
        let (state, waiting) = (saga.state.name(), case.dossier.pending.len());
        format!("{} is {state}, {waiting} of its commands wait in the outbox", case.name())
    });
}

fn not_overdue(case: &Case<'_>, found: &mut Found) {
    let (Mode::Live, Some(now), Some(wake_at)) = (case.mode, case.now_us, case.saga().and_then(|saga| saga.wake_at()))
    else {
        return;
    };
    let late_us = now.saturating_sub(wake_at.0);
    found.expect(late_us <= OVERDUE_US, || {
        format!("{}: its deadline passed more than {} s ago", case.name(), late_us / 1_000_000 / 60 * 60)
    });
}
