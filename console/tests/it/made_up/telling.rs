//! What is told of one saga: why it is there, and how it came there.

use super::{MadeUp, ago};
use baton_proto::baton::saga::v1 as wire;

impl MadeUp {
    pub fn timeline(&self) -> wire::GetSagaTimelineResponse {
        use wire::{LaneOutcome as Left, SpanActivity as Does, SpanEnd as End};
        let span = |from: i64, to: i64, does: Does, attempt: u32, end: End| wire::TimelineSpan {
            start_time: ago(from),
            end_time: ago(to),
            activity: does.into(),
            attempt,
            end: end.into(),
            reason: if end == End::Succeeded { String::new() } else { self.text("PROVIDER_UNAVAILABLE") },
        };
        let lane = |step: &str, direction: &str, spans: Vec<wire::TimelineSpan>, left: Left| wire::TimelineLane {
            step: self.text(step),
            direction: direction.to_owned(),
            participant: self.text(step.split('.').next().unwrap_or_default()),
            attempts: spans.len() as u32,
            spans,
            outcome: left.into(),
            reason: self.text(""),
        };
        let vain = [(3_988, 3_983), (3_980, 3_975), (3_970, 3_965)].into_iter().zip(1..);
        let mut spans: Vec<_> = vain
            .flat_map(|((from, to), attempt)| {
                [
                    span(from, to, Does::Attempt, attempt, End::TimedOut),
                    span(to, to - 4, Does::Backoff, attempt, End::SentAgain),
                ]
            })
            .collect();
        spans.push(span(3_961, 2_000, Does::Paused, 3, End::Operator));
        spans.push(span(2_000, 600, Does::Attempt, 4, End::Rejected));
        spans.push(span(600, 0, Does::Stuck, 4, End::Unspecified));
        let action = |seconds, verb: wire::SagaVerb| wire::TimelineAction {
            event_time: ago(seconds),
            verb: verb.into(),
            actor: self.text("ada"),
            reason: self.text("the provider is down"),
            step: self.text("payment.taken"),
            direction: "undo".to_owned(),
        };
        wire::GetSagaTimelineResponse {
            version: 388,
            start_time: ago(4_000),
            end_time: ago(0),
            lanes: vec![
                lane("order.open", "action", vec![span(4_000, 3_998, Does::Attempt, 1, End::Succeeded)], Left::Done),
                lane(
                    "payment.verify",
                    "action",
                    vec![span(3_998, 3_994, Does::Attempt, 1, End::Succeeded)],
                    Left::Done,
                ),
                lane(
                    "stock.reserve",
                    "action",
                    vec![span(3_994, 3_990, Does::Attempt, 1, End::Rejected)],
                    Left::Refused,
                ),
                lane("order.open", "undo", vec![span(3_990, 3_988, Does::Attempt, 1, End::Succeeded)], Left::Done),
                lane("payment.taken", "undo", spans, Left::Unspecified),
            ],
            actions: vec![action(3_961, wire::SagaVerb::Pause), action(2_000, wire::SagaVerb::Resume)],
            entries: Vec::new(),
            gap: self.text(""),
            payloads: vec![wire::SagaPayload {
                title: self.text("input"),
                step: String::new(),
                r#type: self.text("shop.order.v1.PlaceOrder"),
                json: self.text("{\n  \"order\": \"ORD-2026-000123\",\n  \"customer\": \"[redacted]\"\n}"),
                size_bytes: 120,
            }],
        }
    }

    pub fn explanation(&self) -> wire::SagaExplanation {
        let act = |verb: wire::SagaVerb, legal: bool| wire::SagaAct {
            verb: verb.into(),
            legal,
            sentence: self.text("You may do it: it sends attempt 191 of the undo of payment.taken to payment."),
            ends: if legal { vec![wire::SagaEnd::Compensated.into(), wire::SagaEnd::Stuck.into()] } else { Vec::new() },
            rule: if legal { String::new() } else { self.text("UNWINDING") },
        };
        use wire::SagaVerb::{Cancel, Pause, ResolveUndone, Retry, Skip};
        wire::SagaExplanation {
            trouble: self.text(""),
            summary: self.text("It is stuck at the undo of payment.taken because of REFUND_REFUSED."),
            history: vec![wire::SagaHappening {
                event_time: ago(4_000),
                step: String::new(),
                direction: String::new(),
                attempts: 0,
                sentence: self.text("It was started as order/1."),
            }],
            gap: self.text(""),
            waiting: Some(wire::SagaWaiting {
                wait: wire::SagaWait::Operator.into(),
                since_time: ago(600),
                until_time: None,
                sentence: self.text("It has waited for an operator for 10 minutes."),
            }),
            upcoming: None,
            ledger: None,
            outlook: None,
            hold: Some(wire::SagaHold {
                name: format!("holds/participants/{}", self.text("payment")),
                actor: self.text("mina"),
                reason: self.text("the bank is closed"),
            }),
            acts: [(Retry, true), (Skip, true), (ResolveUndone, true), (Cancel, false), (Pause, false)]
                .map(|(verb, legal)| act(verb, legal))
                .to_vec(),
        }
    }
}
