//! Laws of progress: at rest nothing is under way; live nothing is overdue.

use crate::coverage::{JOURNALS, Mode, SAGAS};
use crate::evidence::Case;
use crate::invariant::{Findings, Law};
use baton_query::filter::StateKind;

/// A saga that was to be looked at this long ago has been forgotten, or the courier is away: the waker looks several times a
/// second, and its longest look takes a few.
const OVERDUE_US: i64 = 60_000_000;

pub const AT_REST: Law =
    Law::of_saga("I17", "every saga has ended, is stuck or was paused", "sagas", &[SAGAS], at_rest).at_rest();
pub const NOT_OVERDUE: Law =
    Law::of_saga("I17", "no saga was to be looked at more than a minute ago", "active sagas", &[JOURNALS], not_overdue);

fn at_rest(case: &Case<'_>, found: &mut Findings) {
    let Some(state) = case.state() else { return };
    let resting = match state {
        StateKind::Completed | StateKind::Compensated => true,
        StateKind::Stuck | StateKind::Paused => case.mode != Mode::Finished,
        StateKind::Running | StateKind::Compensating => false,
    };
    found.expect(resting, || format!("{} is {}", case.name(), state.as_str()));
}

fn not_overdue(case: &Case<'_>, found: &mut Findings) {
    let active = case.saga().and_then(|saga| saga.wake_at());
    let (Mode::Live, Some(now), Some(look_at)) = (case.mode, case.now_us, active.and(case.evidence.look_at)) else {
        return;
    };
    let late_us = now.saturating_sub(look_at.0);
    found.expect(late_us <= OVERDUE_US, || {
        format!("{}: nobody has looked at it for {} s", case.name(), late_us / 1_000_000 / 60 * 60)
    });
}
