//! What the tests of this crate share: a sandbox provider, a gateway to it, a participant on a database of its own.

use baton_participant_kit::batch::Batches;
use baton_participant_kit::clock::Clock;
use baton_participant_kit::ledger;
use baton_participant_kit::metrics::ParticipantMetrics;
use baton_participant_kit::participant::{Answer, Command, CommandDirection, CommandKey};
use baton_participant_kit::plan::Rules;
use baton_payment::command::{CANCEL, VERIFY};
use baton_payment::money::Money;
use baton_payment::participant::PaymentParticipant;
use baton_payment::portone_v1::{PortOneConfig, PortOneV1};
use baton_sandbox::faults::{Fault, Operation, Rule};
use baton_sandbox::ledger::NewPayment;
use baton_sandbox::payment::{Details, Payment, Status};
use baton_sandbox::server::{Sandbox, SandboxConfig};
use baton_sql::database::{Database, DatabaseConfig};
use baton_supervisor::shared;
use prometheus_client::registry::Registry;
use prost::Message as _;
use shop_domain::currency::Currency;
use shop_domain::identifier::{OrderNumber, PaymentId};
use shop_proto::payment::v1::{CancelPayment, VerifyPayment};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

pub const KEY: &str = "canary-of-the-key";
pub const SECRET: &str = "canary-of-the-secret";

/// A provider with nothing in it, on a free port, and a gateway to it that gives up after `timeout`.
pub async fn provider(timeout: Duration) -> (Sandbox, PortOneV1) {
    // A second installation in one process is refused, and the first is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let config = SandboxConfig {
        database: DatabaseConfig::SqliteMemory,
        imp_key: KEY.to_owned(),
        imp_secret: SECRET.to_owned().into(),
        seed: 11,
    };
    let sandbox = Sandbox::start(listener, config).await.expect("a provider");
    let gateway = gateway(&sandbox.url(), SECRET, timeout);
    (sandbox, gateway)
}

pub fn gateway(url: &str, secret: &str, timeout: Duration) -> PortOneV1 {
    let config = PortOneConfig { timeout, ..PortOneConfig::new(url, KEY.into(), secret.to_owned().into()) };
    PortOneV1::new(config).expect("a gateway")
}

pub fn id(text: &str) -> PaymentId {
    PaymentId::parse(text).expect("an id")
}

pub fn krw(minor_units: i64) -> Money {
    Money { currency: Currency::from_code("KRW").expect("a code"), minor_units }
}

pub fn order(number: u8) -> OrderNumber {
    OrderNumber::from_bytes([number; 16])
}

/// A browser pays.
pub async fn pay(sandbox: &Sandbox, imp_uid: &str, merchant_uid: &str, amount: i64, status: Status) {
    let payment = NewPayment {
        imp_uid: Some(imp_uid.to_owned()),
        merchant_uid: merchant_uid.to_owned(),
        currency: "KRW".to_owned(),
        amount,
        status,
        details: Details::default(),
    };
    sandbox.ledger().pay(vec![payment]).await.expect("paid");
}

/// The payment in the provider's own ledger.
pub async fn at_provider(sandbox: &Sandbox, imp_uid: &str) -> Payment {
    sandbox.ledger().find(imp_uid).await.expect("the provider's ledger").expect("the payment")
}

/// A fault of the next call of a kind.
pub fn once(sandbox: &Sandbox, fault: Fault, operation: Operation) {
    assert!(sandbox.faults().add(Rule { operation: Some(operation), count: Some(1), ..Rule::new(fault) }));
}

/// A participant with its ledger, on one kind of database.
pub struct Stage {
    pub name: &'static str,
    pub sandbox: Sandbox,
    pub database: Database,
    pub participant: PaymentParticipant,
    pub batches: Batches,
}

impl Stage {
    /// One stage on SQLite and one on MariaDB.
    pub async fn all() -> Vec<Self> {
        let url = shared::fresh_schema(shared::mariadb().await);
        vec![
            Self::on("SQLite", DatabaseConfig::SqliteMemory).await,
            Self::on("MariaDB", DatabaseConfig::mariadb(url)).await,
        ]
    }

    async fn on(name: &'static str, config: DatabaseConfig) -> Self {
        let (sandbox, gateway) = provider(Duration::from_secs(3)).await;
        let database = Database::open(config).await.expect("a database");
        let participant = PaymentParticipant::new(database.clone(), Arc::new(gateway), Clock::system());
        database.migrate(&ledger::migrations(&participant)).await.expect("tables");
        let metrics = ParticipantMetrics::register(&mut Registry::default());
        let shared = Arc::new(participant.clone());
        let batches = Batches::new(shared, database.clone(), Clock::system(), metrics, Rules::default(), 256);
        Self { name, sandbox, database, participant, batches }
    }

    pub async fn pay(&self, imp_uid: &str, number: u8, amount: i64) {
        pay(&self.sandbox, imp_uid, &order(number).to_string(), amount, Status::Paid).await;
    }

    pub async fn answer(&self, command: &Command) -> Answer {
        self.batches.answer(std::slice::from_ref(command)).await.remove(0)
    }

    /// How many refunds the provider made of a payment, and of how much.
    pub async fn refunds(&self, imp_uid: &str) -> (i64, i64) {
        let payment = at_provider(&self.sandbox, imp_uid).await;
        (payment.cancellations, payment.cancelled)
    }
}

/// `payment.verify` of a saga that is named by a number, for 1,000 won.
pub fn verify(saga: u8, imp_uid: &str, number: u8) -> Command {
    let message = VerifyPayment {
        payment_id: imp_uid.to_owned(),
        order_number: order(number).to_string(),
        currency_code: "KRW".to_owned(),
        amount_minor_units: 1_000,
    };
    command(saga, 2, CommandDirection::Action, VERIFY, message.encode_to_vec())
}

/// `payment.cancel` of a saga that is named by a number.
pub fn cancel(saga: u8, imp_uid: &str, number: u8) -> Command {
    let message = CancelPayment {
        payment_id: imp_uid.to_owned(),
        order_number: order(number).to_string(),
        reason: "OUT_OF_STOCK".to_owned(),
    };
    command(saga, 0, CommandDirection::Undo, CANCEL, message.encode_to_vec())
}

pub fn command(saga: u8, step: u8, direction: CommandDirection, name: &str, payload: Vec<u8>) -> Command {
    Command {
        key: CommandKey { saga: [saga; 16], step, direction },
        attempt: 1,
        name: name.to_owned(),
        payload: payload.into(),
        deadline_us: 0,
        traceparent: String::new(),
        effect_before_saga: direction == CommandDirection::Undo,
    }
}

pub fn is_rejected(answer: &Answer, reason: &str) -> bool {
    matches!(answer, Answer::Rejected { reason: given, .. } if given == reason)
}

pub fn is_unavailable(answer: &Answer, reason: &str) -> bool {
    matches!(answer, Answer::Unavailable { reason: given, .. } if given == reason)
}
