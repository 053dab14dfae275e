//! Prometheus metrics of the orchestrator. Labels are bounded: definitions, states and outcomes, never ids.

use crate::input::{ActionOutcome, EventOutcome, InputOutcome, NotSettled, StartOutcome, Verdict};
use crate::stats::Stats;
use crate::store::Record;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use saga_core::saga::State;

/// Which saga ended how.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EndLabels {
    /// Definition name.
    pub definition: String,
    /// `completed`, `compensated`.
    pub outcome: &'static str,
}

/// Whose sagas.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DefinitionLabels {
    /// Definition name.
    pub definition: String,
}

/// Why something changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabels {
    /// Bounded set of words.
    pub reason: &'static str,
}

/// The orchestrator's metrics; one per process.
#[derive(Debug)]
pub struct Metrics {
    started: Counter,
    ended: Family<EndLabels, Counter>,
    stuck: Family<DefinitionLabels, Counter>,
    duration: Histogram,
    transitions: Counter,
    /// What is told of this process between two beats.
    pub stats: Stats,
    unmoved: Family<ReasonLabels, Counter>,
    /// Inputs settled by one transaction.
    pub batch_inputs: Histogram,
    /// Commands sent again because no answer had come.
    pub sent_again: Counter,
    /// Sagas the waker found due.
    pub woken: Counter,
    /// Sagas under way in the store when they were last counted.
    pub under_way: Gauge,
    /// Of these, those of definitions that this build does not know.
    pub undrivable: Gauge,
    /// Stuck sagas.
    pub incidents: Gauge,
    /// Seconds since the saga that has been stuck for longest got stuck; 0 if none is.
    pub incident_age: Gauge,
    /// Seconds since the saga that should have acted first and has not was to act; 0 if all are on time.
    pub overdue_age: Gauge,
    /// Dead letters that wait for an operator.
    pub dead_letters: Gauge,
    /// Incidents that the webhook has heard of.
    pub incidents_told: Counter,
    /// Incidents that nobody heard of, given up.
    pub incidents_untold: Counter,
    /// Replies that could not be understood.
    pub quarantined: Counter,
    /// Reply messages that the bus delivered again.
    pub redelivered: Counter,
    /// Finished sagas that retention deleted.
    pub forgotten: Counter,
    /// Seconds since the oldest saga started that the index of attributes has not reached; 0 if it has reached all.
    pub index_behind: Gauge,
}

impl Metrics {
    /// Registers everything under the prefix `saga_`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            started: Counter::default(),
            ended: Family::default(),
            stuck: Family::default(),
            duration: Histogram::new(exponential_buckets(0.001, 2.0, 18)),
            transitions: Counter::default(),
            stats: Stats::default(),
            unmoved: Family::default(),
            batch_inputs: Histogram::new(exponential_buckets(1.0, 2.0, 14)),
            sent_again: Counter::default(),
            woken: Counter::default(),
            under_way: Gauge::default(),
            undrivable: Gauge::default(),
            incidents: Gauge::default(),
            incident_age: Gauge::default(),
            overdue_age: Gauge::default(),
            dead_letters: Gauge::default(),
            incidents_told: Counter::default(),
            incidents_untold: Counter::default(),
            quarantined: Counter::default(),
            redelivered: Counter::default(),
            forgotten: Counter::default(),
            index_behind: Gauge::default(),
        };
        let saga = registry.sub_registry_with_prefix("saga");
        saga.register("started", "Sagas started and committed", metrics.started.clone());
        saga.register("ended", "Sagas that completed or were compensated", metrics.ended.clone());
        saga.register("got_stuck", "Times that a saga got stuck, again after each retry", metrics.stuck.clone());
        let help = "Time from start to end of a saga";
        saga.register_with_unit("duration", help, Unit::Seconds, metrics.duration.clone());
        saga.register(
            "transitions",
            "Committed transitions, several of one saga in one batch count once",
            metrics.transitions.clone(),
        );
        saga.register("unmoved", "Inputs that changed nothing", metrics.unmoved.clone());
        saga.register("batch_inputs", "Inputs settled by one transaction", metrics.batch_inputs.clone());
        saga.register(
            "commands_sent_again",
            "Commands sent once more, the attempt being the same",
            metrics.sent_again.clone(),
        );
        saga.register("woken", "Sagas found past their deadline", metrics.woken.clone());
        saga.register("under_way", "Sagas under way in the store, whoever drives them", metrics.under_way.clone());
        let undrivable = "Sagas under way of definitions that this build does not know";
        saga.register("undrivable", undrivable, metrics.undrivable.clone());
        saga.register("incidents", "Sagas that are stuck and need an operator", metrics.incidents.clone());
        let help = "Time since the saga that has been stuck for longest got stuck";
        saga.register_with_unit("oldest_incident_age", help, Unit::Seconds, metrics.incident_age.clone());
        let help = "Time since the saga that is overdue for longest was to act";
        saga.register_with_unit("oldest_overdue_age", help, Unit::Seconds, metrics.overdue_age.clone());
        let help = "Dead letters that wait for an operator";
        saga.register("dead_letters_waiting", help, metrics.dead_letters.clone());
        saga.register("incidents_told", "Incidents that the webhook has heard of", metrics.incidents_told.clone());
        saga.register("incidents_untold", "Incidents that nobody heard of", metrics.incidents_untold.clone());
        saga.register("replies_quarantined", "Replies that could not be understood", metrics.quarantined.clone());
        let help = "Reply messages that the bus delivered again";
        saga.register("replies_redelivered", help, metrics.redelivered.clone());
        saga.register("forgotten", "Finished sagas deleted by retention", metrics.forgotten.clone());
        let help = "Time since the oldest saga started that the index of attributes has not reached";
        saga.register_with_unit("attribute_index_behind", help, Unit::Seconds, metrics.index_behind.clone());
        metrics
    }

    /// Counts a committed move.
    pub fn moved(&self, before: Option<&Record>, after: &Record) {
        self.transitions.inc();
        if before.is_none() {
            self.started.inc();
            self.stats.started();
        }
        match &after.saga.state {
            State::Completed | State::Compensated { .. } => {
                let outcome = after.saga.state.name();
                let labels = EndLabels { definition: after.saga.definition.name.clone(), outcome };
                self.ended.get_or_create(&labels).inc();
                self.stats.ended(after.saga.created_at, after.saga.updated_at);
                self.duration.observe(after.saga.updated_at.since(after.saga.created_at).as_secs_f64());
            }
            // It has not ended: it may go on for days, and what it has taken so far is no duration.
            State::Stuck { .. } => {
                let labels = DefinitionLabels { definition: after.saga.definition.name.clone() };
                self.stuck.get_or_create(&labels).inc();
                self.stats.got_stuck();
            }
            State::Running { .. } | State::Compensating { .. } | State::Paused { .. } => {}
        }
    }

    /// Counts an input that changed nothing.
    pub fn settled(&self, verdict: &Verdict) {
        let reason = match verdict {
            Ok(InputOutcome::Start(StartOutcome::Started(_))) => return,
            Ok(outcome) if outcome.moved() => return,
            Ok(InputOutcome::Start(StartOutcome::Taken { same: false, .. })) => "conflicting_request",
            Ok(InputOutcome::Start(_) | InputOutcome::Action(ActionOutcome::RequestTaken)) => "repeated_request",
            Ok(InputOutcome::Action(ActionOutcome::Refused(_))) => "refused",
            Ok(InputOutcome::Action(ActionOutcome::Held(_))) => "held",
            Ok(InputOutcome::Action(ActionOutcome::OtherVersion { .. })) => "other_version",
            Ok(InputOutcome::Action(_) | InputOutcome::Event(EventOutcome::UnknownSaga)) => "unknown_saga",
            Ok(InputOutcome::Event(_)) => "ignored",
            Err(NotSettled::UnknownDefinition(_)) => "unknown_definition",
            Err(NotSettled::Unreadable(_)) => "unreadable",
            Err(NotSettled::Unavailable(_)) => "unavailable",
            Err(NotSettled::Contended(_)) => "contended",
            Err(NotSettled::InDoubt(_)) => "in_doubt",
            Err(NotSettled::Poisoned(_)) => "poisoned",
        };
        self.unmoved.get_or_create(&ReasonLabels { reason }).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Beat;
    use bytes::Bytes;
    use saga_core::saga::{Cause, DefinitionId, Direction, Saga, SagaId};
    use saga_core::time::Micros;

    fn record(state: State) -> Record {
        let saga = Saga {
            id: SagaId([1; 16]),
            definition: DefinitionId { name: "trip".to_owned(), version: 1 },
            version: 2,
            state,
            created_at: Micros(0),
            updated_at: Micros(360_000_000),
            deadline: None,
            input: Bytes::new(),
            outputs: Vec::new(),
        };
        Record {
            saga,
            business_key: String::new(),
            traceparent: String::new(),
            last_failure: None,
            skipped: Vec::new(),
        }
    }

    /// What it took so far is no duration, and a retry in vain is no end.
    #[test]
    fn a_stuck_saga_has_not_ended() {
        let metrics = Metrics::register(&mut Registry::default());
        let why = Cause { step: 1, reason: "NO_ROOM".to_owned(), message: String::new() };
        let stuck = State::Stuck { step: 1, direction: Direction::Action, attempt: 1, why, unwinding: None };
        let (before, stuck) = (record(State::Completed), record(stuck));
        metrics.moved(Some(&before), &stuck);
        metrics.moved(Some(&before), &stuck);
        assert_eq!(metrics.stats.take(), Beat { stuck: 2, ..Beat::default() });
        metrics.moved(Some(&stuck), &before);
        let beat = metrics.stats.take();
        assert_eq!((beat.ended, beat.stuck), (1, 0));
    }
}
