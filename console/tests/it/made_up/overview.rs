//! How the installation is doing: some of it badly.

use super::{ID, MadeUp, ago};
use baton_proto::baton::saga::v1 as wire;
use prost_types::Duration;

impl MadeUp {
    pub fn overview(&self) -> wire::GetOverviewResponse {
        use wire::SagaState as State;
        let states = [
            (State::Running, 812),
            (State::Compensating, 14),
            (State::Stuck, 3),
            (State::Paused, 0),
            (State::Completed, 100_000),
            (State::Compensated, 4_211),
        ];
        let count =
            |(state, count): (State, u64)| wire::StateCount { state: state.into(), count, exact: count < 100_000 };
        let sample = |at: i64| {
            let wave = (at as f64 / 23.0).sin();
            wire::OverviewSample {
                sample_time: ago(300 - at * 5),
                started_rate: 210.0 + 40.0 * wave,
                ended_rate: 200.0 + 60.0 * (at as f64 / 17.0).cos(),
                latency_p50: (at != 20)
                    .then(|| Duration { seconds: 0, nanos: 40_000_000 + (10_000_000.0 * wave) as i32 }),
                latency_p99: Some(Duration { seconds: 0, nanos: 310_000_000 + (120_000_000.0 * wave) as i32 }),
                stuck_rate: 0.2,
                under_way: (800.0 + 300.0 * wave) as u64,
            }
        };
        let part = |name: &str, kind: &str, healthy: bool| wire::Component {
            component: self.text(name),
            kind: kind.to_owned(),
            healthy,
            seen_time: ago(if healthy { 1 } else { 95 }),
            version: self.text("0.1.0"),
            trouble: if healthy { String::new() } else { self.text("It does not answer.") },
        };
        let queue =
            |name: &str, messages, dead_letters| wire::QueueDepth { queue: self.text(name), messages, dead_letters };
        wire::GetOverviewResponse {
            states: states.map(count).to_vec(),
            samples: (0..=60).map(sample).collect(),
            oldest: Some(self.saga()),
            queues: vec![
                queue("saga.cmd.stock.v1", 12, false),
                queue("saga.cmd.stock.v1.dlq", 2, true),
                queue("saga.cmd.order.v1", 0, false),
            ],
            components: vec![
                part("orchestrator-1", "orchestrator", true),
                part("order", "participant", true),
                part("stock", "participant", false),
            ],
            incidents: Some(count((State::Stuck, 3))),
            oldest_incident: Some(self.saga()),
            dead_letters: 2,
            skipped: 5,
            skipped_exact: true,
            concerns: vec![
                wire::OverviewConcern {
                    kind: wire::ConcernKind::Stuck.into(),
                    sentence: self.text("6 stuck at the undo of order.open because of ORDER_STATE"),
                    count: 6,
                    filter: self.text("state = stuck AND reason = ORDER_STATE"),
                    subject: format!("sagas/{ID}"),
                    message: self.text("the order is CANCELLED"),
                },
                wire::OverviewConcern {
                    kind: wire::ConcernKind::Hold.into(),
                    sentence: self.text("participants/payment held"),
                    count: 12,
                    subject: format!("holds/participants/{}", self.text("payment")),
                    ..wire::OverviewConcern::default()
                },
            ],
            troubles: vec![self.text("The broker did not say how deep saga.reply.0.v1 is.")],
        }
    }
}
