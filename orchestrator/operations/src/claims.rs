//! Claims on work, which end by time.

use saga_core::time::Micros;
use std::time::Duration;

/// No claim lasts longer. One that ends later was made before the clock was set back, and nobody may hold it: until then nobody would do
/// the work.
pub const LONGEST_CLAIM: Duration = Duration::from_secs(60);

/// Whether somebody's claim until then stands now.
#[must_use]
pub fn is_claim(until: Micros, now: Micros) -> bool {
    (now..=now.plus(LONGEST_CLAIM)).contains(&until)
}

#[cfg(test)]
mod tests {
    use super::is_claim;
    use saga_core::time::Micros;

    #[test]
    fn a_claim_by_a_clock_that_was_set_back_does_not_stand() {
        let at = |seconds: i64| Micros(1_700_000_000_000_000 + seconds * 1_000_000);
        assert!(is_claim(at(10), at(0)) && is_claim(at(0), at(0)));
        assert!(!is_claim(at(-1), at(0)) && !is_claim(at(3_600), at(0)));
    }
}
