//! One of everything that has a name.

use super::{ID, MadeUp, ago, lasts};
use baton_proto::baton::saga::v1 as wire;

impl MadeUp {
    pub fn saga(&self) -> wire::Saga {
        wire::Saga {
            name: format!("sagas/{ID}"),
            definition: self.text("order"),
            definition_version: 1,
            state: wire::SagaState::Stuck.into(),
            step: self.text("payment.taken"),
            direction: "undo".to_owned(),
            attempt: 190,
            wake_time: None,
            version: 388,
            business_key: self.text("ORD-2026-000123"),
            reason: self.text("REFUND_REFUSED"),
            message: self.text("the provider refuses the refund"),
            create_time: ago(4_000),
            update_time: ago(600),
            trace_id: self.text("4bf92f3577b34da6a3ce929d0e0e4736"),
            skipped: vec![wire::SkippedStep { step: self.text("order.open"), direction: "undo".to_owned() }],
        }
    }

    pub fn job(&self, state: wire::JobState) -> wire::Job {
        wire::Job {
            name: format!("jobs/{ID}"),
            filter: self.text("reason = REFUND_REFUSED AND age > 1h"),
            preset: self.text("stuck"),
            verb: wire::SagaVerb::Retry.into(),
            reason: self.text("the provider is back"),
            actor: self.text("ada"),
            max_rate: 200,
            state: state.into(),
            matched: 12_345,
            matched_exact: false,
            done: 4_210,
            failed: 12,
            create_time: ago(120),
            update_time: ago(1),
            outcomes: vec![wire::JobOutcome {
                state: wire::SagaState::Stuck.into(),
                step: self.text("order.confirm"),
                direction: "action".to_owned(),
                count: 8,
                example: format!("sagas/{ID}"),
                reason: self.text("ORDER_STATE"),
                message: self.text("the order is CANCELLED"),
            }],
            waits: self.text("It waits: half of what may be under way is."),
        }
    }

    pub fn letter(&self) -> wire::DeadLetter {
        wire::DeadLetter {
            name: format!("deadLetters/{ID}"),
            destination: self.text("stock"),
            message_id: self.text(ID),
            reason: self.text("NOTHING_READABLE"),
            sentence: self.text("Nothing in it can be read as a command. Its sagas, if any, send theirs again."),
            sagas: vec![format!("sagas/{ID}"); 5],
            size_bytes: 2_048,
            state: wire::DeadLetterState::Waiting.into(),
            create_time: ago(300),
            decide_time: None,
            replay_of: format!("deadLetters/{ID}"),
            came_back_as: format!("deadLetters/{ID}"),
        }
    }

    pub fn hold(&self) -> wire::Hold {
        wire::Hold {
            name: format!("holds/participants/{}", self.text("payment")),
            reason: self.text("the provider is down"),
            actor: self.text("ada"),
            create_time: ago(90),
            paused: 1_204,
            releasing: true,
        }
    }

    pub fn definition(&self) -> wire::Definition {
        let step =
            |name: &str, participant: &str, kind: wire::StepKind, action: &str, undo: &str| wire::DefinitionStep {
                step: self.text(name),
                participant: self.text(participant),
                kind: kind.into(),
                action: if action.is_empty() { String::new() } else { self.text(action) },
                undo: if undo.is_empty() { String::new() } else { self.text(undo) },
                covered_by: String::new(),
                timeout: lasts(5),
                retry: Some(wire::RetryPolicy { base: lasts(1), factor: 2, cap: lasts(30), attempts: 8 }),
                undo_timeout: None,
                undo_retry: None,
            };
        use wire::StepKind::{Compensatable, Pivot, Retriable};
        wire::Definition {
            name: "definitions/order/versions/1".to_owned(),
            steps: vec![
                step("payment.taken", "payment", Compensatable, "", "payment.cancel"),
                step("order.open", "order", Compensatable, "order.open", "order.reject"),
                step("payment.verify", "payment", Compensatable, "payment.verify", ""),
                step("stock.reserve", "stock", Pivot, "stock.reserve", ""),
                step("order.confirm", "order", Retriable, "order.confirm", ""),
            ],
            deadline: lasts(600),
            digest: self.text("9f2c41d0a7"),
            known: true,
            newest: true,
            unfinished: 37,
            unfinished_exact: true,
        }
    }
}
