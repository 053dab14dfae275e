//! The verdict of an audit: one line for each check, the first offenders, one answer.

use comfy_table::presets::ASCII_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};

/// Offenders named per check; the rest are counted.
const NAMED: usize = 5;

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The invariant's id, for example "I3".
    pub id: &'static str,
    /// The promise, in a sentence.
    pub name: &'static str,
    /// What was looked at.
    pub counted: String,
    /// How many break the promise.
    pub broken: usize,
    /// The first few of them.
    pub offenders: Vec<String>,
    /// Why nothing was looked at; such a check has neither passed nor failed.
    pub unchecked: Option<String>,
}

impl Finding {
    /// A check that had nothing to look at.
    #[must_use]
    pub fn unchecked(id: &'static str, name: &'static str, why: impl Into<String>) -> Self {
        Self { id, name, counted: String::new(), broken: 0, offenders: Vec::new(), unchecked: Some(why.into()) }
    }

    /// True if nothing breaks the promise, as far as was looked.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.broken == 0
    }

    /// `ok`, `BROKEN by n` or `not checked`.
    #[must_use]
    pub fn verdict(&self) -> String {
        match &self.unchecked {
            _ if self.broken > 0 => format!("BROKEN by {}", self.broken),
            Some(_) => "not checked".to_owned(),
            None => "ok".to_owned(),
        }
    }
}

/// Collects what breaks a promise: counts all, keeps a few.
#[derive(Clone, Debug, Default)]
pub struct Offenders {
    broken: usize,
    first: Vec<String>,
}

impl Offenders {
    /// One more.
    pub fn add(&mut self, offender: String) {
        self.broken += 1;
        if self.first.len() < NAMED {
            self.first.push(offender);
        }
    }

    /// Turns the collection into the check's finding.
    #[must_use]
    pub fn finding(self, id: &'static str, name: &'static str, counted: String) -> Finding {
        Finding { id, name, counted, broken: self.broken, offenders: self.first, unchecked: None }
    }
}

/// All findings of one audit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order of the checks.
    pub findings: Vec<Finding>,
}

impl Report {
    /// True if no check found anything broken. Checks that had nothing to look at are no obstacle: see [`Self::checked`].
    #[must_use]
    pub fn passed(&self) -> bool {
        self.findings.iter().all(Finding::passed)
    }

    /// How many checks looked at anything.
    #[must_use]
    pub fn checked(&self) -> usize {
        self.findings.iter().filter(|finding| finding.unchecked.is_none()).count()
    }

    /// Ids of the broken promises, each once, in the order of the checks.
    #[must_use]
    pub fn broken(&self) -> Vec<&'static str> {
        let mut ids: Vec<&'static str> = Vec::new();
        for finding in self.findings.iter().filter(|finding| !finding.passed()) {
            if !ids.contains(&finding.id) {
                ids.push(finding.id);
            }
        }
        ids
    }

    /// The findings as a table for people, offenders and what was not checked below it.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(ASCII_FULL_CONDENSED);
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(["audit", "promise", "counted", "verdict"]);
        for finding in &self.findings {
            table.add_row([finding.id, finding.name, &finding.counted, &finding.verdict()]);
        }
        let mut text = table.trim_fmt();
        for finding in self.findings.iter().filter(|finding| !finding.passed()) {
            for offender in &finding.offenders {
                text.push_str(&format!("\n  {} {offender}", finding.id));
            }
            if finding.broken > finding.offenders.len() {
                text.push_str(&format!("\n  {} and {} more", finding.id, finding.broken - finding.offenders.len()));
            }
        }
        for finding in &self.findings {
            if let Some(why) = finding.unchecked.as_ref().filter(|_| finding.passed()) {
                text.push_str(&format!("\n  {} not checked: {}: {why}", finding.id, finding.name));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_offenders_are_named_and_all_are_counted() {
        let mut offenders = Offenders::default();
        for number in 0..7 {
            offenders.add(format!("saga {number}"));
        }
        let report = Report { findings: vec![offenders.finding("I1", "nothing lost", "7 sagas".to_owned())] };
        assert!(!report.passed());
        let table = report.table();
        assert!(table.contains("BROKEN by 7") && table.contains("saga 4") && table.contains("and 2 more"), "{table}");
        assert!(!table.contains("saga 5"), "{table}");
    }

    #[test]
    fn a_check_that_looked_at_nothing_is_never_ok() {
        let finding = Finding::unchecked("I5", "nothing twice", "there was nothing to look at");
        assert_eq!(finding.verdict(), "not checked");
        let report = Report { findings: vec![finding] };
        assert!(report.passed() && report.checked() == 0 && report.table().contains("nothing to look at"));
    }
}
