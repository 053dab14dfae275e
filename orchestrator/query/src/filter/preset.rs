//! Filters that every operator needs, under names.

use super::expr::Expr;
use super::parser::parse;

/// A named filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Preset {
    /// Everything that has not ended.
    InFlight,
    /// Active sagas at their third attempt or later.
    Retrying,
    /// Sagas that sent a command of which nobody has said whether it was carried out.
    InDoubt,
    /// Sagas that undo what they did.
    Compensating,
    /// Sagas that need an operator.
    Stuck,
    /// Sagas of which an operator skipped a step or an undo.
    Skipped,
    /// Sagas whose deadline passed without anybody waking them.
    Overdue,
}

impl Preset {
    /// All of them, in the order in which lists offer them.
    pub const ALL: [Self; 7] =
        [Self::InFlight, Self::Retrying, Self::InDoubt, Self::Compensating, Self::Stuck, Self::Skipped, Self::Overdue];

    /// Its name in commands and addresses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InFlight => "in-flight",
            Self::Retrying => "retrying",
            Self::InDoubt => "in-doubt",
            Self::Compensating => "compensating",
            Self::Stuck => "stuck",
            Self::Skipped => "skipped",
            Self::Overdue => "overdue",
        }
    }

    /// What it selects, in a sentence.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::InFlight => "Everything that has not ended.",
            Self::Retrying => "Working, and at the third attempt or later.",
            Self::InDoubt => "Sent a command of which nobody has said yet whether it was carried out.",
            Self::Compensating => "Undoing what was done.",
            Self::Stuck => "Parked: needs an operator.",
            Self::Skipped => "Goes on, or has ended, without a step or an undo that an operator skipped.",
            Self::Overdue => "Should have acted more than 5 seconds ago, and nobody woke it.",
        }
    }

    /// The filter it stands for.
    #[must_use]
    pub fn filter(self) -> &'static str {
        match self {
            Self::InFlight => "state = running OR state = compensating OR state = stuck OR state = paused",
            Self::Retrying => "(state = running OR state = compensating) AND attempt >= 3",
            // A first attempt that is still waited for is no doubt yet; behind every pause and every further attempt stands
            // one that was not answered, and a paused saga does not wait for the answer to what it sent.
            Self::InDoubt => {
                "(state = running OR state = compensating OR state = paused) \
                 AND (attempt >= 2 OR wait = backoff OR (state = paused AND attempt = 1))"
            }
            Self::Compensating => "state = compensating",
            Self::Stuck => "state = stuck",
            Self::Skipped => "skipped:*",
            // Due sagas are woken within about a second; without the margin this list would never be empty.
            Self::Overdue => "next_wake < -5s",
        }
    }

    /// The preset of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// The filter, parsed.
    #[must_use]
    pub fn expr(self) -> Expr {
        // The filters stand above and nowhere else; a test parses each of them.
        parse(self.filter(), &[]).unwrap_or(Expr::All(Vec::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_a_filter() {
        for preset in Preset::ALL {
            let expr = parse(preset.filter(), &[]).unwrap();
            assert_eq!(expr, preset.expr());
            assert_ne!(expr, Expr::All(Vec::new()));
            assert_eq!(expr.to_string(), preset.filter());
            assert_eq!(Preset::named(preset.name()), Some(preset));
            assert!(preset.meaning().ends_with('.'));
        }
        assert_eq!(Preset::named("in flight"), None);
    }
}
