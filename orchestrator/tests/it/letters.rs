//! Dead letters from the quarantine to an operator's decision, and a saga's timeline: what is shown, and what never is.

use crate::support;
use baton_courier::bus::{CommandBus, Destination, Message};
use baton_courier::local::{LocalBus, LocalConfig};
use baton_courier::rabbitmq::{RabbitBus, RabbitConfig};
use baton_orchestrator::api::Api;
use baton_orchestrator::operations::Operations;
use baton_orchestrator::store::conformance::sample;
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::store::{Changes, Record, SagaStore as _};
use baton_orchestrator::workers::dead_letters::Collector;
use baton_orchestrator::workers::probe::NoProbe;
use baton_orchestrator::workers::replays::Replays;
use baton_proto::baton::participant::v1 as part;
use baton_proto::baton::saga::v1 as wire;
use baton_proto::baton::saga::v1::saga_admin_service_server::SagaAdminService as _;
use baton_sql::database::{DatabaseConfig, Verdict};
use bytes::Bytes;
use prost::Message as _;
use saga_core::event::{Entry, JournalRecord};
use saga_core::saga::{DefinitionId, SagaId, State, Wait};
use shop_proto::order::v1::{OpenOrder, OrderSagaInput};
use std::sync::Arc;
use std::time::Duration;
use support::office::{mariadb, reason};
use support::{Bench, order_start};
use tonic::{Code, Request, Status};
use uuid::Uuid;

const CANARY: &str = "canary-7f3a";
/// No broker is so busy that it takes longer.
const PATIENCE: Duration = Duration::from_secs(120);
const REQUEST: &str = "3f0f3ff5-8f7d-4a44-9c52-0f3a3b8f7d12";

/// A service with operations, and the bus whose dead letters it collects.
struct Post {
    api: Api,
    operations: Operations,
    bus: Arc<dyn CommandBus>,
    sql: Arc<SqlStore>,
}

impl Post {
    async fn over(config: DatabaseConfig, bus: Arc<dyn CommandBus>) -> Self {
        let bench = Bench::over(config).await;
        let operations = bench.operations.clone().expect("operations");
        let api = bench.api(Arc::new(NoProbe));
        let sql = bench.sql.clone().expect("a database");
        tokio::spawn(bench.engine.run());
        Self { api, operations, bus, sql }
    }

    /// Publishes bodies to `destination`, whose consumer can use none of them, and keeps the letters.
    async fn bury(&self, destination: &Destination, bodies: &[Bytes], reason: &str) {
        let mut consumer = self.bus.consume(destination.clone()).await.expect("a consumer");
        let mut dead = self.bus.consume_dead_letters(destination.clone()).await.expect("a quarantine");
        let message =
            |body: &Bytes| Message { id: Uuid::new_v4(), destination: destination.clone(), body: body.clone() };
        let mut messages: Vec<Message> = bodies.iter().map(message).collect();
        let collector =
            Collector::new(self.operations.clone(), self.bus.clone(), destination.clone(), Arc::new(Uuid::now_v7));
        let expected = self.waiting().await.len() + bodies.len();
        // A busy broker may confirm too late and hand out again what could not be quarantined in time; either way a letter
        // is kept once.
        let bury = async {
            loop {
                for delivery in consumer.take(16).await.expect("deliveries") {
                    delivery.dead_letter(reason).await;
                }
            }
        };
        let collect = async {
            while !messages.is_empty() {
                let taken = self.bus.publish(messages.clone()).await;
                messages.retain(|message| !taken.contains(&message.id));
            }
            while self.waiting().await.len() < expected {
                collector.run_once(&mut *dead).await.expect("collected");
            }
        };
        tokio::select! {
            () = bury => {}
            () = collect => {}
            () = tokio::time::sleep(PATIENCE) => panic!("the letters of {destination:?} are not kept after {PATIENCE:?}"),
        }
    }

    async fn waiting(&self) -> Vec<wire::DeadLetter> {
        self.list(wire::DeadLetterState::Waiting, 1000, "").await.expect("a list").dead_letters
    }

    async fn list(
        &self,
        state: wire::DeadLetterState,
        page_size: i32,
        page_token: &str,
    ) -> Result<wire::ListDeadLettersResponse, Status> {
        let request = wire::ListDeadLettersRequest { page_size, page_token: page_token.into(), state: state.into() };
        Ok(self.api.list_dead_letters(Request::new(request)).await?.into_inner())
    }

    async fn get(&self, name: &str) -> Result<wire::GetDeadLetterResponse, Status> {
        let request = wire::GetDeadLetterRequest { name: name.into() };
        Ok(self.api.get_dead_letter(Request::new(request)).await?.into_inner())
    }

    async fn replay(&self, name: &str, request_id: &str) -> Result<wire::DeadLetter, Status> {
        let request = wire::ReplayDeadLetterRequest {
            name: name.into(),
            reason: "the reader is mended".into(),
            actor: "ada".into(),
            request_id: request_id.into(),
        };
        let answer = self.api.replay_dead_letter(Request::new(request)).await?.into_inner();
        Ok(answer.dead_letter.expect("a dead letter"))
    }

    async fn drop(&self, name: &str, reason: &str) -> Result<wire::DeadLetter, Status> {
        let request = wire::DropDeadLetterRequest {
            name: name.into(),
            reason: reason.into(),
            actor: "ada".into(),
            request_id: String::new(),
        };
        Ok(self.api.drop_dead_letter(Request::new(request)).await?.into_inner().dead_letter.expect("a dead letter"))
    }

    /// What is replayed and not sent yet.
    async fn unsent(&self) -> Vec<(Destination, Bytes)> {
        let letters = self.operations.unsent_letters(100).await.expect("letters");
        letters.into_iter().map(|(letter, body)| (letter.destination, body)).collect()
    }

    /// Sends what is replayed, and takes it from the queue it was meant for.
    async fn sent_again(&self, destination: &Destination) -> Bytes {
        let replays = Replays::new(self.operations.clone(), self.bus.clone());
        let mut consumer = self.bus.consume(destination.clone()).await.expect("a consumer");
        let send = async {
            while !self.unsent().await.is_empty() {
                replays.run_once().await.expect("a round");
            }
        };
        let take = async {
            let mut taken = Bytes::new();
            // A busy broker may confirm too late, and gets it twice.
            for delivery in consumer.take(16).await.expect("deliveries") {
                taken = delivery.body.clone();
                delivery.ack().await;
            }
            taken
        };
        let both = async { tokio::join!(take, send) };
        tokio::time::timeout(PATIENCE, both).await.expect("it arrives").0
    }
}

fn stock() -> Destination {
    Destination::Commands("stock".into())
}

fn order() -> Destination {
    Destination::Commands("order".into())
}

fn key(n: u8, step: u32) -> Option<part::CommandKey> {
    Some(part::CommandKey { saga_id: Bytes::from(vec![n; 16]), step, direction: 1 })
}

/// A command whose payload has a customer in it.
fn open(n: u8) -> part::Command {
    let payload = OpenOrder { order_number: "order-1".into(), customer_id: CANARY.into(), ..OpenOrder::default() };
    part::Command {
        key: key(n, 1),
        attempt: 2,
        name: "order.open".into(),
        payload: payload.encode_to_vec().into(),
        definition: "order/1".into(),
        ..part::Command::default()
    }
}

fn commands(items: Vec<part::Command>) -> Bytes {
    part::CommandBatch { commands: items }.encode_to_vec().into()
}

fn name(n: u8) -> String {
    format!("sagas/{}", Uuid::from_bytes([n; 16]))
}

async fn embedded() -> Post {
    let bus = LocalBus::new(LocalConfig { capacity: 64, confirm_deadline: Duration::from_secs(5) });
    Post::over(DatabaseConfig::SqliteMemory, Arc::new(bus)).await
}

async fn both() -> [Post; 2] {
    let broker = baton_supervisor::shared::rabbitmq().await;
    let url = baton_supervisor::shared::fresh_vhost(broker).await;
    let bus = RabbitBus::start(&RabbitConfig::new(url)).expect("a bus");
    [embedded().await, Post::over(mariadb().await, Arc::new(bus)).await]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_collected_shown_replayed_once_and_dropped() {
    for post in both().await {
        let good = commands(vec![open(1), open(2)]);
        post.bury(&order(), std::slice::from_ref(&good), "COMMAND_UNREADABLE").await;
        let listed = post.waiting().await;
        let letter = listed.first().expect("a letter").clone();
        assert_eq!((letter.destination.as_str(), letter.reason.as_str()), ("order", "COMMAND_UNREADABLE"));
        assert_eq!(letter.sagas, [name(1), name(2)]);
        assert!(!letter.message_id.is_empty() && letter.sentence.contains("order"), "{letter:?}");
        assert!(letter.create_time.is_some() && letter.decide_time.is_none());

        let shown = post.get(&letter.name).await.expect("shown");
        assert!(shown.flaw.is_empty() && shown.hex.is_empty(), "{shown:?}");
        assert!(shown.json.contains("order-1") && shown.json.contains("[redacted]"), "{}", shown.json);
        assert!(!format!("{shown:?}").contains(CANARY));

        let replayed = post.replay(&letter.name, REQUEST).await.expect("replayed");
        assert_eq!(replayed.state(), wire::DeadLetterState::Replayed);
        assert!(replayed.decide_time.is_some());
        assert_eq!(post.unsent().await, [(order(), good.clone())]);
        // Once: the same request is answered alike, another is refused.
        assert_eq!(post.replay(&letter.name, REQUEST).await.expect("the same").decide_time, replayed.decide_time);
        let status = post.replay(&letter.name, "").await.expect_err("decided");
        assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "DEAD_LETTER_DECIDED"));
        let status = post.drop(&letter.name, "x").await.expect_err("decided");
        assert_eq!(reason(&status), "DEAD_LETTER_DECIDED");
        assert_eq!(post.unsent().await.len(), 1);
        let row =
            post.operations.audited(Uuid::parse_str(REQUEST).unwrap()).await.expect("asked").expect("written down");
        assert_eq!((row.audit.act.as_str(), row.audit.subject.as_str()), ("replay-dead-letter", letter.name.as_str()));

        // What fails again is a new letter.
        post.bury(&order(), std::slice::from_ref(&good), "COMMAND_UNREADABLE").await;
        let again = post.waiting().await;
        assert!(again.len() == 1 && again[0].name != letter.name, "{again:?}");
        let status = post.drop(&again[0].name, " ").await.expect_err("no reason");
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(post.waiting().await.len(), 1, "a refused act changes nothing");
        let dropped = post.drop(&again[0].name, "nobody needs it").await.expect("dropped");
        assert_eq!(dropped.state(), wire::DeadLetterState::Dropped);
        assert!(post.waiting().await.is_empty());
        assert_eq!(post.list(wire::DeadLetterState::Unspecified, 0, "").await.expect("all").dead_letters.len(), 2);
        assert_eq!(post.unsent().await.len(), 1);
        assert_eq!(post.sent_again(&order()).await, good);
        post.bus.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_go_back_to_the_replies_and_outputs_stay_hidden() {
    for post in both().await {
        let rejected = part::Rejected { reason: "NO".into(), message: CANARY.into() };
        let succeeded = part::Succeeded { output: Bytes::from_static(CANARY.as_bytes()) };
        let replies = vec![
            part::Reply {
                key: key(1, 3),
                attempt: 1,
                outcome: Some(part::reply::Outcome::Rejected(rejected)),
                ..Default::default()
            },
            part::Reply {
                key: key(1, 1),
                attempt: 1,
                outcome: Some(part::reply::Outcome::Succeeded(succeeded)),
                ..Default::default()
            },
        ];
        let body: Bytes = part::ReplyBatch { replies }.encode_to_vec().into();
        post.bury(&Destination::Replies, std::slice::from_ref(&body), "MALFORMED_REPLY").await;
        let letter = post.waiting().await.remove(0);
        assert_eq!((letter.destination.as_str(), letter.sagas.as_slice()), ("replies", [name(1)].as_slice()));
        let shown = post.get(&letter.name).await.expect("shown");
        assert!(shown.json.contains("\"NO\""), "{}", shown.json);
        assert!(!format!("{shown:?}").contains(CANARY) && !shown.json.contains("Y2FuYXJ5"), "{}", shown.json);
        post.replay(&letter.name, "").await.expect("replayed");
        assert_eq!(post.unsent().await, [(Destination::Replies, body.clone())]);
        assert_eq!(post.sent_again(&Destination::Replies).await, body);
        post.bus.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_decode_is_shown_as_far_as_it_does() {
    let post = embedded().await;
    let mut half = commands(vec![open(3)]).to_vec();
    half.extend_from_slice(b"\x0a\x02\xff\xff");
    let bodies = [
        Bytes::from_static(b"\x0a\xff garbage"),
        half.into(),
        commands(vec![part::Command { name: "stock.reserve".into(), ..open(4) }]),
    ];
    post.bury(&stock(), &bodies, "<no reason>").await;
    let letters = post.waiting().await;
    assert!(letters.iter().all(|letter| letter.reason == "UNKNOWN" && !letter.sentence.is_empty()), "{letters:?}");
    let mut shown = Vec::new();
    for letter in letters.iter().rev() {
        shown.push(post.get(&letter.name).await.expect("shown"));
    }
    assert!(shown[0].json.is_empty() && !shown[0].flaw.is_empty() && shown[0].hex.starts_with("0aff20"), "{shown:?}");
    assert!(shown[1].json.contains("order-1") && shown[1].flaw.starts_with("1 of its 2") && shown[1].hex.is_empty());
    // A name that is not what the step asks: the payload may be anything.
    assert!(shown[2].json.contains("\"payload\": \"[redacted]\"") && shown[2].flaw.is_empty(), "{}", shown[2].json);
    assert!(!format!("{shown:?}").contains(CANARY));

    let first = post.list(wire::DeadLetterState::Waiting, 2, "").await.expect("a page");
    assert_eq!(first.dead_letters, letters[..2]);
    let rest = post.list(wire::DeadLetterState::Waiting, 2, &first.next_page_token).await.expect("a page");
    assert_eq!((rest.dead_letters.as_slice(), rest.next_page_token.as_str()), (&letters[2..], ""));
    let status =
        post.list(wire::DeadLetterState::Dropped, 2, &first.next_page_token).await.expect_err("another list's");
    assert_eq!(status.code(), Code::InvalidArgument);
    let status = post.get(&format!("deadLetters/{}", Uuid::nil())).await.expect_err("none");
    assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "DEAD_LETTER_NOT_FOUND"));
    assert_eq!(post.get("7").await.expect_err("no name").code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_waits_is_kept_once() {
    use baton_orchestrator::operations::letters::NewLetter;
    for config in [DatabaseConfig::SqliteMemory, mariadb().await] {
        let bus = Arc::new(LocalBus::new(LocalConfig::default()));
        let post = Post::over(config, bus).await;
        let letter = NewLetter {
            id: Uuid::now_v7(),
            destination: stock(),
            message_id: Some(Uuid::from_u128(7)),
            reason: "TOO_LARGE".into(),
            body: vec![7; 300 * 1024].into(),
            sagas: Vec::new(),
        };
        let other = NewLetter { id: Uuid::now_v7(), destination: order(), ..letter.clone() };
        assert_eq!(post.operations.keep_letters(&[letter.clone(), other, letter.clone()]).await.expect("kept"), 2);
        assert_eq!(post.operations.keep_letters(std::slice::from_ref(&letter)).await.expect("known"), 0);
        let waiting = post.waiting().await;
        assert!(waiting.len() == 2 && waiting.iter().all(|letter| letter.size_bytes == 300 * 1024), "{waiting:?}");
        let of_stock = waiting.iter().find(|letter| letter.destination == "stock").expect("one");
        let status = post.replay(&of_stock.name, "").await.expect_err("too large");
        assert_eq!(reason(&status), "DEAD_LETTER_TOO_LARGE");
        assert_eq!(post.waiting().await.len(), 2, "a refused act changes nothing");
        post.drop(&of_stock.name, "too large").await.expect("dropped");
        // Decided: the same message may die again.
        assert_eq!(post.operations.keep_letters(std::slice::from_ref(&letter)).await.expect("kept before"), 0);
        let again = NewLetter { id: Uuid::now_v7(), ..letter };
        assert_eq!(post.operations.keep_letters(&[again]).await.expect("kept"), 1);
    }
}

/// It stays where it is, and those that come after it are kept, however many takes they fill.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_the_database_refuses_holds_up_no_other() {
    let bus = Arc::new(LocalBus::new(LocalConfig { capacity: 64, confirm_deadline: Duration::from_secs(5) }));
    let post = Post::over(DatabaseConfig::SqliteMemory, bus.clone()).await;
    let refuses = post.sql.database().transaction(|tx| {
        Box::pin(async {
            let sql = "CREATE TRIGGER refuses BEFORE INSERT ON dead_letter WHEN NEW.body = x'07' \
                BEGIN SELECT RAISE(ABORT, 'told to'); END";
            tx.execute(sql, Vec::new()).await.map(Verdict::Commit)
        })
    });
    refuses.await.expect("a trigger");
    let mut consumer = bus.consume(stock()).await.expect("a consumer");
    let mut dead = bus.consume_dead_letters(stock()).await.expect("a quarantine");
    let collector = Collector::new(post.operations.clone(), bus.clone(), stock(), Arc::new(Uuid::now_v7));
    let bodies = (7..47).map(|n| Bytes::from(vec![n]));
    let messages = bodies.map(|body| Message { id: Uuid::new_v4(), destination: stock(), body }).collect();
    let bury = async {
        let mut buried = 0;
        while buried < 40 {
            for delivery in consumer.take(16).await.expect("deliveries") {
                delivery.dead_letter("UNREADABLE").await;
                buried += 1;
            }
        }
    };
    let (published, ()) = tokio::join!(bus.publish(messages), bury);
    assert_eq!(published.len(), 40);
    let collect = async {
        while post.waiting().await.len() < 39 {
            collector.run_once(&mut *dead).await.expect("collected");
        }
    };
    tokio::time::timeout(PATIENCE, collect).await.expect("all but one are kept");
    assert!(post.waiting().await.iter().all(|letter| letter.size_bytes == 1));
    let left = bus.dead_letters();
    assert_eq!((left.len(), left[0].body.as_ref()), (1, [7].as_slice()), "nothing is lost");
}

async fn timeline(api: &Api, name: &str) -> Result<wire::GetSagaTimelineResponse, Status> {
    let request = wire::GetSagaTimelineRequest { name: name.into() };
    Ok(api.get_saga_timeline(Request::new(request)).await?.into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeline_shows_what_was_said_without_what_is_personal() {
    let post = embedded().await;
    let mut start = order_start(1);
    let input = OrderSagaInput::decode(start.input.clone()).expect("an input");
    start.input = OrderSagaInput { customer_id: CANARY.into(), ..input }.encode_to_vec().into();
    post.api.engine.start(start).await.expect("started").expect("settled");
    let shown = timeline(&post.api, &name(1)).await.expect("a timeline");
    assert_eq!((shown.version, shown.gap.as_str()), (1, ""));
    assert_eq!(shown.lanes.len(), 1);
    assert_eq!((shown.lanes[0].step.as_str(), shown.lanes[0].participant.as_str()), ("order.open", "order"));
    let titles: Vec<&str> = shown.payloads.iter().map(|payload| payload.title.as_str()).collect();
    assert_eq!(titles, ["input", "order.open: command"]);
    assert!(shown.payloads.iter().all(|payload| payload.json.contains("imp_1") != (payload.title != "input")));
    assert!(shown.payloads.iter().all(|payload| payload.json.contains("[redacted]") && payload.size_bytes > 0));
    assert!(!format!("{shown:?}").contains(CANARY));
    let request = wire::ExplainSagaRequest { name: name(1) };
    let explained = post.api.explain_saga(Request::new(request)).await.expect("explained");
    assert!(!format!("{explained:?}").contains(CANARY));
    assert_eq!(timeline(&post.api, &name(9)).await.expect_err("none").code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeline_is_never_blank() {
    let bench = Bench::new();
    let clock = bench.clock.clone();
    let store = SqlStore::open_with_clock(DatabaseConfig::SqliteMemory, Arc::new(move || clock.now())).await.unwrap();
    store.migrate().await.unwrap();
    let record = |n: u8, definition: &str| {
        let wait = Wait::Reply { attempt: 1, last: 5, until: bench.clock.now() };
        let mut record: Record = sample::record(SagaId([n; 16]), State::Running { step: 1, wait });
        record.saga.definition = DefinitionId { name: definition.into(), version: 1 };
        record.saga.input = order_start(n).input;
        record
    };
    let records = [record(1, "elsewhere"), record(2, "order"), record(3, "order")];
    let journal: Vec<Entry> = records.iter().map(|record| sample::started(&record.saga)).collect();
    assert!(journal.iter().all(|entry| matches!(entry.record, JournalRecord::Started { .. })));
    let changes = Changes { inserts: records.into_iter().map(sample::insert).collect(), journal, ..Changes::default() };
    store.commit(Vec::new(), sample::always(changes)).await.unwrap();
    let damage = store.database().transaction(move |tx| {
        Box::pin(async move {
            let garbage = || baton_sql::value::Value::from(vec![0xff_u8; 3]);
            tx.execute("UPDATE saga SET data = ? WHERE id = ?", vec![garbage(), [2_u8; 16].into()]).await?;
            let sql = "UPDATE journal SET event = ? WHERE saga_id = ?";
            tx.execute(sql, vec![garbage(), [3_u8; 16].into()]).await.map(Verdict::Commit)
        })
    });
    assert_eq!(damage.await.unwrap(), 1);
    let store = Arc::new(store);
    let api = Api { store: store.clone(), query: store, ..bench.api(Arc::new(NoProbe)) };

    let unknown = timeline(&api, &name(1)).await.expect("a timeline");
    assert!(unknown.gap.contains("does not know") && unknown.lanes.is_empty(), "{unknown:?}");
    assert_eq!(unknown.entries.len(), 1);
    assert!(unknown.payloads[0].r#type.is_empty() && unknown.payloads[0].json.is_empty());
    assert!(unknown.payloads[0].size_bytes > 0);

    let no_row = timeline(&api, &name(2)).await.expect("a timeline");
    assert!(no_row.gap.contains("row cannot be read") && no_row.lanes.len() == 1, "{no_row:?}");
    assert!(no_row.payloads.iter().any(|payload| payload.title == "input" && !payload.json.is_empty()));

    let no_journal = timeline(&api, &name(3)).await.expect("a timeline");
    assert!(no_journal.gap.contains("journal cannot be read") && no_journal.payloads.len() == 2, "{no_journal:?}");
}
