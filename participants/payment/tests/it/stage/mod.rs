//! What the tests of this crate share: a sandbox provider, a gateway to it, a participant on a database of its own.

use baton_participant_kit::batch::Batches;
use baton_participant_kit::clock::Clock;
use baton_participant_kit::ledger;
use baton_participant_kit::metrics::ParticipantMetrics;
use baton_participant_kit::participant::{Answer, Command, CommandDirection, CommandKey, Participant as _};
use baton_participant_kit::plan::Rules;
use baton_payment::command::{CANCEL, VERIFY};
use baton_payment::metrics::PaymentMetrics;
use baton_payment::money::Money;
use baton_payment::participant::{PaymentParticipant, Prepared};
use baton_payment::portone_v1::{PortOneConfig, PortOneV1};
use baton_payment::reconcile::Reconciler;
use baton_payment::service::Payments;
use baton_sandbox::faults::{Fault, Operation, Rule};
use baton_sandbox::ledger::NewPayment;
use baton_sandbox::payment::{Details, Payment, Status};
use baton_sandbox::server::{Sandbox, SandboxConfig};
use baton_sql::database::{Database, DatabaseConfig, Verdict};
use baton_supervisor::shared;
use futures_util::FutureExt as _;
use prometheus_client::registry::Registry;
use prost::Message as _;
use shop_domain::currency::Currency;
use shop_domain::identifier::{OrderNumber, PaymentId};
use shop_proto::payment::v1::payment_service_server::PaymentService as _;
use shop_proto::payment::v1::{
    CancelPayment, ListPaymentCasesRequest, ListPaymentCasesResponse, PaymentCaseState, VerifyPayment,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tonic::Request;

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

/// A participant with its ledger, on one kind of database, under a clock that goes only when a test turns it.
pub struct Stage {
    pub name: &'static str,
    pub sandbox: Sandbox,
    pub database: Database,
    pub participant: PaymentParticipant,
    pub batches: Batches,
    pub reconciler: Reconciler,
    pub metrics: PaymentMetrics,
    time_us: Arc<AtomicI64>,
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
        let (sandbox, _) = provider(Duration::from_secs(3)).await;
        let database = Database::open(config).await.expect("a database");
        let time_us = Arc::new(AtomicI64::new(Clock::system().now_us()));
        let stage = Self::over(name, sandbox, database, time_us);
        stage.database.migrate(&ledger::migrations(&stage.participant)).await.expect("tables");
        stage
    }

    fn over(name: &'static str, sandbox: Sandbox, database: Database, time_us: Arc<AtomicI64>) -> Self {
        let gateway = Arc::new(gateway(&sandbox.url(), SECRET, Duration::from_secs(3)));
        let time = Arc::clone(&time_us);
        let clock = Clock::from_fn(move || time.load(Ordering::SeqCst));
        let participant = PaymentParticipant::new(database.clone(), gateway.clone(), clock.clone());
        let metrics = PaymentMetrics::default();
        let reconciler = Reconciler::new(database.clone(), gateway, clock, metrics.clone());
        let of_kit = ParticipantMetrics::register(&mut Registry::default());
        let shared = Arc::new(participant.clone());
        let batches = Batches::new(shared, database.clone(), Clock::system(), of_kit, Rules::default(), 256);
        Self { name, sandbox, database, participant, batches, reconciler, metrics, time_us }
    }

    /// The same participant after a restart: it knows what its database knows.
    pub fn restarted(self) -> Self {
        Self::over(self.name, self.sandbox, self.database, self.time_us)
    }

    /// Time passes.
    pub fn turn(&self, by: Duration) {
        self.time_us.fetch_add(i64::try_from(by.as_micros()).expect("a time"), Ordering::SeqCst);
    }

    /// The clock is set back.
    pub fn turn_back(&self, by: Duration) {
        self.time_us.fetch_sub(i64::try_from(by.as_micros()).expect("a time"), Ordering::SeqCst);
    }

    /// Rounds of the reconciler until nothing is due; says how many payments were looked at.
    pub async fn reconcile(&self) -> usize {
        let mut looked = 0;
        loop {
            match self.reconciler.run_once().await.expect("a round") {
                0 => return looked,
                count => looked += count,
            }
        }
    }

    /// The watch list as the service shows it.
    pub async fn cases(&self) -> ListPaymentCasesResponse {
        let request = Request::new(ListPaymentCasesRequest { page_size: 1_000, ..ListPaymentCasesRequest::default() });
        Payments::new(self.database.clone(), Clock::system())
            .list_payment_cases(request)
            .await
            .expect("a page")
            .into_inner()
    }

    /// The state and reason of the one payment on the watch list.
    pub async fn case(&self) -> Option<(PaymentCaseState, String)> {
        let cases = self.cases().await.cases;
        assert!(cases.len() <= 1, "{}: {cases:?}", self.name);
        cases.first().map(|case| (case.state(), case.reason.clone()))
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

/// The same command as it is sent for the so-manieth time.
pub fn attempt(attempt: u32, command: Command) -> Command {
    Command { attempt, ..command }
}

pub fn is_rejected(answer: &Answer, reason: &str) -> bool {
    matches!(answer, Answer::Rejected { reason: given, .. } if given == reason)
}

pub fn is_unavailable(answer: &Answer, reason: &str) -> bool {
    matches!(answer, Answer::Unavailable { reason: given, .. } if given == reason)
}

/// The participant's own transaction, with what was found out before it.
pub async fn commit(stage: &Stage, commands: Vec<Command>, prepared: Vec<Prepared>) -> Vec<Answer> {
    let batch = Arc::new(commands.into_iter().zip(prepared).collect::<Vec<_>>());
    let participant = Arc::new(stage.participant.clone());
    let answers = stage.database.transaction(move |tx| {
        let (participant, batch) = (Arc::clone(&participant), Arc::clone(&batch));
        async move { participant.handle(tx, &batch).await.map(Verdict::Commit) }.boxed()
    });
    answers.await.expect("handled")
}
