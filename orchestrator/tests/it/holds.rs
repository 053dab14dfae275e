//! Holds over both databases: no start, the right sagas paused, exactly those resumed.

mod racing;
mod releasing;
mod resending;

use crate::support;
use baton_courier::bus::Destination;
use baton_orchestrator::api::Api;
use baton_orchestrator::api::start::{ParsedStart, new_saga_id};
use baton_orchestrator::engine::input::{Act, Input};
use baton_orchestrator::hold_policy::{Held, Mark};
use baton_orchestrator::operations::Operations;
use baton_orchestrator::store::conformance::sample::always;
use baton_orchestrator::store::{Changes, SagaStore as _};
use baton_orchestrator::workers::holds::Holds;
use baton_proto::baton::saga::v1 as wire;
use baton_proto::baton::saga::v1::saga_admin_service_server::SagaAdminService as _;
use baton_rpc::request_id::RequestId;
use baton_shop::saga::registry;
use saga_core::event::{OperatorAction, Outcome, Reply, Verb};
use saga_core::saga::{Direction, Resume, SagaId, State};
use std::time::Duration;
use support::office::{Office, both};
use support::{order_start, wait_for};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

impl Office {
    /// Another orchestrator, but for the engine: what it does to holds this one has not heard of.
    fn neighbour(&self) -> Self {
        let operations = Operations::new(self.sql.clone());
        Self { api: Api { operations: Some(operations.clone()), ..self.api.clone() }, operations, ..self.clone() }
    }

    /// An orchestrator's worker.
    fn holds_worker(&self) -> Holds {
        Holds::new(
            self.operations.clone(),
            self.store.clone(),
            self.store.clone(),
            self.api.engine.clone(),
            registry(),
            Uuid::now_v7(),
        )
    }

    async fn start(&self, n: u8) -> SagaId {
        self.api.engine.start(order_start(n)).await.expect("started").expect("settled");
        SagaId([n; 16])
    }

    /// Answers a step of the order saga, so that it goes on to the next.
    async fn answer(&self, saga: SagaId, step: u8) {
        let outcome = Outcome::Succeeded { output: bytes::Bytes::new() };
        let reply = Reply { step, direction: Direction::Action, attempt: 1, outcome };
        self.api.engine.many(vec![Input::Reply(saga, reply)]).await;
    }

    async fn action(&self, saga: SagaId, verb: Verb) {
        let action = OperatorAction { verb, actor: "bob".into(), reason: "by hand".into() };
        self.api.engine.action(Act::new(saga, action)).await.expect("acted").expect("settled");
    }

    /// Starts what an action asks for, as callers do; the last digit makes it another action.
    async fn begin(&self, request: &str) -> Result<SagaId, Status> {
        let asked = ParsedStart {
            saga_type: registry().newest("order").expect("registered").clone(),
            request: RequestId::parse(request).expect("a UUID"),
            input: order_start(*request.as_bytes().last().expect("a digit")).input,
            traceparent: String::new(),
        };
        self.api.starter().begin(new_saga_id(), asked).await.map_err(Status::from).map(|record| record.saga.id)
    }

    async fn hold(&self, name: &str) -> Result<wire::Hold, Status> {
        let request = wire::CreateHoldRequest {
            name: name.into(),
            reason: "the warehouse burns".into(),
            actor: "ada".into(),
            request_id: String::new(),
        };
        Ok(self.api.create_hold(Request::new(request)).await?.into_inner().hold.expect("a hold"))
    }

    async fn release(&self, name: &str) -> Result<wire::Hold, Status> {
        let request = wire::ReleaseHoldRequest {
            name: name.into(),
            reason: "the fire is out".into(),
            actor: "ada".into(),
            request_id: String::new(),
        };
        Ok(self.api.release_hold(Request::new(request)).await?.into_inner().hold.expect("a hold"))
    }

    async fn explained(&self, saga: SagaId) -> wire::SagaExplanation {
        let request = wire::ExplainSagaRequest { name: format!("sagas/{saga}") };
        let answer = self.api.explain_saga(Request::new(request)).await.expect("explained").into_inner();
        answer.explanation.expect("an explanation")
    }

    async fn act(&self, saga: SagaId, verb: wire::SagaVerb) -> Result<(), Status> {
        let request = wire::ActOnSagaRequest {
            name: format!("sagas/{saga}"),
            verb: verb.into(),
            reason: "by hand".into(),
            actor: "bob".into(),
            ..Default::default()
        };
        self.api.act_on_saga(Request::new(request)).await.map(|_| ())
    }

    async fn holds(&self) -> Vec<wire::Hold> {
        self.api.list_holds(Request::new(wire::ListHoldsRequest {})).await.expect("a list").into_inner().holds
    }

    async fn state(&self, saga: SagaId) -> &'static str {
        self.store.get(saga).await.unwrap().expect("a saga").saga.state.name()
    }

    /// How many messages have gone to a participant.
    fn sent_to(&self, participant: &str) -> usize {
        let sent = self.bus.sent.lock().unwrap();
        let to = Destination::Commands(participant.to_owned());
        sent.iter().filter(|message| message.destination == to).count()
    }

    /// Messages leave after the commit: waits until so many have, and no more.
    async fn sends_to(&self, participant: &str, messages: usize) {
        wait_for("messages", || self.sent_to(participant) >= messages).await;
        assert_eq!(self.sent_to(participant), messages);
    }
}

fn told(status: &Status) -> (Code, String) {
    (status.code(), status.get_details_error_info().map(|info| info.reason).unwrap_or_default())
}

const FIRST: &str = "3f0f3ff5-8f7d-4a44-9c52-0f3a3b8f7d11";
const SECOND: &str = "3f0f3ff5-8f7d-4a44-9c52-0f3a3b8f7d12";
const ORDER_SAGAS: &str = "holds/definitions/order";
const STOCK: &str = "holds/participants/stock";

#[tokio::test(flavor = "multi_thread")]
async fn a_held_definition_starts_nothing_and_pauses_what_is_under_way() {
    for office in both().await {
        let (one, two, by_hand) = (office.start(1).await, office.start(2).await, office.start(3).await);
        office.action(by_hand, Verb::Pause).await;
        let begun = office.begin(FIRST).await.expect("begun");
        let hold = office.hold(ORDER_SAGAS).await.expect("held");
        assert_eq!((hold.name.as_str(), hold.actor.as_str(), hold.releasing), (ORDER_SAGAS, "ada", false));

        let status = office.begin(SECOND).await.expect_err("held");
        assert_eq!(told(&status), (Code::FailedPrecondition, "DEFINITION_HELD".into()));
        assert!(status.message().contains("ada") && status.message().contains("burns"), "{status:?}");
        assert_eq!(office.begin(FIRST).await.expect("a repetition"), begun);

        let worker = office.holds_worker();
        worker.run_once().await.expect("a round");
        for saga in [one, two, begun] {
            assert_eq!(office.state(saga).await, "paused");
            let pause = (Verb::Pause, "ada".to_owned(), format!("held by {ORDER_SAGAS}: the warehouse burns"));
            assert_eq!(office.actions(saga).await, [pause]);
        }
        assert_eq!(office.holds().await[0].paused, 3);
        // Somebody resumes one of them by hand: it is held again before it sends anything.
        office.action(two, Verb::Resume).await;
        assert_eq!(office.state(two).await, "paused");
        assert!(office.release(ORDER_SAGAS).await.expect("releasing").releasing);
        office.begin(SECOND).await.expect("starts are let in again");
        worker.run_once().await.expect("a round");
        for saga in [one, two, begun] {
            assert_eq!(office.state(saga).await, "running");
        }
        assert_eq!(office.state(by_hand).await, "paused", "by hand");
        assert!(office.holds().await.is_empty());
        let status = office.release(ORDER_SAGAS).await.expect_err("gone");
        assert_eq!(told(&status), (Code::NotFound, "HOLD_NOT_FOUND".into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_participant_pauses_what_comes_to_its_steps() {
    for office in both().await {
        let (at_stock, at_order) = (office.start(1).await, office.start(2).await);
        for step in [1, 2] {
            office.answer(at_stock, step).await;
        }
        office.hold(STOCK).await.expect("held");
        office.begin(FIRST).await.expect("starts go on");
        let worker = office.holds_worker();
        worker.run_once().await.expect("a round");
        assert_eq!((office.state(at_stock).await, office.state(at_order).await), ("paused", "running"));
        for step in [1, 2] {
            office.answer(at_order, step).await;
        }
        worker.run_once().await.expect("a round");
        assert_eq!(office.state(at_order).await, "paused", "it has come there");
        // A late answer counts, and does not make the pause anybody else's.
        office.answer(at_stock, 3).await;
        office.release(STOCK).await.expect("releasing");
        worker.run_once().await.expect("a round");
        assert_eq!((office.state(at_stock).await, office.state(at_order).await), ("running", "running"));
        assert_eq!(office.actions(at_stock).await.len(), 2);
        worker.run_once().await.expect("a round");
        assert!(office.holds().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_survive_their_orchestrator_and_two_of_them_do_not_fight() {
    for office in both().await {
        let sagas = [office.start(1).await, office.start(2).await];
        // The engine of this process has not heard of what its neighbour holds; their workers have.
        let neighbour = office.neighbour();
        neighbour.hold(ORDER_SAGAS).await.expect("held");
        let (one, two) = (neighbour.holds_worker(), neighbour.holds_worker());
        let (first, second) = tokio::join!(one.run_once(), two.run_once());
        first.and(second).expect("a round");
        for saga in sagas {
            assert_eq!(office.actions(saga).await.len(), 1, "paused once");
        }
        // A restarted process knows nothing until it has read.
        let late = office.start(3).await;
        let restarted = neighbour.holds_worker();
        restarted.run_once().await.expect("a round");
        assert_eq!(office.state(late).await, "running", "another one has the hold");
        office.clock.pass(Duration::from_secs(11));
        restarted.run_once().await.expect("a round");
        assert_eq!(office.state(late).await, "paused");
        neighbour.release(ORDER_SAGAS).await.expect("releasing");
        office.clock.pass(Duration::from_secs(11));
        let (first, second) = tokio::join!(one.run_once(), two.run_once());
        first.and(second).expect("a round");
        for saga in sagas.into_iter().chain([late]) {
            assert_eq!(office.state(saga).await, "running");
            assert_eq!(office.actions(saga).await.len(), 2, "resumed once");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_without_its_pause_resumes_nothing() {
    for office in both().await {
        let (marked, paused) = (office.start(1).await, office.start(2).await);
        office.hold(ORDER_SAGAS).await.expect("held");
        // An earlier build marked what it was about to pause, and died.
        let held = Held::parse(ORDER_SAGAS).expect("a name");
        let marks = [marked, paused].map(|saga| Mark { held: held.clone(), saga, seen: 1 }).to_vec();
        let changes = Changes { marks, ..Changes::default() };
        office.store.commit(Vec::new(), always(changes)).await.expect("marked");
        office.action(paused, Verb::Pause).await;
        office.release(ORDER_SAGAS).await.expect("releasing");
        office.holds_worker().run_once().await.expect("a round");
        assert_eq!((office.state(marked).await, office.state(paused).await), ("running", "paused"));
        assert!(office.actions(marked).await.is_empty());
        assert!(office.holds().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acts_on_holds_are_written_down_once_per_request() {
    for office in both().await {
        let request = wire::CreateHoldRequest {
            name: STOCK.into(),
            reason: "why".into(),
            actor: "ada".into(),
            request_id: FIRST.into(),
        };
        for _ in 0..2 {
            let hold = office.api.create_hold(Request::new(request.clone())).await.expect("held").into_inner().hold;
            assert_eq!(hold.expect("a hold").name, STOCK);
        }
        let written = office.operations.audited(Uuid::parse_str(FIRST).unwrap()).await.unwrap().expect("written down");
        assert_eq!((written.audit.act.as_str(), written.audit.subject.as_str()), ("hold", STOCK));
        let other = wire::CreateHoldRequest { name: ORDER_SAGAS.into(), ..request };
        let status = office.api.create_hold(Request::new(other)).await.expect_err("another act");
        assert_eq!(told(&status).1, "REQUEST_ID_REUSED");
        for name in ["holds/definitions/nope", "holds/participants/nope", "holds/stock", "stock", "holds/sagas/action"]
        {
            let status = office.hold(name).await.expect_err(name);
            assert_eq!(told(&status), (Code::InvalidArgument, "NAME_INVALID".into()), "{name}");
        }
        assert_eq!(office.holds().await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_reaches_a_held_participant_however_quick_it_is() {
    for office in both().await {
        office.hold(STOCK).await.expect("held");
        let saga = office.start(1).await;
        for step in [1, 2] {
            office.answer(saga, step).await;
        }
        // No worker has looked yet.
        assert_eq!(office.state(saga).await, "paused");
        assert_eq!(office.sent_to("stock"), 0);
        let pause = (Verb::Pause, "ada".to_owned(), format!("held by {STOCK}: the warehouse burns"));
        assert_eq!(office.actions(saga).await, [pause]);
        assert_eq!(office.holds().await[0].paused, 1);
        // Nothing counts as sent.
        let state = office.store.get(saga).await.unwrap().expect("a saga").saga.state;
        assert!(matches!(state, State::Paused { resume: Resume::Run { step: 3, attempt: 0 } }), "{state:?}");
        let told = office.explained(saga).await;
        let waiting = told.waiting.expect("it waits").sentence;
        assert!(waiting.contains(STOCK) && waiting.contains("ada holds: the warehouse burns"), "{waiting}");
        assert!(told.ledger.is_none(), "nobody is asked about what was not sent");
        let legal: Vec<_> = told.acts.iter().filter(|act| act.legal).map(|act| act.verb()).collect();
        assert_eq!(legal, [wire::SagaVerb::Cancel]);
        let status = office.act(saga, wire::SagaVerb::Resume).await.expect_err("held");
        let info = status.get_details_error_info().expect("a reason");
        assert_eq!((info.reason.as_str(), info.metadata["rule"].as_str()), ("ACTION_REFUSED", "HELD"));
        assert_eq!((info.metadata["hold"].as_str(), info.metadata["why"].as_str()), (STOCK, "the warehouse burns"));
        let resume = told.acts.iter().find(|act| act.verb() == wire::SagaVerb::Resume).expect("listed");
        assert_eq!((resume.rule.as_str(), resume.sentence.as_str()), ("HELD", status.message()));
        assert_eq!((office.state(saga).await, office.sent_to("stock")), ("paused", 0));
        assert_eq!(office.actions(saga).await.len(), 1);

        office.release(STOCK).await.expect("releasing");
        office.holds_worker().run_once().await.expect("a round");
        assert_eq!(office.state(saga).await, "running");
        office.sends_to("stock", 1).await;
        assert!(office.holds().await.is_empty());
    }
}

/// The way out while the warehouse burns: what was never asked of it needs no undo there.
#[tokio::test(flavor = "multi_thread")]
async fn a_held_saga_can_be_cancelled() {
    for office in both().await {
        office.hold(STOCK).await.expect("held");
        let saga = office.start(1).await;
        for step in [1, 2] {
            office.answer(saga, step).await;
        }
        office.act(saga, wire::SagaVerb::Cancel).await.expect("cancelled");
        assert_eq!((office.state(saga).await, office.sent_to("stock")), ("compensating", 0));
        office.release(STOCK).await.expect("releasing");
        office.holds_worker().run_once().await.expect("a round");
        assert_eq!(office.state(saga).await, "compensating");
        assert!(office.holds().await.is_empty());
    }
}

/// A saga that two holds keep back goes from one to the other when the first is released.
#[tokio::test(flavor = "multi_thread")]
async fn the_second_of_two_holds_takes_over() {
    for office in both().await {
        office.hold(STOCK).await.expect("held");
        let saga = office.start(1).await;
        for step in [1, 2] {
            office.answer(saga, step).await;
        }
        office.hold(ORDER_SAGAS).await.expect("held");
        let worker = office.holds_worker();
        for (held, state) in [(STOCK, "paused"), (ORDER_SAGAS, "running")] {
            office.release(held).await.expect("releasing");
            worker.run_once().await.expect("a round");
            assert_eq!(office.state(saga).await, state, "{held}");
        }
        office.sends_to("stock", 1).await;
        assert!(office.holds().await.is_empty());
    }
}
