//! The audit of databases: reads page by page, applies every invariant, counts what each looked at.

use crate::coverage::{Coverage, DEAD_LETTERS, HISTORY, JOURNALS, LOGS, Mode, QUEUES, SAGAS, START_KEYS};
use crate::databases::domain::Domain;
use crate::databases::keys::{memory, start_keys};
use crate::databases::letters::letters;
use crate::databases::pages::{Pages, of_sagas};
use crate::databases::{Databases, ReadError};
use crate::evidence::{DeadLetter, Evidence, Queue};
use crate::history::Call;
use crate::invariant::{Findings, Invariant};
use crate::logs::Scan;
use crate::report::Report;
use crate::saga_evidence::SagaEvidence;
use crate::tally::{Tally, with_engine};
use baton_orchestrator::sagas::Registry;
use saga_core::saga::SagaId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How often what looks broken is read again while sagas move.
const READINGS: usize = 3;

/// Pause between two readings: longer than any statement of a healthy installation.
const PAUSE: Duration = Duration::from_millis(300);

/// What else there is to look at.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// What clients asked and were told.
    pub history: Option<Vec<Call>>,
    /// Depths of the broker's queues.
    pub queues: Option<Vec<Queue>>,
    /// Messages in the broker's quarantine, beside those that an orchestrator has collected from it.
    pub dead_letters: Option<Vec<DeadLetter>>,
    /// Logs, scanned.
    pub logs: Option<Scan>,
}

/// Audits what `databases` hold. `progress` is told how many sagas were looked at so far. Changes nothing; memory stays
/// within one page of sagas and the history.
///
/// In [`Mode::Live`] what looks broken is read again, three times in all: only what is broken in every reading is reported.
///
/// # Errors
/// If anything cannot be read: half an audit would be worse than none.
pub async fn verify(
    databases: &Databases,
    domains: &[&dyn Domain],
    registry: &Registry,
    mode: Mode,
    extras: Extras,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<Report, ReadError> {
    let further: Vec<&dyn Invariant> = domains.iter().flat_map(|domain| domain.invariants()).collect();
    let letters = letters(databases).await?;
    let coverage = Arc::new(coverage(databases, domains, &extras, !letters.is_empty()));
    let mut tally = Tally::new(with_engine(&further), mode);
    let look = Look { databases, domains, registry, coverage, mode };
    look.sagas(&mut tally, progress).await?;
    look.at_large(&mut tally).await?;
    look.around(extras, letters, &mut tally).await?;
    Ok(tally.report(&look.coverage))
}

fn coverage(databases: &Databases, domains: &[&dyn Domain], extras: &Extras, has_letters: bool) -> Coverage {
    let mut coverage = Coverage::of(&[], databases.participants.keys().cloned());
    if databases.orchestrator.is_some() {
        coverage.parts.extend([SAGAS, JOURNALS, START_KEYS]);
    }
    let given = [
        (HISTORY, extras.history.is_some() && databases.orchestrator.is_some()),
        (QUEUES, extras.queues.is_some()),
        (DEAD_LETTERS, extras.dead_letters.is_some() || has_letters),
        (LOGS, extras.logs.is_some()),
    ];
    coverage.parts.extend(given.into_iter().filter_map(|(part, given)| given.then_some(part)));
    coverage.parts.extend(domains.iter().flat_map(|domain| domain.parts()));
    coverage
}

/// One audit under way.
struct Look<'a> {
    databases: &'a Databases,
    domains: &'a [&'a dyn Domain],
    registry: &'a Registry,
    coverage: Arc<Coverage>,
    mode: Mode,
}

impl Look<'_> {
    fn evidence(&self) -> Evidence {
        Evidence::new(self.mode, &self.coverage)
    }

    fn of(&self, saga: SagaEvidence, now_us: Option<i64>) -> Evidence {
        Evidence { sagas: vec![saga], now_us, ..self.evidence() }.replayed(self.registry)
    }

    async fn sagas(&self, tally: &mut Tally<'_>, progress: &mut (dyn FnMut(u64) + Send)) -> Result<(), ReadError> {
        let mut pages = Pages::new(self.databases, self.domains);
        let mut done = 0;
        loop {
            let now_us = match (&self.databases.orchestrator, self.mode) {
                (Some(store), Mode::Live) => store.now_us().await.ok(),
                _ => None,
            };
            let Some(page) = pages.next().await? else { break };
            done += page.len() as u64;
            let mut suspects = BTreeMap::new();
            for saga in page {
                let id = saga.id;
                let found = tally.judge(&self.of(saga, now_us));
                if self.mode == Mode::Live && found.iter().any(|found| !found.broken.is_empty()) {
                    suspects.insert(id, found);
                } else {
                    tally.add(found);
                }
            }
            self.confirm(suspects, now_us, tally).await?;
            progress(done);
        }
        Ok(())
    }

    /// Reads suspects again and keeps what is broken in every reading.
    async fn confirm(
        &self,
        mut suspects: BTreeMap<SagaId, Vec<Findings>>,
        now_us: Option<i64>,
        tally: &mut Tally<'_>,
    ) -> Result<(), ReadError> {
        for _ in 1..READINGS {
            let doubtful = |found: &Findings| !found.broken.is_empty();
            let ids: Vec<SagaId> =
                suspects.iter().filter(|(_, seen)| seen.iter().any(doubtful)).map(|(id, _)| *id).collect();
            if ids.is_empty() {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            let again = of_sagas(self.databases, self.domains, &ids).await?.into_iter();
            let again: BTreeMap<SagaId, Vec<Findings>> =
                again.map(|saga| (saga.id, tally.judge(&self.of(saga, now_us)))).collect();
            for (id, seen) in suspects.iter_mut().filter(|(id, _)| ids.contains(id)) {
                for (index, found) in seen.iter_mut().enumerate() {
                    let now = again.get(id).map(|again| &again[index].broken);
                    found.broken.retain(|broken| now.is_some_and(|now| now.contains(broken)));
                }
            }
        }
        suspects.into_values().for_each(|found| tally.add(found));
        Ok(())
    }

    /// What belongs to no single saga. Each side is read before the one that must hold it: see [`crate::databases`].
    async fn at_large(&self, tally: &mut Tally<'_>) -> Result<(), ReadError> {
        for domain in self.domains {
            let mut take = |page| tally.look(&Evidence { mode: self.mode, coverage: self.coverage.clone(), ..page });
            domain.at_large(self.databases, &mut take).await?;
        }
        let Some(store) = &self.databases.orchestrator else { return Ok(()) };
        let mut keys = self.evidence();
        start_keys(store, &mut keys).await?;
        tally.look(&keys);
        Ok(())
    }

    /// Beside the sagas: queues, dead letters that were collected and those that were not, logs, histories.
    async fn around(
        &self,
        extras: Extras,
        mut letters: Vec<DeadLetter>,
        tally: &mut Tally<'_>,
    ) -> Result<(), ReadError> {
        let Extras { history, queues, dead_letters, logs } = extras;
        letters.extend(dead_letters.into_iter().flatten());
        let mut evidence =
            Evidence { queues: queues.unwrap_or_default(), dead_letters: letters, logs, ..self.evidence() };
        if let (Some(history), Some(store)) = (history, &self.databases.orchestrator) {
            let keys: BTreeSet<&str> =
                history.iter().map(|call| call.key.as_str()).filter(|key| !key.is_empty()).collect();
            let definitions: BTreeSet<String> = self.registry.ids().into_iter().map(|id| id.name).collect();
            evidence.memory = memory(store, &definitions, &keys).await?;
            for domain in self.domains {
                domain.of_keys(&keys, &mut evidence.own).await?;
            }
            evidence.history = history;
        }
        tally.look(&evidence);
        Ok(())
    }
}
