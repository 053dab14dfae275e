//! What an invariant is: a promise, the evidence it needs, and what it finds there.

use crate::coverage::Part;
use crate::evidence::{Case, Evidence};
use std::collections::BTreeMap;
use std::fmt;

/// What an invariant says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The invariant's id, for example "I9".
    pub id: &'static str,
    /// The promise, in a sentence; unique.
    pub what: &'static str,
    /// What it counts.
    pub unit: &'static str,
    /// True if it holds while sagas move.
    pub live: bool,
    /// Without all of these it is not asked, and reported as not checked.
    pub needs: &'static [Part],
}

/// A promise, and how evidence is judged by it. Pure: it sees what a source read, and nothing else.
///
/// An invariant looks at what is there in the [`Evidence`] it is handed, which may be one page of many. It demands only what
/// holds at any moment of a running installation, or says that it does not hold [`live`](Promise::live). It is no heuristic:
/// one that cannot decide says nothing.
pub trait Invariant: fmt::Debug + Sync {
    /// What it promises.
    fn promise(&self) -> &Promise;

    /// Looks at the evidence.
    fn judge(&self, evidence: &Evidence) -> Findings;
}

/// What an invariant found, and how much it looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Things looked at.
    pub looked: usize,
    /// What is broken, in a sentence that names it.
    pub broken: Vec<String>,
    /// Amounts that must be equal over all evidence, by account: see [`Self::weigh`].
    pub sums: BTreeMap<String, (i128, i128)>,
}

impl Findings {
    /// Looks at one more thing; it is broken unless `holds`.
    pub fn expect(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        self.looked += 1;
        if !holds {
            self.broken.push(otherwise());
        }
    }

    /// Looks at one more thing; it is broken if there is a problem.
    pub fn unless(&mut self, name: impl FnOnce() -> String, problem: Option<String>) {
        self.looked += 1;
        self.broken.extend(problem.map(|problem| format!("{}: {problem}", name())));
    }

    /// Adds to the two sides of an account, which must be equal when everything was looked at.
    pub fn weigh(&mut self, account: &str, left: i128, right: i128) {
        let sums = self.sums.entry(account.to_owned()).or_default();
        *sums = (sums.0 + left, sums.1 + right);
    }

    /// Adds what was found elsewhere.
    pub fn add(&mut self, other: Self) {
        self.looked += other.looked;
        self.broken.extend(other.broken);
        for (account, (left, right)) in other.sums {
            self.weigh(&account, left, right);
        }
    }
}

/// An invariant as a table has it.
#[derive(Clone, Copy, Debug)]
pub struct Law {
    /// What it promises.
    pub promise: Promise,
    /// How it looks.
    pub check: Check,
}

/// How a law looks.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// At each saga.
    Saga(fn(&Case<'_>, &mut Findings)),
    /// At what belongs to no single saga.
    Whole(fn(&Evidence, &mut Findings)),
}

impl Law {
    /// Over each saga, at any moment.
    #[must_use]
    pub const fn of_saga(
        id: &'static str,
        what: &'static str,
        unit: &'static str,
        needs: &'static [Part],
        check: fn(&Case<'_>, &mut Findings),
    ) -> Self {
        Self { promise: Promise { id, what, unit, live: true, needs }, check: Check::Saga(check) }
    }

    /// Over what belongs to no single saga, at any moment.
    #[must_use]
    pub const fn whole(
        id: &'static str,
        what: &'static str,
        unit: &'static str,
        needs: &'static [Part],
        check: fn(&Evidence, &mut Findings),
    ) -> Self {
        Self { promise: Promise { id, what, unit, live: true, needs }, check: Check::Whole(check) }
    }

    /// The same, at rest only.
    #[must_use]
    pub const fn at_rest(self) -> Self {
        Self { promise: Promise { live: false, ..self.promise }, ..self }
    }
}

impl Invariant for Law {
    fn promise(&self) -> &Promise {
        &self.promise
    }

    fn judge(&self, evidence: &Evidence) -> Findings {
        let mut findings = Findings::default();
        match self.check {
            Check::Saga(check) => evidence.cases().for_each(|case| check(&case, &mut findings)),
            Check::Whole(check) => check(evidence, &mut findings),
        }
        findings
    }
}
