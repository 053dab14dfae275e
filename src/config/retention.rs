//! How long finished sagas are kept.

use super::{at_least, human, within};
use baton_orchestrator::workers::retention::Policy;
use serde::Deserialize;
use std::time::Duration;

/// Callers wait for the end up to 30 s, and watchers ask every ten at the latest: within a minute after a saga's end all of
/// them have seen it.
const SHORTEST: Duration = Duration::from_secs(60);

/// Most sagas one step may look at. A step is one transaction, and a thousand sagas are some megabytes of its log.
const LARGEST_STEP: usize = 1_000;

/// How long finished sagas are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionConfig {
    /// How long after its end; `None` for ever.
    #[serde(deserialize_with = "human::kept")]
    pub keep: Option<Duration>,
    /// Sagas one step looks at, 1 or more.
    pub step: u32,
}

impl RetentionConfig {
    /// What the orchestrator is given.
    #[must_use]
    pub fn policy(&self) -> Option<Policy> {
        self.keep.map(|keep| Policy { keep, step: self.step })
    }

    /// Its ranges; a saga must be kept longer than each of `others`, by key: for so long somebody may still speak of it.
    pub(super) fn validate(&self, others: &[(&str, Duration)]) -> Result<(), String> {
        within("retention.step", self.step as usize, 1, LARGEST_STEP)?;
        let Some(keep) = self.keep else { return Ok(()) };
        at_least("retention.keep", keep, SHORTEST)?;
        match others.iter().find(|(_, other)| keep <= *other) {
            None => Ok(()),
            Some((key, other)) => Err(format!(
                "retention.keep: {} s is not longer than {key}, {} s; until then somebody may speak of a finished saga",
                keep.as_secs(),
                other.as_secs()
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(keep: u64, step: u32) -> Option<String> {
        let keep = Some(Duration::from_secs(keep));
        RetentionConfig { keep, step }.validate(&[("bus.confirm_timeout", Duration::from_secs(3_600))]).err()
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_its_key() {
        assert_eq!(problem(3_601, 200), None);
        let said = |keep, step| problem(keep, step).expect("it is refused");
        assert_eq!(said(59, 200), "retention.keep: 59000000 us is too short, 60000 ms is the least");
        let late = said(3_600, 200);
        assert!(late.starts_with("retention.keep: 3600 s is not longer than bus.confirm_timeout, 3600 s"), "{late}");
        assert_eq!(said(3_601, 0), "retention.step: 0 is not within 1 to 1000");
        let off = RetentionConfig { keep: None, step: 200 };
        assert!(off.validate(&[("bus.confirm_timeout", Duration::MAX)]).is_ok() && off.policy().is_none());
    }
}
