//! The parts of an overview, each for itself: what cannot be found out is told, and hides nothing else.

use crate::api::admin::overview::Overview;
use crate::api::admin::overview::concerns::concerns;
use crate::api::view::{self, timestamp};
use baton_courier::bus::Destination;
use baton_engine::search::Search;
use baton_engine::store::StoreError;
use baton_engine::store::query::{Counted, Found, SearchQuery};
use baton_operations::instances::{Instance, Sample};
use baton_operations::workers::heartbeat::STRETCH;
use baton_proto::baton::saga::v1 as wire;
use baton_query::filter::{Expr, StateKind, parse};
use baton_query::sort::{OrderBy, SortField};
use futures_util::future::join_all;
use saga_core::time::Micros;
use std::collections::BTreeMap;
use std::time::Duration;

/// How far sagas of one state, and messages, are counted: beyond it the number says nothing more.
const MOST: u32 = 10_000;

/// Rows that finding the oldest reads at most.
const MAX_ROWS: u32 = 1_000;

/// How long the broker, and a participant, may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// An orchestrator that beats every [`STRETCH`] and was not heard of for so long is down, or cut off.
const SILENT: Duration = Duration::from_secs(12);

impl Overview<'_> {
    pub(super) async fn gathered(&self) -> wire::GetOverviewResponse {
        let mut troubles = Vec::new();
        let (states, oldest, stuck, skipped, queues, lively) =
            tokio::join!(self.states(), self.oldest(), self.stuck(), self.skipped(), self.queues(), self.components());
        let states = kept(states, "sagas could not be counted", &mut troubles);
        let (oldest, oldest_incident) = kept(oldest, "the oldest sagas could not be found", &mut troubles);
        let stuck = kept(stuck, "stuck sagas could not be looked at", &mut troubles);
        let skipped = kept(skipped, "skipped sagas could not be counted", &mut troubles);
        let (queues, trouble) = queues;
        troubles.extend(trouble);
        let (components, samples, trouble) = lively;
        troubles.extend(trouble);
        let dead_letters = match self.operations {
            Some(operations) => {
                kept(operations.waiting_letters().await, "dead letters could not be counted", &mut troubles).into()
            }
            None => 0,
        };
        let holds = match self.operations {
            Some(operations) => kept(operations.holds().await, "holds could not be listed", &mut troubles),
            None => Vec::new(),
        };
        let concerns = concerns(&stuck, &components, &holds, dead_letters, self.lookup.store.now());
        let stuck = i32::from(wire::SagaState::Stuck);
        let incidents = states.iter().find(|count: &&wire::StateCount| count.state == stuck).cloned();
        wire::GetOverviewResponse {
            states,
            samples,
            oldest,
            queues,
            components,
            incidents,
            oldest_incident,
            dead_letters,
            troubles,
            skipped: skipped.count,
            skipped_exact: skipped.exact,
            concerns,
        }
    }

    async fn states(&self) -> Result<Vec<wire::StateCount>, StoreError> {
        let mut counts = Vec::new();
        for state in StateKind::ALL {
            let search = self.searching(&format!("state = {}", state.as_str()));
            let counted = self.lookup.query.count(search, MOST, MOST).await?;
            let state = view::kind(state).into();
            counts.push(wire::StateCount { state, count: counted.count, exact: counted.exact });
        }
        Ok(counts)
    }

    async fn skipped(&self) -> Result<Counted, StoreError> {
        self.lookup.query.count(self.searching("skipped:*"), MAX_ROWS, MAX_ROWS).await
    }

    /// The saga that has been under way for longest, and the one that has been stuck for longest.
    async fn oldest(&self) -> Result<(Option<wire::Saga>, Option<wire::Saga>), StoreError> {
        let first = async |filter: &str, field| {
            let found = self.first(filter, field, 1).await?;
            Ok::<_, StoreError>(found.records.first().map(|record| view::saga(self.lookup.registry, record)))
        };
        let under_way = first("state = running OR state = compensating", SortField::CreateTime).await?;
        Ok((under_way, first("state = stuck", SortField::UpdateTime).await?))
    }

    /// The first sagas in an order, as far as [`MAX_ROWS`] rows hold them.
    pub(super) async fn first(&self, filter: &str, field: SortField, limit: u32) -> Result<Found, StoreError> {
        let order = OrderBy { field, descending: false };
        let search = self.searching(filter);
        self.lookup.query.search(SearchQuery { search, order, after: None, limit, max_rows: MAX_ROWS }).await
    }

    fn searching(&self, filter: &str) -> Search {
        // Written above and nowhere else.
        let expr = parse(filter, &[]).unwrap_or(Expr::All(Vec::new()));
        Search::new(expr, self.lookup.registry.clone(), self.lookup.store.now())
    }

    async fn queues(&self) -> (Vec<wire::QueueDepth>, Option<String>) {
        let destinations = self.lookup.registry.participants().into_iter().map(Destination::Commands);
        let asked = destinations
            .chain([Destination::Replies])
            .map(|destination| async move { tokio::time::timeout(PATIENCE, self.bus.depths(&destination)).await });
        let mut queues = Vec::new();
        let mut trouble = None;
        for answer in join_all(asked).await {
            match answer {
                Ok(Ok(depths)) => queues.extend(depths.into_iter().map(|depth| wire::QueueDepth {
                    queue: depth.queue,
                    messages: depth.messages,
                    dead_letters: depth.dead_letters,
                })),
                Ok(Err(error)) => trouble = Some(format!("the broker cannot be asked: {error}")),
                Err(_) => trouble = Some("the broker does not answer".to_owned()),
            }
        }
        (queues, trouble)
    }

    /// Participants and orchestrators, and what the latter did lately.
    async fn components(&self) -> (Vec<wire::Component>, Vec<wire::OverviewSample>, Vec<String>) {
        let participants = self.lookup.registry.participants();
        let asked = participants.iter().map(|name| async move {
            let answer = tokio::time::timeout(PATIENCE, self.probe.healthy(name)).await;
            answer.unwrap_or_else(|_| Err("it does not answer".to_owned()))
        });
        let answers = join_all(asked).await;
        let now = self.lookup.store.now();
        let mut components: Vec<wire::Component> =
            participants.iter().zip(answers).map(|(name, answer)| participant(name, answer, now)).collect();
        let (mut samples, mut troubles) = (Vec::new(), Vec::new());
        if let Some(operations) = self.operations {
            let instances = kept(operations.instances().await, "orchestrators could not be listed", &mut troubles);
            components.extend(instances.iter().map(|instance| orchestrator(instance, now)));
            let taken = kept(operations.samples().await, "rates could not be read", &mut troubles);
            samples = merged(&taken);
        }
        (components, samples, troubles)
    }
}

/// The answer, or a default and a word of what is missing.
fn kept<T: Default>(answer: Result<T, StoreError>, what: &str, troubles: &mut Vec<String>) -> T {
    answer.unwrap_or_else(|error| {
        troubles.push(format!("{what}: {error}"));
        T::default()
    })
}

fn participant(name: &str, answer: Result<(), String>, now: Micros) -> wire::Component {
    wire::Component {
        component: name.to_owned(),
        kind: "participant".to_owned(),
        healthy: answer.is_ok(),
        seen_time: answer.is_ok().then(|| timestamp(now)),
        version: String::new(),
        trouble: answer.err().unwrap_or_default(),
    }
}

fn orchestrator(instance: &Instance, now: Micros) -> wire::Component {
    let silence = now.since(instance.seen_at);
    let healthy = silence < SILENT;
    wire::Component {
        component: instance.id.to_string(),
        kind: "orchestrator".to_owned(),
        healthy,
        seen_time: Some(timestamp(instance.seen_at)),
        version: instance.version.clone(),
        trouble: if healthy { String::new() } else { format!("not heard of for {} s", silence.as_secs()) },
    }
}

/// Samples of all orchestrators, stretch by stretch. Rates add up. Of latencies the median is that of whoever ended most, and
/// the 99th percentile the longest: percentiles do not add up, and this errs on the side of what is too slow.
fn merged(samples: &[Sample]) -> Vec<wire::OverviewSample> {
    let mut stretches: BTreeMap<Micros, Vec<&Sample>> = BTreeMap::new();
    for sample in samples {
        stretches.entry(sample.at).or_default().push(sample);
    }
    let merge = |(at, samples): (Micros, Vec<&Sample>)| {
        let sum = |count: fn(&Sample) -> u64| samples.iter().map(|sample| count(sample)).sum::<u64>();
        let rate = |count| sum(count) as f64 / STRETCH.as_secs_f64();
        let ended = sum(|sample| sample.beat.ended) > 0;
        let busiest = samples.iter().max_by_key(|sample| sample.beat.ended);
        let p99 = samples.iter().map(|sample| sample.beat.p99).max();
        wire::OverviewSample {
            sample_time: Some(timestamp(at)),
            started_rate: rate(|sample| sample.beat.started),
            ended_rate: rate(|sample| sample.beat.ended),
            stuck_rate: rate(|sample| sample.beat.stuck),
            latency_p50: busiest.filter(|_| ended).map(|sample| span(sample.beat.p50)),
            latency_p99: p99.filter(|_| ended).map(span),
            // Each counts all of them.
            under_way: samples.iter().map(|sample| sample.under_way).max().unwrap_or(0),
        }
    };
    stretches.into_iter().map(merge).collect()
}

fn span(span: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(span.subsec_nanos()).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use baton_engine::stats::Beat;

    #[test]
    fn rates_of_several_orchestrators_add_up() {
        let beat = |started, ended, p50, p99| {
            let [p50, p99] = [p50, p99].map(Duration::from_millis);
            Beat { started, ended, stuck: started / 10, p50, p99 }
        };
        let sample = |at, beat, under_way| Sample { at: Micros(at), beat, under_way };
        let samples = [
            sample(0, beat(10, 5, 20, 90), 7),
            sample(0, beat(20, 50, 30, 40), 6),
            sample(5_000_000, beat(0, 0, 0, 0), 0),
        ];
        let merged = merged(&samples);
        assert_eq!(merged.len(), 2);
        assert_eq!((merged[0].started_rate, merged[0].ended_rate, merged[0].under_way), (6.0, 11.0, 7));
        assert_eq!(merged[0].stuck_rate, 0.6);
        assert_eq!(merged[0].latency_p50, Some(span(Duration::from_millis(30))));
        assert_eq!(merged[0].latency_p99, Some(span(Duration::from_millis(90))));
        assert_eq!((merged[1].ended_rate, merged[1].latency_p99), (0.0, None));
    }
}
