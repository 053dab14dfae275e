//! What operators did, judged: whether the audit is still what was written. Pure; [`super::databases::acts`] reads.
//!
//! Every entry's hash covers the entry, the hash before it and the saga's journal up to it, so that a change anywhere shows
//! from there on. What this proves and what it does not is in docs/audit.md.

use baton_orchestrator::store::audit::{AuditRow, Digest, Head, NOTHING_BEFORE, hex};
use saga_core::saga::SagaId;
use saga_core::time::Micros;

/// Flaws that are named; the rest are counted.
const NAMED: usize = 100;

/// What became of the journal that an entry binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journal {
    /// It is there, with this digest up to the entry's version.
    There(Digest),
    /// Retention has deleted the saga: nobody can tell any more.
    Forgotten,
    /// It is not there, and nothing says that it was forgotten.
    Gone,
}

/// What an audit of the acts came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acts {
    /// Entries looked at.
    pub entries: u64,
    /// The end of the chain as the database has it: note it somewhere else.
    pub head: Option<Head>,
    /// Entries whose saga retention has deleted since, so that its journal cannot be compared.
    pub forgotten: u64,
    /// Orders in journals that are older than the first entry: given before there was an audit.
    pub older: u64,
    /// How many flaws there are.
    pub flawed: usize,
    /// The first hundred of them, a sentence each.
    pub flaws: Vec<String>,
}

impl Acts {
    /// True if nothing was found that should not be.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.flawed == 0
    }

    fn flaw(&mut self, sentence: String) {
        self.flawed += 1;
        if self.flaws.len() < NAMED {
            self.flaws.push(sentence);
        }
    }
}

/// Entries in the order of their numbers, then the head.
#[derive(Debug)]
pub struct Judge {
    acts: Acts,
    /// The head as it was before the first entry was read.
    began_with: Option<Head>,
    noted: Option<Digest>,
    /// The number that comes next.
    next: u64,
    /// The hash that comes next, unless the entry before could not be read.
    previous: Option<Digest>,
    first_at: Option<Micros>,
}

impl Judge {
    /// `head` is what the database says before any entry is read, `noted` a hash that must be in the chain.
    #[must_use]
    pub fn new(head: Option<Head>, noted: Option<Digest>) -> Self {
        let acts = Acts { head, ..Acts::default() };
        // Whoever noted the head of an audit without entries noted this.
        let noted = noted.filter(|noted| *noted != NOTHING_BEFORE);
        Self { acts, began_with: head, noted, next: 1, previous: Some(NOTHING_BEFORE), first_at: None }
    }

    /// The next entry, and the journal it binds if it binds one.
    pub fn entry(&mut self, row: &AuditRow, journal: Option<Journal>) {
        let number = row.number;
        self.numbered(number);
        if self.first_at.is_none() {
            self.first_at = Some(row.audit.at);
        }
        if row.expected_hash() != row.hash {
            self.acts.flaw(format!("entry {number} is not what was written: its hash is of something else"));
        }
        if self.previous.is_some_and(|previous| previous != row.previous) {
            self.acts.flaw(format!("entry {number} does not follow the entry that is before it"));
        }
        match (journal, row.audit.saga) {
            (Some(Journal::There(digest)), _) if Some(digest) == row.journal => {}
            (Some(Journal::There(_)), Some(saga)) => {
                let version = row.audit.version;
                self.acts
                    .flaw(format!("entry {number}: the journal of saga {saga} up to version {version} has changed"));
            }
            (Some(Journal::Forgotten), _) => self.acts.forgotten += 1,
            (Some(Journal::Gone), Some(saga)) => {
                self.acts.flaw(format!("entry {number}: saga {saga} has no journal, and was not forgotten"));
            }
            (None, _) | (_, None) => {}
        }
        if self.began_with.is_some_and(|head| head.number == number && head.hash != row.hash) {
            self.acts.flaw(format!("the head has another hash than entry {number}, which it names"));
        }
        self.noted = self.noted.filter(|noted| *noted != row.hash);
        self.previous = Some(row.hash);
    }

    /// The next entry, which does not decode.
    pub fn unreadable(&mut self, number: i64, why: &str) {
        match u64::try_from(number) {
            Ok(number) => self.numbered(number),
            Err(_) => self.acts.entries += 1,
        }
        self.acts.flaw(format!("entry {number} cannot be read: {why}"));
        self.previous = None;
    }

    fn numbered(&mut self, number: u64) {
        self.acts.entries += 1;
        if number > self.next {
            let missing = (self.next, number - 1);
            self.missing(missing.0, missing.1);
        }
        if number < self.next {
            self.acts.flaw(format!("there is an entry {number}, which no entry can be"));
        }
        self.next = self.next.max(number.saturating_add(1));
    }

    fn missing(&mut self, first: u64, last: u64) {
        self.acts.flaw(match first == last {
            true => format!("entry {first} is missing"),
            false => format!("entries {first} to {last} are missing"),
        });
    }

    /// An order in a journal, and whether an entry speaks of it.
    pub fn order(&mut self, saga: SagaId, version: i64, at: Micros, has_entry: bool) {
        match self.first_at {
            _ if has_entry => {}
            Some(first) if first <= at => {
                self.acts
                    .flaw(format!("saga {saga} was given an order at version {version}, of which no entry speaks"));
            }
            Some(_) | None => self.acts.older += 1,
        }
    }

    /// Something else that should not be.
    pub fn flaw(&mut self, sentence: String) {
        self.acts.flaw(sentence);
    }

    /// The end. `head` is what the database says after the last entry was read.
    #[must_use]
    pub fn finish(mut self, head: Option<Head>) -> Acts {
        let newest = self.next - 1;
        match (self.began_with, head) {
            (Some(before), Some(after)) => {
                if before.number > newest {
                    self.missing(newest + 1, before.number);
                }
                if after.number < newest {
                    let named = after.number;
                    self.acts.flaw(format!("the head names entry {named}, but there are entries up to {newest}"));
                }
                if before.number == 0 && before.hash != NOTHING_BEFORE {
                    self.acts.flaw("the head has the hash of an entry, but names none".to_owned());
                }
            }
            (None, _) | (_, None) => self.acts.flaw("the head is missing or cannot be read".to_owned()),
        }
        if let Some(noted) = self.noted {
            self.acts.flaw(format!("the head that was noted, {}, is not part of the audit", hex(&noted)));
        }
        self.acts
    }
}
