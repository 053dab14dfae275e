//! What every check found so far, and the report it becomes: one line for each check there is, looked or not.

use super::books::{self, BOOKS, Book};
use super::databases::pages::Coverage;
use super::databases::{ORDER, PAYMENT, STOCK};
use super::laws::history::HISTORY_LAWS;
use super::laws::{Found, LAWS, Mode};
use super::report::{Finding, Offenders, Report};
use super::verify::Extras;
use std::collections::{BTreeMap, BTreeSet};

/// Every check: id, promise, whether it holds while orders move. In the order of a report.
#[must_use]
pub fn catalogue() -> Vec<(&'static str, &'static str, bool)> {
    let laws = LAWS.iter().map(|law| (law.id, law.name, law.live));
    let told = HISTORY_LAWS.iter().map(|law| (law.id, law.name, law.live));
    let books = BOOKS.iter().map(|book| (book.id, book.name, book.live));
    let mut all: Vec<_> = laws.chain(told).chain(books).collect();
    all.sort_by_key(|(id, ..)| number(id));
    all
}

fn number(id: &str) -> u32 {
    id.trim_start_matches('I').parse().unwrap_or(u32::MAX)
}

/// What every check found so far, by its name.
#[derive(Debug)]
pub(crate) struct Tally {
    mode: Mode,
    found: BTreeMap<&'static str, (usize, Offenders)>,
}

impl Tally {
    pub(crate) fn new(mode: Mode) -> Self {
        Self { mode, found: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, all: impl IntoIterator<Item = (&'static str, Found)>) {
        for (name, found) in all {
            let (looked, offenders) = self.found.entry(name).or_default();
            *looked += found.looked;
            found.broken.into_iter().for_each(|broken| offenders.add(broken));
        }
    }

    pub(crate) fn book(&mut self, book: Book, look: impl FnOnce(&mut Found)) {
        if book.live || self.mode == Mode::AtRest {
            let mut found = Found::default();
            look(&mut found);
            self.add([(book.name, found)]);
        }
    }

    pub(crate) fn report(mut self, coverage: &Coverage, extras: &Extras, strangers: &BTreeSet<String>) -> Report {
        let laws = LAWS.iter().map(|law| (law.id, law.name, law.unit, law.live));
        let told = HISTORY_LAWS.iter().map(|law| (law.id, law.name, law.unit, law.live));
        let books = BOOKS.iter().map(|book| (book.id, book.name, book.unit, book.live));
        let mut all: Vec<_> = laws.chain(told).chain(books).collect();
        all.sort_by_key(|(id, ..)| number(id));
        let findings = all.into_iter().map(|(id, name, unit, live)| {
            let (looked, offenders) = self.found.remove(name).unwrap_or_default();
            let finding = offenders.finding(id, name, format!("{looked} {unit}"));
            if looked > 0 || !finding.passed() {
                return finding;
            }
            Finding::unchecked(id, name, why_unchecked(id, name, live || self.mode == Mode::AtRest, coverage, extras))
        });
        let mut findings: Vec<Finding> = findings.collect();
        if !strangers.is_empty() {
            let names: Vec<&str> = strangers.iter().map(String::as_str).collect();
            let why = format!("this build does not know {}; their journals were not replayed", names.join(", "));
            findings.push(Finding::unchecked("I12", "sagas of unknown definitions", why));
        }
        Report { findings }
    }
}

/// Why a check looked at nothing.
fn why_unchecked(id: &str, name: &str, now: bool, coverage: &Coverage, extras: &Extras) -> String {
    let missing = [
        (coverage.orchestrator, "the orchestrator's database"),
        (coverage.has(ORDER), "the order participant's database"),
        (coverage.has(PAYMENT), "the payment participant's database"),
        (coverage.has(STOCK), "the stock participant's database"),
        (coverage.provider, "the provider's ledger"),
    ];
    let missing: Vec<&str> = missing.iter().filter(|(there, _)| !there).map(|(_, name)| *name).collect();
    let of_history = HISTORY_LAWS.iter().any(|law| law.name == name);
    if name == books::CHAIN.name {
        "journals are not hash-chained: whoever can write to the database can rewrite one".to_owned()
    } else if name == books::UPGRADE.name {
        "needs two builds; one installation cannot tell".to_owned()
    } else if !now {
        "holds only at rest".to_owned()
    } else if of_history && extras.history.is_none() {
        "needs a history of what clients were told".to_owned()
    } else if name == books::QUEUES_EMPTY.name && extras.queues.is_none() {
        "needs the depths of the broker's queues".to_owned()
    } else if id == "I19" && extras.dead_letters.is_none() {
        "needs the dead letters".to_owned()
    } else if id == "I20" && extras.logs.is_none() {
        "needs logs".to_owned()
    } else if name == super::laws::rest::NOT_OVERDUE.name {
        "at rest another check says more; live there was no active saga".to_owned()
    } else if missing.is_empty() {
        "there was nothing to look at".to_owned()
    } else {
        format!("there was nothing to look at without {}", missing.join(", "))
    }
}
