//! What the stock tests share: databases, commands, a port.
#![allow(dead_code, reason = "each test file uses a part")]

use baton_participant_kit::batch::Batches;
use baton_participant_kit::clock::Clock;
use baton_participant_kit::ledger;
use baton_participant_kit::metrics::ParticipantMetrics;
use baton_participant_kit::participant::{Answer, Command, CommandDirection, CommandKey};
use baton_participant_kit::plan::Rules;
use baton_participant_kit::probe::routes;
use baton_rpc::server::serve;
use baton_sql::database::{Database, DatabaseConfig};
use baton_stock::catalogue::{self, Created};
use baton_stock::item::Item;
use baton_stock::participant::StockParticipant;
use baton_stock::service::Items;
use baton_supervisor::shared;
use prost::Message as _;
use shop_domain::currency::Currencies;
use shop_proto::stock::v1::item_service_client::ItemServiceClient;
use shop_proto::stock::v1::{ReleaseStock, ReserveLine, ReserveStock};
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
            "file" => DatabaseConfig::SqliteFile { path: dir.path().join("stock.db") },
            _ => DatabaseConfig::MariaDb {
                url: shared::fresh_schema(shared::mariadb().await),
                connections: 4,
                acquire_timeout: Duration::from_secs(5),
            },
        };
        let database = Database::open(config).await.unwrap();
        database.migrate(&ledger::migrations(&StockParticipant::default())).await.unwrap();
        all.push((kind, database, dir));
    }
    all
}

/// The stock participant over `database`.
pub fn stock(database: &Database) -> Batches {
    let participant = Arc::new(StockParticipant::default());
    Batches::new(participant, database.clone(), Clock::system(), ParticipantMetrics::default(), Rules::default(), 4096)
}

/// An item at 100 won.
pub async fn stocked(database: &Database, id: &str, stock: i64) {
    let item = Item {
        id: id.to_owned(),
        display_name: format!("item {id}"),
        currency: "KRW".to_owned(),
        unit_price: 100,
        available: stock,
        reserved: 0,
        stocked: stock,
        initial_stock: stock,
        created_at: 1,
        updated_at: 1,
    };
    assert!(matches!(catalogue::create(database, item).await.unwrap(), Created::Item(_)));
}

fn saga_id(saga: u32) -> [u8; 16] {
    let mut id = [0; 16];
    id[12..].copy_from_slice(&saga.to_be_bytes());
    id
}

fn command(saga: u32, direction: CommandDirection, payload: Vec<u8>) -> Command {
    let name = if direction == CommandDirection::Action { "stock.reserve" } else { "stock.release" };
    Command {
        key: CommandKey { saga: saga_id(saga), step: 3, direction },
        attempt: 1,
        name: name.to_owned(),
        payload: payload.into(),
        deadline_us: 0,
        traceparent: String::new(),
        effect_before_saga: false,
    }
}

fn order_number(saga: u32) -> String {
    format!("00000000-0000-7000-8000-{saga:012x}")
}

/// `stock.reserve` in won.
pub fn reserve(saga: u32, lines: &[(&str, i64, i64)]) -> Command {
    reserve_in("KRW", saga, lines)
}

/// `stock.reserve`.
pub fn reserve_in(currency: &str, saga: u32, lines: &[(&str, i64, i64)]) -> Command {
    let lines = lines.iter().map(|(item, quantity, price)| ReserveLine {
        item_id: (*item).to_owned(),
        quantity: *quantity,
        unit_price_minor_units: *price,
    });
    let (order_number, currency_code) = (order_number(saga), currency.to_owned());
    let payload = ReserveStock { order_number, currency_code, lines: lines.collect() };
    command(saga, CommandDirection::Action, payload.encode_to_vec())
}

/// `stock.release`.
pub fn release(saga: u32) -> Command {
    command(saga, CommandDirection::Undo, ReleaseStock { order_number: order_number(saga) }.encode_to_vec())
}

/// "succeeded " or outcome and reason.
pub fn outcome(answer: &Answer) -> String {
    format!("{} {}", answer.outcome(), answer.reason())
}

/// (available, reserved, stocked) of an item.
pub async fn shelf(database: &Database, id: &str) -> (i64, i64, i64) {
    let sql = "SELECT available, reserved, stocked FROM item WHERE item_id = ?";
    let rows = database.query(sql, vec![id.into()]).await.unwrap();
    (rows[0].int(0).unwrap(), rows[0].int(1).unwrap(), rows[0].int(2).unwrap())
}

/// One number.
pub async fn count(database: &Database, sql: &str) -> i64 {
    database.query(sql, Vec::new()).await.unwrap()[0].int(0).unwrap()
}

/// Stock is conserved: nothing negative, everything accounted for, reserved is what reservations hold.
pub async fn conserved(database: &Database) {
    let bad = "SELECT COUNT(*) FROM item WHERE available < 0 OR reserved < 0 OR available + reserved <> stocked";
    assert_eq!(count(database, bad).await, 0);
    let held = "SELECT COUNT(*) FROM item WHERE reserved <> COALESCE((SELECT SUM(quantity) FROM reservation \
                WHERE reservation.item_id = item.item_id AND reservation.state = 1), 0)";
    assert_eq!(count(database, held).await, 0);
}

/// The item service on a port of its own.
pub async fn client(database: &Database) -> ItemServiceClient<Channel> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let items = Items::service(database.clone(), Currencies::default(), Clock::system());
    let routes = routes(Routes::new(items), vec![database.clone()]);
    tokio::spawn(serve(listener, routes, std::future::pending()));
    ItemServiceClient::new(Endpoint::from_shared(url).unwrap().connect().await.unwrap())
}
