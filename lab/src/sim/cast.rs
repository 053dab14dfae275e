//! Who plays the participants: the real ones of the order saga, or stand-ins that record effects.

use async_trait::async_trait;
use baton_courier::bus::CommandBus;
use baton_order::participant::OrderParticipant;
use baton_participant_kit::clock::Clock;
use baton_participant_kit::ledger;
use baton_participant_kit::metrics::ParticipantMetrics;
use baton_participant_kit::participant::{Answer, Command, CommandDirection, CommandKey, Participant};
use baton_participant_kit::reason::STORE_UNAVAILABLE;
use baton_participant_kit::worker::{Worker, WorkerOptions};
use baton_payment::gateway::PaymentGateway;
use baton_payment::metrics::PaymentMetrics;
use baton_payment::participant::PaymentParticipant;
use baton_payment::reconcile::Reconciler;
use baton_sql::database::{Database, Tx};
use baton_sql::error::SqlError;
use baton_sql::migration::Migration;
use baton_stock::participant::StockParticipant;
use futures_util::future::BoxFuture;
use shop_domain::currency::Currencies;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// What one incarnation of a participant is made of.
pub struct Making {
    /// Its database, with faults.
    pub database: Database,
    /// Its bus.
    pub bus: Arc<dyn CommandBus>,
    /// Its clock.
    pub clock: Clock,
    /// Its way to the payment provider.
    pub gateway: Arc<dyn PaymentGateway>,
    /// Bounds, rules, ids.
    pub options: WorkerOptions,
}

/// A participant that the simulator can start any number of times.
pub trait Actor: Send + Sync {
    /// The participant's name.
    fn name(&self) -> &'static str;
    /// Its whole schema, ledger included.
    fn migrations(&self) -> Vec<Migration>;
    /// Its worker, until the process ends.
    fn work(&self, making: Making) -> BoxFuture<'static, ()>;
    /// True if every effect leaves a row in a table `effect`; see the module `effects`.
    fn records_effects(&self) -> bool {
        false
    }
}

/// Changes the answers of a participant: a defect on purpose, or an outcome that a script wants.
pub trait Twist: Send + Sync + fmt::Debug + 'static {
    /// An answer given without asking the participant.
    fn instead(&self, command: &Command) -> Option<Answer>;
    /// The answer in place of the participant's own.
    fn after(&self, command: &Command, answer: Answer) -> Answer;
}

/// A participant with a twist.
#[derive(Debug)]
pub struct Twisted<P> {
    inner: P,
    twist: Arc<dyn Twist>,
}

impl<P> Twisted<P> {
    /// `inner` with its answers changed by `twist`.
    pub fn new(inner: P, twist: Arc<dyn Twist>) -> Self {
        Self { inner, twist }
    }
}

#[async_trait]
impl<P> Participant for Twisted<P>
where
    P: Participant,
    P::Prepared: Clone,
{
    type Prepared = Option<P::Prepared>;

    const PREPARES: bool = P::PREPARES;

    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn commands(&self) -> &'static [&'static str] {
        self.inner.commands()
    }

    fn undos(&self) -> &'static [&'static str] {
        self.inner.undos()
    }

    fn undoes_without_action(&self) -> &'static [&'static str] {
        self.inner.undoes_without_action()
    }

    fn migrations(&self) -> &'static [Migration] {
        self.inner.migrations()
    }

    async fn prepare(&self, commands: &[Command]) -> Vec<Self::Prepared> {
        let own: Vec<bool> = commands.iter().map(|command| self.twist.instead(command).is_none()).collect();
        let asked = commands.iter().zip(&own).filter(|(_, own)| **own).map(|(command, _)| command.clone());
        let asked: Vec<Command> = asked.collect();
        let prepared = if asked.is_empty() { Vec::new() } else { self.inner.prepare(&asked).await };
        let mut prepared = prepared.into_iter();
        own.into_iter().map(|own| if own { prepared.next() } else { None }).collect()
    }

    async fn handle(&self, tx: &mut Tx, batch: &[(Command, Self::Prepared)]) -> Result<Vec<Answer>, SqlError> {
        let own = batch.iter().filter_map(|(command, prepared)| Some((command.clone(), prepared.clone()?)));
        let own: Vec<(Command, P::Prepared)> = own.collect();
        let answers = if own.is_empty() { Vec::new() } else { self.inner.handle(tx, &own).await? };
        let mut answers = answers.into_iter();
        let told = batch.iter().map(|(command, prepared)| match prepared {
            Some(_) => self.twist.after(command, answers.next().unwrap_or_else(Answer::done)),
            None => self.twist.instead(command).unwrap_or_else(Answer::done),
        });
        Ok(told.collect())
    }
}

/// Changes nothing.
#[derive(Clone, Copy, Debug)]
pub struct NoTwist;

impl Twist for NoTwist {
    fn instead(&self, _command: &Command) -> Option<Answer> {
        None
    }
    fn after(&self, _command: &Command, answer: Answer) -> Answer {
        answer
    }
}

async fn run<P: Participant>(participant: P, making: Making) {
    let Making { database, bus, clock, options, .. } = making;
    let worker = Worker::new(Arc::new(participant), database, bus, clock, ParticipantMetrics::default(), options);
    // Ends only with the bus, which ends with the process.
    let _ = worker.run(CancellationToken::new()).await;
}

/// The order saga's own participants.
#[derive(Clone, Debug)]
pub enum Shop {
    /// Orders.
    Order(Arc<dyn Twist>),
    /// Payments.
    Payment(Arc<dyn Twist>),
    /// Items and stock.
    Stock(Arc<dyn Twist>),
}

impl Shop {
    /// All three, changed by one twist.
    #[must_use]
    pub fn cast(twist: &Arc<dyn Twist>) -> Vec<Arc<dyn Actor>> {
        let all = [Self::Order(twist.clone()), Self::Payment(twist.clone()), Self::Stock(twist.clone())];
        all.into_iter().map(|one| Arc::new(one) as Arc<dyn Actor>).collect()
    }
}

impl Actor for Shop {
    fn name(&self) -> &'static str {
        match self {
            Self::Order(_) => "order",
            Self::Payment(_) => "payment",
            Self::Stock(_) => "stock",
        }
    }

    fn migrations(&self) -> Vec<Migration> {
        match self {
            Self::Order(_) => ledger::migrations(&OrderParticipant::default()),
            Self::Stock(_) => ledger::migrations(&StockParticipant::default()),
            Self::Payment(_) => {
                ledger::MIGRATIONS.iter().chain(baton_payment::participant::migrations()).copied().collect()
            }
        }
    }

    fn work(&self, making: Making) -> BoxFuture<'static, ()> {
        let clock = making.clock.clone();
        match self {
            Self::Order(twist) => {
                let participant = OrderParticipant::new(Currencies::default(), clock);
                Box::pin(run(Twisted::new(participant, twist.clone()), making))
            }
            Self::Payment(twist) => {
                let (database, gateway) = (making.database.clone(), making.gateway.clone());
                let participant = PaymentParticipant::new(database.clone(), gateway.clone(), clock.clone());
                let reconciler = Reconciler::new(database, gateway, clock, PaymentMetrics::default());
                let twist = twist.clone();
                Box::pin(async move {
                    // Both end with the process.
                    let worker = run(Twisted::new(participant, twist), making);
                    tokio::join!(worker, reconciler.run(CancellationToken::new()));
                })
            }
            Self::Stock(twist) => {
                let participant = StockParticipant::new(Currencies::default(), clock);
                Box::pin(run(Twisted::new(participant, twist.clone()), making))
            }
        }
    }
}

/// Every effect leaves a row, so that effects can be counted and their order seen.
const EFFECTS: &[Migration] = &[Migration {
    id: "0001_effect",
    mariadb: "CREATE TABLE IF NOT EXISTS effect (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
        saga_id BINARY(16) NOT NULL, step BIGINT NOT NULL, direction BIGINT NOT NULL) ENGINE = InnoDB",
    sqlite: "CREATE TABLE IF NOT EXISTS effect (id INTEGER PRIMARY KEY AUTOINCREMENT, saga_id BLOB NOT NULL,
        step INTEGER NOT NULL, direction INTEGER NOT NULL) STRICT",
}];

/// A stand-in for any participant: does nothing but leave a row for each effect.
#[derive(Clone, Debug)]
pub struct Stand {
    name: &'static str,
    commands: &'static [&'static str],
    twist: Arc<dyn Twist>,
    /// Actions that were asked for once already, if it is shy.
    knocks: Option<Arc<Mutex<BTreeSet<CommandKey>>>>,
}

impl Stand {
    /// The stand-ins for every participant of a definition. Names are leaked once for each: a handful of bytes, for the
    /// seam wants them static.
    #[must_use]
    pub fn cast(definition: &saga_core::definition::Definition) -> Vec<Self> {
        let mut commands: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for step in definition.steps() {
            let of = commands.entry(step.participant.as_str()).or_default();
            of.extend(step.action.as_deref().into_iter().chain(step.undo.as_deref()));
        }
        let leaked = commands.into_iter().map(|(name, commands)| {
            let commands: Vec<&'static str> =
                commands.into_iter().map(|command| &*Box::leak(command.to_owned().into_boxed_str())).collect();
            let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
            Self { name, commands: Box::leak(commands.into_boxed_slice()), twist: Arc::new(NoTwist), knocks: None }
        });
        leaked.collect()
    }

    /// The same with another twist.
    #[must_use]
    pub fn twisted(&self, twist: Arc<dyn Twist>) -> Self {
        Self { twist, ..self.clone() }
    }

    /// The same, but it opens to some actions only at the second knock: the first gets "unavailable", whatever comes after
    /// it is done, a copy of the same message too.
    #[must_use]
    pub fn shy(&self) -> Self {
        Self { knocks: Some(Arc::default()), ..self.clone() }
    }

    /// True if this delivery finds the door closed.
    fn is_closed(&self, command: &Command) -> bool {
        let Some(knocks) = self.knocks.as_ref().filter(|_| command.key.direction == CommandDirection::Action) else {
            return false;
        };
        // One action in eight, by its own id: the same ones in every run of a seed.
        let is_shy = command.key.saga[15].wrapping_add(command.key.step.wrapping_mul(37)) % 8 == 5;
        is_shy && knocks.lock().unwrap_or_else(PoisonError::into_inner).insert(command.key)
    }
}

#[async_trait]
impl Participant for Stand {
    type Prepared = ();

    const PREPARES: bool = false;

    fn name(&self) -> &'static str {
        self.name
    }

    fn commands(&self) -> &'static [&'static str] {
        self.commands
    }

    fn migrations(&self) -> &'static [Migration] {
        EFFECTS
    }

    async fn prepare(&self, commands: &[Command]) -> Vec<()> {
        vec![(); commands.len()]
    }

    async fn handle(&self, tx: &mut Tx, batch: &[(Command, ())]) -> Result<Vec<Answer>, SqlError> {
        let closed: Vec<bool> = batch.iter().map(|(command, ())| self.is_closed(command)).collect();
        let open = batch.iter().zip(&closed).filter(|(_, closed)| !**closed);
        let rows = open.map(|((command, ()), _)| {
            let direction = match command.key.direction {
                CommandDirection::Action => 1_i64,
                CommandDirection::Undo => 2,
            };
            vec![command.key.saga.into(), i64::from(command.key.step).into(), direction.into()]
        });
        let rows: Vec<_> = rows.collect();
        if !rows.is_empty() {
            tx.insert_many("effect", &["saga_id", "step", "direction"], rows).await?;
        }
        let answers = closed.into_iter().map(|closed| {
            if closed { Answer::unavailable(STORE_UNAVAILABLE, "closed for lunch") } else { Answer::done() }
        });
        Ok(answers.collect())
    }
}

impl Actor for Stand {
    fn name(&self) -> &'static str {
        self.name
    }

    fn migrations(&self) -> Vec<Migration> {
        ledger::migrations(self)
    }

    fn work(&self, making: Making) -> BoxFuture<'static, ()> {
        Box::pin(run(Twisted::new(self.clone(), self.twist.clone()), making))
    }

    fn records_effects(&self) -> bool {
        true
    }
}
