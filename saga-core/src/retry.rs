//! Backoff between attempts: exponential, capped, with jitter that is derived rather than drawn.

use crate::saga::{CommandId, Direction};
use std::time::Duration;

/// Attempts one budget may hold. At the longest pause of a day this already outlives any reader of the journal.
pub const MAX_ATTEMPTS: u32 = 1_000;

/// The longest pause a policy may ask for, and the longest timeout of a step.
pub const MAX_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// The shortest: below a millisecond a retry is a busy loop through the database.
pub const MIN_PAUSE: Duration = Duration::from_millis(1);

/// How often a command is attempted, and how long the machine pauses before each further attempt.
///
/// The pause after attempt `n` is `base * factor^(n - 1)`, at most `cap`, less up to half of it as jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RetryPolicy {
    base: Duration,
    factor: u32,
    cap: Duration,
    attempts: u32,
}

/// Why a retry policy is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RetryError {
    /// `base` is outside [`MIN_PAUSE`]`..=`[`MAX_PAUSE`].
    #[error("the base must lie between 1 ms and a day")]
    Base,
    /// `factor` is outside `1..=100`.
    #[error("the factor must lie between 1 and 100")]
    Factor,
    /// `cap` is below `base` or above [`MAX_PAUSE`].
    #[error("the cap must lie between the base and a day")]
    Cap,
    /// `attempts` is outside `1..=`[`MAX_ATTEMPTS`].
    #[error("attempts must lie between 1 and 1000")]
    Attempts,
}

impl RetryPolicy {
    /// Before the pivot a caller waits and unwinding is cheap: eight attempts with pauses of 0.2, 0.4 … 10 s. About a minute
    /// if each times out after 5 s, 11 to 23 s if each is answered at once with "unavailable"; then give up.
    pub const BEFORE_PIVOT: Self = Self::standard(8);

    /// An undo is all that stands between the saga and lost money. An outage of whoever must undo it, say ten minutes of a
    /// bank, must be waited out before a person is called, and most of it brings answers at once rather than
    /// timeouts: 190 attempts last 15 to 31 minutes by their pauses alone, 16 minutes more if each times out after 5 s.
    pub const UNDO: Self = Self::standard(190);

    /// A retriable step has no other way than forward, so it is given longest: 240 attempts last 19 to 39 minutes by their
    /// pauses alone, 20 minutes more if each times out after 5 s.
    pub const RETRIABLE: Self = Self::standard(240);

    /// The cap bounds how long a recovery goes unnoticed; half of it times the attempts is what is waited out at least.
    const fn standard(attempts: u32) -> Self {
        Self { base: Duration::from_millis(200), factor: 2, cap: Duration::from_secs(10), attempts }
    }

    /// A checked policy.
    ///
    /// # Errors
    /// [`RetryError`] names the first value outside its bounds.
    pub fn new(base: Duration, factor: u32, cap: Duration, attempts: u32) -> Result<Self, RetryError> {
        if !(MIN_PAUSE..=MAX_PAUSE).contains(&base) {
            return Err(RetryError::Base);
        }
        if !(1..=100).contains(&factor) {
            return Err(RetryError::Factor);
        }
        if !(base..=MAX_PAUSE).contains(&cap) {
            return Err(RetryError::Cap);
        }
        if !(1..=MAX_ATTEMPTS).contains(&attempts) {
            return Err(RetryError::Attempts);
        }
        Ok(Self { base, factor, cap, attempts })
    }

    /// The same pauses with another number of attempts.
    ///
    /// # Errors
    /// [`RetryError::Attempts`] outside `1..=`[`MAX_ATTEMPTS`].
    pub fn with_attempts(self, attempts: u32) -> Result<Self, RetryError> {
        Self::new(self.base, self.factor, self.cap, attempts)
    }

    /// The pause after the first attempt, before jitter.
    #[must_use]
    pub fn base(&self) -> Duration {
        self.base
    }

    /// What each further pause is multiplied by.
    #[must_use]
    pub fn factor(&self) -> u32 {
        self.factor
    }

    /// The longest pause.
    #[must_use]
    pub fn cap(&self) -> Duration {
        self.cap
    }

    /// Attempts in one budget, the first included.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The pause after `attempt` (from 1) of `command` brought no answer: between half and all of
    /// `min(cap, base * factor^(attempt - 1))`.
    ///
    /// The same command and attempt always give the same pause, on every machine and in every build, so that a replay
    /// of the journal is exact; different sagas spread out.
    #[must_use]
    pub fn delay(&self, command: CommandId, attempt: u32) -> Duration {
        let full_us = self.full_us(attempt);
        let half_us = full_us / 2;
        let jitter_us = hash(command, attempt) % (full_us - half_us + 1);
        Duration::from_micros(half_us + jitter_us)
    }

    fn full_us(&self, attempt: u32) -> u64 {
        // Both are at most a day by construction, so microseconds fit.
        let base_us = u64::try_from(self.base.as_micros()).unwrap_or(u64::MAX);
        let cap_us = u64::try_from(self.cap.as_micros()).unwrap_or(u64::MAX);
        u64::from(self.factor)
            .checked_pow(attempt.saturating_sub(1))
            .and_then(|growth| growth.checked_mul(base_us))
            .map_or(cap_us, |us| us.min(cap_us))
    }
}

/// FNV-1a over saga id, step, direction (0 action, 1 undo) and attempt (little endian), then the splitmix64 finaliser,
/// because FNV alone leaves the low bits of similar ids similar. Written out here so that no library's next version
/// can change what a journal replays to.
fn hash(command: CommandId, attempt: u32) -> u64 {
    let direction = match command.direction {
        Direction::Action => 0,
        Direction::Undo => 1,
    };
    let bytes = command.saga.0.into_iter().chain([command.step, direction]).chain(attempt.to_le_bytes());
    let mut h = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    h ^ (h >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saga::SagaId;
    use proptest::prelude::*;

    fn command(id: u8) -> CommandId {
        CommandId { saga: SagaId([id; 16]), step: 3, direction: Direction::Action }
    }

    #[test]
    fn bounds_are_checked() {
        let ms = Duration::from_millis;
        assert_eq!(RetryPolicy::new(ms(0), 2, ms(10), 3), Err(RetryError::Base));
        assert_eq!(RetryPolicy::new(ms(1), 0, ms(10), 3), Err(RetryError::Factor));
        assert_eq!(RetryPolicy::new(ms(1), 101, ms(10), 3), Err(RetryError::Factor));
        assert_eq!(RetryPolicy::new(ms(11), 2, ms(10), 3), Err(RetryError::Cap));
        assert_eq!(RetryPolicy::new(ms(1), 2, MAX_PAUSE + ms(1), 3), Err(RetryError::Cap));
        assert_eq!(RetryPolicy::new(ms(1), 2, ms(10), 0), Err(RetryError::Attempts));
        assert_eq!(RetryPolicy::new(ms(1), 2, ms(10), 1_001), Err(RetryError::Attempts));
        assert!(RetryPolicy::new(ms(1), 1, MAX_PAUSE, 1_000).is_ok());
        assert_eq!(RetryPolicy::UNDO.with_attempts(0), Err(RetryError::Attempts));
    }

    /// Stored journals replay with these very pauses: a change here is a change of the stored format.
    #[test]
    fn pauses_are_stable_for_ever() {
        let pauses: Vec<u128> =
            (1..=4).map(|attempt| RetryPolicy::BEFORE_PIVOT.delay(command(7), attempt).as_micros()).collect();
        assert_eq!(pauses, PINNED);
    }
    const PINNED: [u128; 4] = [150_205, 378_030, 424_626, 1_003_012];

    /// A participant that answers "unavailable" at once spends no timeouts, only pauses, and jitter may halve those.
    #[test]
    fn an_outage_that_fails_at_once_is_waited_out() {
        for policy in [RetryPolicy::UNDO, RetryPolicy::RETRIABLE] {
            let least: Duration = (1..policy.attempts()).map(|n| Duration::from_micros(policy.full_us(n) / 2)).sum();
            assert!(least >= Duration::from_secs(15 * 60), "{policy:?} gives up after {least:?}");
            for id in 0..=255 {
                let waited: Duration = (1..policy.attempts()).map(|n| policy.delay(command(id), n)).sum();
                assert!(waited >= least && waited <= Duration::from_secs(40 * 60), "{waited:?}");
            }
        }
        assert!(RetryPolicy::UNDO.attempts() < RetryPolicy::RETRIABLE.attempts());
    }

    #[test]
    fn sagas_spread_out() {
        let mut pauses: Vec<Duration> = (0..=255).map(|id| RetryPolicy::UNDO.delay(command(id), 1)).collect();
        pauses.sort();
        pauses.dedup();
        assert!(pauses.len() > 240, "only {} different pauses of 256", pauses.len());
    }

    proptest! {
        #[test]
        fn a_pause_lies_between_half_and_all(id: u8, attempt in 0_u32..2_000, base in 1_u64..5_000, factor in 1_u32..=100) {
            let base = Duration::from_millis(base);
            let policy = RetryPolicy::new(base, factor, base * 7, 1_000).unwrap();
            let pause = policy.delay(command(id), attempt);
            let full = Duration::from_micros(policy.full_us(attempt));
            prop_assert!(full <= policy.cap() && full >= base);
            prop_assert!(pause >= full / 2 && pause <= full);
        }
    }
}
