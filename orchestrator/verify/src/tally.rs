//! Invariants applied to evidence, page by page, and the report they become: one line for each, looked or not.

use crate::coverage::{Coverage, Mode, Part};
use crate::evidence::Evidence;
use crate::invariant::{Findings, Invariant, Promise};
use crate::laws::LAWS;
use crate::report::{Finding, Offenders, Report};
use baton_orchestrator::sagas::Registry;
use std::collections::BTreeSet;

/// The engine's invariants and these, in the order of a report.
#[must_use]
pub fn with_engine<'a>(further: &[&'a dyn Invariant]) -> Vec<&'a dyn Invariant> {
    let mut all: Vec<&'a dyn Invariant> = LAWS.iter().map(|law| law as &dyn Invariant).collect();
    all.extend(further);
    all.sort_by_key(|invariant| number(invariant.promise().id));
    all
}

fn number(id: &str) -> u32 {
    id.trim_start_matches('I').parse().unwrap_or(u32::MAX)
}

/// Audits evidence that is there as a whole.
#[must_use]
pub fn audit(evidence: Evidence, registry: &Registry, further: &[&dyn Invariant]) -> Report {
    let mut tally = Tally::new(with_engine(further), evidence.mode);
    let coverage = evidence.coverage.clone();
    tally.look(&evidence.replayed(registry));
    tally.report(&coverage)
}

/// What every invariant found so far.
#[derive(Debug)]
pub(crate) struct Tally<'a> {
    mode: Mode,
    invariants: Vec<&'a dyn Invariant>,
    found: Vec<(Findings, Offenders)>,
    strangers: BTreeSet<String>,
}

impl<'a> Tally<'a> {
    pub(crate) fn new(invariants: Vec<&'a dyn Invariant>, mode: Mode) -> Self {
        let found = invariants.iter().map(|_| (Findings::default(), Offenders::default())).collect();
        Self { mode, invariants, found, strangers: BTreeSet::new() }
    }

    /// Judges, and adds what was found.
    pub(crate) fn look(&mut self, evidence: &Evidence) {
        let found = self.judge(evidence);
        self.add(found);
    }

    /// What each invariant finds. Sagas of definitions that the registry does not know are noted.
    pub(crate) fn judge(&mut self, evidence: &Evidence) -> Vec<Findings> {
        for case in evidence.cases().filter(|case| case.definition.is_none()) {
            self.strangers.extend(case.saga().map(|saga| saga.definition.to_string()));
        }
        let judged = self.invariants.iter().map(|invariant| {
            let asked = self.holds(*invariant) && missing(*invariant, &evidence.coverage).is_empty();
            if asked { invariant.judge(evidence) } else { Findings::default() }
        });
        judged.collect()
    }

    pub(crate) fn add(&mut self, found: Vec<Findings>) {
        for ((sum, offenders), mut one) in self.found.iter_mut().zip(found) {
            one.broken.drain(..).for_each(|broken| offenders.add(broken));
            sum.add(one);
        }
    }

    fn holds(&self, invariant: &dyn Invariant) -> bool {
        invariant.promise().live || self.mode != Mode::Live
    }

    pub(crate) fn report(self, coverage: &Coverage) -> Report {
        let mut findings = Vec::new();
        for (invariant, (found, offenders)) in self.invariants.iter().zip(&self.found) {
            let (Promise { id, what, unit, .. }, mut offenders) = (*invariant.promise(), offenders.clone());
            for (account, (left, right)) in found.sums.iter().filter(|(_, (left, right))| left != right) {
                offenders.add(format!("{account}: {left} is not {right}"));
            }
            let looked = found.looked + found.sums.len();
            let finding = offenders.finding(id, what, format!("{looked} {unit}"));
            findings.push(if looked > 0 || !finding.passed() {
                finding
            } else {
                Finding::unchecked(id, what, self.why_unchecked(*invariant, coverage))
            });
        }
        if !self.strangers.is_empty() {
            let names: Vec<&str> = self.strangers.iter().map(String::as_str).collect();
            let why = format!("this build does not know {}; their journals were not replayed", names.join(", "));
            findings.push(Finding::unchecked("I12", "sagas of unknown definitions", why));
        }
        Report { findings }
    }

    fn why_unchecked(&self, invariant: &dyn Invariant, coverage: &Coverage) -> String {
        let missing: Vec<&str> = missing(invariant, coverage).iter().map(|part| part.0).collect();
        if !missing.is_empty() {
            format!("needs {}", missing.join(" and "))
        } else if !self.holds(invariant) {
            "holds only at rest".to_owned()
        } else {
            "there was nothing to look at".to_owned()
        }
    }
}

fn missing(invariant: &dyn Invariant, coverage: &Coverage) -> Vec<Part> {
    invariant.promise().needs.iter().copied().filter(|part| !coverage.has(*part)).collect()
}
