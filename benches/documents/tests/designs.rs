//! Each design does what it is described to do: good orders complete, and failing ones end as far as the design can.

use anyhow::Result;
use baton_sandbox::ledger::NewPayment;
use baton_sandbox::payment::{Details, Status};
use baton_sandbox::server::{Sandbox, SandboxConfig};
use baton_sql::database::{Database, DatabaseConfig, Verdict};
use baton_supervisor::process::{Probe, Process};
use baton_supervisor::{port, shared};
use shop_proto::order::v1::order_placement_service_client::OrderPlacementServiceClient;
use shop_proto::order::v1::{OrderLine, OrderState, PlaceOrderRequest};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tonic::transport::Endpoint;
use uuid::Uuid;

const PRICE: i64 = 1_000;
const STOCK: i64 = 3;

/// Events arrive within this on a busy machine, or never.
const WITHIN: Duration = Duration::from_secs(30);

/// Servers, provider and the processes of one design.
struct Stage {
    mariadb: String,
    schema_of_stock: &'static str,
    sandbox: Sandbox,
    door: String,
    item: String,
    _dir: tempfile::TempDir,
    _processes: Vec<Process>,
}

impl Stage {
    async fn start(roles: &[&[&str]], schema_of_stock: &'static str) -> Result<Self> {
        let (mariadb, rabbitmq, redis) = tokio::join!(shared::mariadb(), shared::rabbitmq(), shared::redis());
        for schema in ["document_monolith", "document_order", "document_payment", "document_stock"] {
            mariadb.create_schema(schema)?;
        }
        let config = SandboxConfig {
            database: DatabaseConfig::SqliteMemory,
            imp_key: "sandbox-key".to_owned(),
            imp_secret: "sandbox-secret".to_owned().into(),
            seed: 1,
        };
        let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").await?, config).await?;
        let vhost = shared::fresh_vhost(rabbitmq).await;
        let command = |role: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_baton-document"));
            command.args(["--mariadb", &format!("mysql://root@127.0.0.1:{}", mariadb.port())]);
            command.args(["--rabbitmq", &vhost, "--redis", &redis.url(), "--provider", &sandbox.url()]).args(role);
            command
        };
        assert!(command(&["migrate"]).status()?.success());
        let dir = tempfile::tempdir()?;
        let (door, mut processes) = (format!("127.0.0.1:{}", port::free()?), Vec::new());
        for role in roles {
            let mut command = command(role);
            let mut ready = port::free()?;
            match role[0] {
                "monolith" => {
                    command.args(["--listen", &door]);
                    ready = door.rsplit_once(':').map_or(Ok(0), |(_, port)| port.parse())?;
                }
                "order" => {
                    command.args(["--listen", &door, "--ready", &format!("127.0.0.1:{ready}")]);
                }
                _ => {
                    command.args(["--ready", &format!("127.0.0.1:{ready}")]);
                }
            }
            let process = Process::spawn(command, dir.path(), role[0])?;
            process.wait_ready(&Probe::tcp(ready)).await?;
            processes.push(process);
        }
        let item = format!("item-{}", Uuid::now_v7().simple());
        let mariadb = format!("mysql://root@127.0.0.1:{}", mariadb.port());
        let stage = Self { mariadb, schema_of_stock, sandbox, door, item, _dir: dir, _processes: processes };
        let (item, sql) = (stage.item.clone(), "INSERT INTO item VALUES (?, 'an item', 'KRW', ?, ?, 0, ?, ?, 0, 0)");
        let stock = stage.stock().await?;
        let made = stock.transaction(move |tx| {
            let args = vec![item.as_str().into(), PRICE.into(), STOCK.into(), STOCK.into(), STOCK.into()];
            Box::pin(async move { Ok(Verdict::Commit(tx.execute(sql, args).await?)) })
        });
        assert_eq!(made.await?, 1);
        Ok(stage)
    }

    async fn stock(&self) -> Result<Database> {
        Ok(Database::open(DatabaseConfig::mariadb(format!("{}/{}", self.mariadb, self.schema_of_stock))).await?)
    }

    /// An order of one unit, paid with `paid`, must end so that the provider holds so much of the money.
    async fn order(&self, paid: i64, (state, held): (OrderState, i64), what: &str) -> Result<()> {
        let (number, payment) = (Uuid::now_v7().to_string(), format!("imp_{}", Uuid::now_v7().simple()));
        let new = NewPayment {
            imp_uid: Some(payment.clone()),
            merchant_uid: number.clone(),
            currency: "KRW".to_owned(),
            amount: paid,
            status: Status::Paid,
            details: Details::default(),
        };
        self.sandbox.ledger().pay(vec![new]).await.map_err(|_| anyhow::anyhow!("not paid"))?;
        let channel = Endpoint::from_shared(format!("http://{}", self.door))?.connect().await?;
        let mut client = OrderPlacementServiceClient::new(channel);
        let line = OrderLine { item_id: self.item.clone(), quantity: 1, unit_price_minor_units: PRICE };
        let request = PlaceOrderRequest {
            request_id: number.clone(),
            order: format!("orders/{number}"),
            payment_id: payment.clone(),
            customer_id: "ada".to_owned(),
            currency_code: "KRW".to_owned(),
            lines: vec![line],
            wait: true,
        };
        let mut told = Vec::new();
        // The second call asks again, and must be told the same without anything being done twice.
        for _ in 0..2 {
            told.push(client.place_order(request.clone()).await?.into_inner().progress.unwrap_or_default().state);
        }
        assert_eq!(told, [i32::from(state); 2], "{what}");
        // Choreography tells the order and the money at the same time.
        let begun = Instant::now();
        loop {
            let found = self.sandbox.ledger().find(&payment).await?;
            let holds = found.map_or(0, |payment| payment.amount - payment.cancelled);
            if holds == held {
                return Ok(());
            }
            assert!(begun.elapsed() < WITHIN, "{what}: the provider holds {holds} and not {held}");
            tokio::task::yield_now().await;
        }
    }

    /// Units available and reserved, and reservations.
    async fn shelf(&self) -> Result<(i64, i64, usize)> {
        let database = self.stock().await?;
        let sql = "SELECT available, reserved FROM item WHERE item_id = ?";
        let rows = database.query(sql, vec![self.item.as_str().into()]).await?;
        let sql = "SELECT order_no FROM reservation WHERE item_id = ?";
        let reservations = database.query(sql, vec![self.item.as_str().into()]).await?.len();
        Ok((rows[0].int(0)?, rows[0].int(1)?, reservations))
    }

    /// Three good orders, one with a wrong amount, one too many.
    async fn exercise(&self, wrong: (OrderState, i64), one_too_many: (OrderState, i64)) -> Result<()> {
        self.order(PRICE - 1, wrong, "a wrong amount").await?;
        for _ in 0..STOCK {
            self.order(PRICE, (OrderState::PaymentSuccess, PRICE), "a good order").await?;
        }
        self.order(PRICE, one_too_many, "out of stock").await?;
        assert_eq!(self.shelf().await?, (0, STOCK, 3));
        Ok(())
    }
}

const REFUNDED: (OrderState, i64) = (OrderState::PaymentOutOfStock, 0);
const NO_PAYMENT: (OrderState, i64) = (OrderState::PaymentNoPaymentInfo, 0);

#[tokio::test(flavor = "multi_thread")]
async fn one_transaction_with_a_row_lock() -> Result<()> {
    let stage = Stage::start(&[&["monolith", "--lock", "database"]], "document_monolith").await?;
    stage.exercise(NO_PAYMENT, REFUNDED).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_in_redis() -> Result<()> {
    let stage = Stage::start(&[&["monolith", "--lock", "redis"]], "document_monolith").await?;
    stage.exercise(NO_PAYMENT, REFUNDED).await
}

/// The order is never told, and a customer who cannot be served has paid: what choreography was added for.
#[tokio::test(flavor = "multi_thread")]
async fn services_and_events() -> Result<()> {
    let roles: [&[&str]; 3] = [&["payment"], &["stock"], &["order", "--patience-ms", "1000"]];
    let stage = Stage::start(&roles, "document_stock").await?;
    let confirming = OrderState::PaymentConfirm;
    stage.exercise((confirming, 0), (confirming, PRICE)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn choreography() -> Result<()> {
    let roles: [&[&str]; 3] = [&["payment", "--compensate"], &["stock", "--compensate"], &["order"]];
    let stage = Stage::start(&roles, "document_stock").await?;
    stage.exercise(NO_PAYMENT, REFUNDED).await
}
