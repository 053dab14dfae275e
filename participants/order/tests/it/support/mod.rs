//! What the order tests share: databases, commands, a port.
#![allow(dead_code, reason = "each test file uses a part")]

use baton_order::participant::OrderParticipant;
use baton_order::service::Orders;
use baton_participant_kit::batch::Batches;
use baton_participant_kit::clock::Clock;
use baton_participant_kit::ledger;
use baton_participant_kit::metrics::ParticipantMetrics;
use baton_participant_kit::participant::{Answer, Command, CommandDirection, CommandKey};
use baton_participant_kit::plan::Rules;
use baton_participant_kit::probe::routes;
use baton_rpc::server::serve;
use baton_sql::database::{Database, DatabaseConfig};
use baton_supervisor::shared;
use prost::Message as _;
use shop_domain::currency::Currencies;
use shop_proto::order::v1::order_service_client::OrderServiceClient;
use shop_proto::order::v1::{ConfirmOrder, OpenOrder, OrderLine, RejectOrder};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint};

/// A migrated database of each kind. The directory keeps the file.
pub async fn databases() -> Vec<(&'static str, Database, tempfile::TempDir)> {
    let mut all = Vec::new();
    for kind in ["memory", "file", "mariadb"] {
        let dir = tempfile::tempdir().unwrap();
        let config = match kind {
            "memory" => DatabaseConfig::SqliteMemory,
            "file" => DatabaseConfig::SqliteFile { path: dir.path().join("order.db") },
            _ => DatabaseConfig::MariaDb {
                url: shared::fresh_schema(shared::mariadb().await),
                connections: 4,
                acquire_timeout: Duration::from_secs(5),
            },
        };
        let database = Database::open(config).await.unwrap();
        database.migrate(&ledger::migrations(&OrderParticipant::default())).await.unwrap();
        all.push((kind, database, dir));
    }
    all
}

/// The order participant over `database`.
pub fn orders(database: &Database) -> Batches {
    let participant = Arc::new(OrderParticipant::default());
    Batches::new(participant, database.clone(), Clock::system(), ParticipantMetrics::default(), Rules::default(), 4096)
}

/// Lines of (item, quantity, price).
pub fn lines(lines: &[(&str, i64, i64)]) -> Vec<OrderLine> {
    let line = |(item, quantity, unit_price_minor_units): &(&str, i64, i64)| OrderLine {
        item_id: (*item).to_owned(),
        quantity: *quantity,
        unit_price_minor_units: *unit_price_minor_units,
    };
    lines.iter().map(line).collect()
}

/// The number of the n-th order.
pub fn number(order: u32) -> String {
    format!("00000000-0000-7000-8000-{order:012x}")
}

fn command(saga: u32, step: u8, direction: CommandDirection, name: &str, payload: Vec<u8>) -> Command {
    let mut id = [0; 16];
    id[12..].copy_from_slice(&saga.to_be_bytes());
    Command {
        key: CommandKey { saga: id, step, direction },
        attempt: 1,
        name: name.to_owned(),
        payload: payload.into(),
        deadline_us: 0,
        traceparent: String::new(),
        effect_before_saga: false,
    }
}

/// `order.open` of customer "kim" in won, two books of 1,000.
pub fn open(saga: u32, order_number: &str) -> Command {
    open_of(saga, order_number, "kim", &[("book", 2, 1_000)])
}

/// `order.open`.
pub fn open_of(saga: u32, order_number: &str, customer: &str, of: &[(&str, i64, i64)]) -> Command {
    let payload = OpenOrder {
        order_number: order_number.to_owned(),
        customer_id: customer.to_owned(),
        currency_code: "KRW".to_owned(),
        lines: lines(of),
    };
    command(saga, 1, CommandDirection::Action, "order.open", payload.encode_to_vec())
}

/// `order.reject`.
pub fn reject(saga: u32, order_number: &str, reason: &str) -> Command {
    let payload = RejectOrder { order_number: order_number.to_owned(), reason: reason.to_owned(), order: None };
    command(saga, 1, CommandDirection::Undo, "order.reject", payload.encode_to_vec())
}

/// `order.confirm`.
pub fn confirm(saga: u32, order_number: &str) -> Command {
    let payload = ConfirmOrder { order_number: order_number.to_owned() };
    command(saga, 4, CommandDirection::Action, "order.confirm", payload.encode_to_vec())
}

/// "succeeded " or outcome and reason, joined.
pub fn outcomes(answers: &[Answer]) -> String {
    answers.iter().map(|answer| format!("{} {}", answer.outcome(), answer.reason())).collect::<Vec<_>>().join(", ")
}

/// State and reason of an order.
pub async fn state(database: &Database, order_number: &str) -> (i64, String) {
    let bytes = shop_domain::identifier::OrderNumber::parse(order_number).unwrap().bytes();
    let sql = "SELECT state, reason FROM orders WHERE order_no = ?";
    let rows = database.query(sql, vec![bytes.into()]).await.unwrap();
    (rows[0].int(0).unwrap(), rows[0].text(1).unwrap().to_owned())
}

/// One number.
pub async fn count(database: &Database, sql: &str) -> i64 {
    database.query(sql, Vec::new()).await.unwrap()[0].int(0).unwrap()
}

/// The order service on a port of its own.
pub async fn client(database: &Database) -> OrderServiceClient<Channel> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = Orders::service(database.clone(), Currencies::default(), Clock::system());
    let routes = routes(Routes::new(service), vec![database.clone()]);
    tokio::spawn(serve(listener, routes, std::future::pending()));
    OrderServiceClient::new(Endpoint::from_shared(url).unwrap().connect().await.unwrap())
}
