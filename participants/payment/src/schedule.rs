//! When a payment on the watch list is looked at again. Pure: times in, times out; all of them microseconds since the epoch.

use std::time::Duration;

const SECOND: u64 = 1;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// How long after its saga has given up a payment that was not there is looked at: after seconds, for what only took its time;
/// after minutes and hours, for a customer who went on; after a day, for what a bank settles over night. Then never again.
pub(crate) const LOOKS: [Duration; 7] = [
    Duration::from_secs(5 * SECOND),
    Duration::from_secs(30 * SECOND),
    Duration::from_secs(5 * MINUTE),
    Duration::from_secs(30 * MINUTE),
    Duration::from_secs(2 * HOUR),
    Duration::from_secs(8 * HOUR),
    Duration::from_secs(DAY),
];

/// Pause after a look that the provider did not answer: such a look does not count.
const UNANSWERED_PAUSE: Duration = Duration::from_secs(MINUTE);

/// If by then the last look has not been answered, somebody must be told.
const UNANSWERED_FOR: Duration = Duration::from_secs(DAY + 2 * HOUR);

/// Pause between two looks at an open case, to see whether somebody has settled it.
const OPEN_PAUSE: Duration = Duration::from_secs(HOUR);

/// An open case is looked at for so long. It stays open afterwards.
const OPEN_FOR: Duration = Duration::from_secs(30 * DAY);

/// How long a payment that a verification waits for is left alone. Its saga has claimed it or given it up long before, unless
/// it is halted, or an operator has skipped its undo.
pub(crate) const AWAITED_FOR: Duration = Duration::from_secs(7 * DAY);

/// A time so long after another.
pub(crate) fn after(us: i64, duration: Duration) -> i64 {
    us.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
}

/// When to look next at a payment that was given up at `since_us`; `None` if it has been looked at for long enough. Only its age
/// counts, and not how often it was looked at: looks that were missed are not made up for, and those that an instance with a
/// wrong clock takes too early cost no later one.
pub(crate) fn next_look(since_us: i64, now_us: i64) -> Option<i64> {
    let planned = LOOKS.iter().map(|age| after(since_us, *age)).find(|at| *at > now_us)?;
    Some(planned.max(after(now_us, LOOKS[0])))
}

/// When to look again after a look that was not answered; `None` if it has lasted too long.
pub(crate) fn unanswered(since_us: i64, now_us: i64) -> Option<i64> {
    (now_us < after(since_us, UNANSWERED_FOR)).then(|| after(now_us, UNANSWERED_PAUSE))
}

/// When to look at an open case again; `None` if it is too old.
pub(crate) fn open(since_us: i64, now_us: i64) -> Option<i64> {
    (now_us < after(since_us, OPEN_FOR)).then(|| after(now_us, OPEN_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;

    #[test]
    fn looks_follow_each_other_over_a_day_and_end() {
        let mut looks = Vec::new();
        let mut now = 0;
        while let Some(at) = next_look(0, now) {
            looks.push(at / S);
            now = at;
        }
        assert_eq!(looks, [5, 30, 300, 1_800, 7_200, 28_800, 86_400]);
    }

    #[test]
    fn looks_that_were_missed_are_not_made_up_for_and_early_ones_cost_none() {
        // The process was away for three hours.
        assert_eq!(next_look(0, 10_800 * S), Some(28_800 * S));
        for now in [6, 10, 24] {
            assert_eq!(next_look(0, now * S), Some(30 * S));
        }
        assert_eq!(next_look(0, 29 * S), Some(34 * S), "not at once");
        // A clock that was set back puts nothing off for longer than that.
        assert_eq!(next_look(3_600 * S, 0), Some(3_605 * S));
    }

    #[test]
    fn what_is_never_answered_and_what_stays_open_has_an_end() {
        assert_eq!(unanswered(0, 10 * S), Some(70 * S));
        assert_eq!(unanswered(0, 26 * 3_600 * S), None);
        assert_eq!(open(0, 10 * S), Some(3_610 * S));
        assert_eq!(open(0, 30 * 86_400 * S), None);
    }
}
