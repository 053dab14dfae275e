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
}

impl Finding {
    /// True if nothing breaks the promise.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.broken == 0
    }
}

/// Collects what breaks a promise: counts all, keeps a few.
#[derive(Debug, Default)]
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
        Finding { id, name, counted, broken: self.broken, offenders: self.first }
    }
}

/// All findings of one audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// In the order of the checks.
    pub findings: Vec<Finding>,
}

impl Report {
    /// True if every check passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.findings.iter().all(Finding::passed)
    }

    /// The findings as a table for people, offenders below it.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(ASCII_FULL_CONDENSED);
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(["audit", "promise", "counted", "verdict"]);
        for finding in &self.findings {
            let verdict = if finding.passed() { "ok".to_owned() } else { format!("BROKEN by {}", finding.broken) };
            table.add_row([finding.id, finding.name, &finding.counted, &verdict]);
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
            offenders.add(format!("order {number}"));
        }
        let report = Report { findings: vec![offenders.finding("I1", "nothing lost", "7 orders".to_owned())] };
        assert!(!report.passed());
        let table = report.table();
        assert!(table.contains("BROKEN by 7") && table.contains("order 4") && table.contains("and 2 more"), "{table}");
        assert!(!table.contains("order 5"), "{table}");
    }
}
