//! Incidents are told: every saga that gets stuck, to a webhook, until somebody says they have heard.

use crate::Operations;
use crate::incidents::{Incident, LONGEST_PAUSE, MAX_ATTEMPTS};
use async_trait::async_trait;
use baton_engine::metrics::Metrics;
use baton_engine::sagas::Registry;
use baton_engine::store::{SagaStore, StoreError};
use baton_engine::workers::repeat;
use baton_query::datetime::rfc3339;
use baton_query::explain::{Case, explain};
use baton_query::step_position::StepPosition;
use futures_util::future::join_all;
use saga_core::saga::State;
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);

/// Pause after the first attempt, doubled with each further one.
const FIRST: Duration = Duration::from_secs(5);

/// Told at once, at most.
const AT_ONCE: usize = 8;

/// Where incidents are told.
#[async_trait]
pub trait Webhook: Send + Sync + fmt::Debug + 'static {
    /// Sends a body under an id that stays the same however often it is sent, at a time in seconds since 1970. `Err` says why
    /// nobody said they have heard it, without secrets.
    async fn tell(&self, id: &str, at: i64, body: Vec<u8>) -> Result<(), String>;
}

/// Looks for incidents and tells them.
#[derive(Debug)]
pub struct Incidents {
    operations: Operations,
    store: Arc<dyn SagaStore>,
    registry: Registry,
    metrics: Arc<Metrics>,
    webhook: Option<Arc<dyn Webhook>>,
}

impl Incidents {
    /// Without a webhook incidents are only counted.
    #[must_use]
    pub fn new(
        operations: Operations,
        store: Arc<dyn SagaStore>,
        registry: Registry,
        metrics: Arc<Metrics>,
        webhook: Option<Arc<dyn Webhook>>,
    ) -> Self {
        Self { operations, store, registry, metrics, webhook }
    }

    /// Runs until cancelled. A webhook that answers late is not waited for then: whoever looks next tells the same again, under
    /// the same id.
    pub async fn run(self, stop: CancellationToken) {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = repeat(&stop, PAUSE, "incidents could not be looked for", || self.run_once()) => {}
        }
    }

    /// Counts, and tells those whose time has come.
    ///
    /// # Errors
    /// If the database cannot be asked. What was told and could not be noted is told again, under the same id.
    pub async fn run_once(&self) -> Result<(), StoreError> {
        let (count, oldest) = self.operations.incidents().await?;
        let age = oldest.map_or(0, |at| self.operations.now().since(at).as_secs());
        self.metrics.incidents.set(i64::try_from(count).unwrap_or(i64::MAX));
        self.metrics.incident_age.set(i64::try_from(age).unwrap_or(i64::MAX));
        let Some(webhook) = &self.webhook else { return Ok(()) };
        // Also when none is stuck any more: old rows are forgotten by it.
        self.operations.open_incidents().await?;
        for some in self.operations.untold_incidents().await?.chunks(AT_ONCE) {
            for told in join_all(some.iter().map(|incident| self.tell(webhook, *incident))).await {
                told?;
            }
        }
        Ok(())
    }

    async fn tell(&self, webhook: &Arc<dyn Webhook>, incident: Incident) -> Result<(), StoreError> {
        if !self.operations.claim_incident(incident, backoff(incident.attempts)).await? {
            return Ok(());
        }
        let Some(body) = self.body(incident).await? else { return Ok(()) };
        let id = format!("incident-{}-{}", Uuid::from_bytes(incident.saga.0), incident.version);
        match webhook.tell(&id, self.operations.now().0 / 1_000_000, body.to_string().into_bytes()).await {
            Ok(()) => {
                self.metrics.incidents_told.inc();
                self.operations.incident_told(incident).await
            }
            Err(why) if incident.attempts + 1 >= MAX_ATTEMPTS => {
                self.metrics.incidents_untold.inc();
                tracing::error!(saga_id = %incident.saga, why, "nobody hears of a stuck saga; given up");
                Ok(())
            }
            Err(why) => {
                tracing::warn!(saga_id = %incident.saga, why, attempt = incident.attempts + 1, "incident not told");
                Ok(())
            }
        }
    }

    /// What is told: names, reasons and times, nothing that the saga was given. `None` if it has moved on.
    async fn body(&self, incident: Incident) -> Result<Option<Value>, StoreError> {
        let Some(record) = self.store.get(incident.saga).await? else { return Ok(None) };
        let saga = &record.saga;
        let (State::Stuck { why, direction, .. }, true) = (&saga.state, saga.version == incident.version) else {
            return Ok(None);
        };
        let now = self.operations.now();
        let pinned = self.registry.pinned(&saga.definition).map(|pinned| pinned.definition());
        let half = pinned.and_then(|definition| StepPosition::of(definition, saga)).map(|(half, _)| half);
        let case = Case { definition: pinned, saga, journal: &[], ledger: None, hold: None, now };
        let id = Uuid::from_bytes(saga.id.0);
        Ok(Some(json!({
            "type": "saga.incident.opened",
            "timestamp": rfc3339(now),
            "data": {
                "saga": format!("sagas/{id}"),
                "definition": saga.definition.name,
                "definitionVersion": saga.definition.version,
                "step": half.map_or_else(|| why.step.to_string(), |half| half.step),
                "direction": direction.as_str(),
                "reason": why.reason,
                "since": rfc3339(incident.opened_at),
                "ageSeconds": now.since(incident.opened_at).as_secs(),
                "sentence": explain(&case).place.map(|place| place.sentence),
                "path": format!("/sagas/{id}"),
            },
        })))
    }
}

fn backoff(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.clamp(0, 16)).unwrap_or(16);
    FIRST.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_PAUSE)
}
