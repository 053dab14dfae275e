//! The worker: takes every command message that waits, answers them in one transaction, replies, acknowledges.

use crate::batch::Batches;
use crate::clock::Clock;
use crate::codec;
use crate::decoded::DecodedDelivery;
use crate::erased::{Erased, Typed};
use crate::ids::NewId;
use crate::in_hand::{Claim, InHand};
use crate::malformed::Malformed;
use crate::metrics::ParticipantMetrics;
use crate::participant::{Answer, Command, Participant};
use crate::plan::{Rules, Stored};
use crate::reply_publisher::{self, Answered};
use crate::trace;
use crate::under_way::UnderWay;
use baton_courier::bus::{CommandBus, Consumer, Delivery, Destination};
use baton_courier::error::BusError;
use baton_sql::database::Database;
use baton_sql::error::SqlError;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, Span};
use uuid::Uuid;

/// Settling tasks at work at once. One acknowledges while the next batch commits; more only hide a slow broker.
const MAX_SETTLING: usize = 4;
/// Batches under way at once while they are slow. With [`MAX_SETTLING`] more that are being acknowledged, each of 64 messages,
/// they hold as many messages as a consumer is handed unacknowledged by default (512); with a smaller prefetch fewer begin.
const MAX_UNDER_WAY: usize = 4;
/// How long a stopping worker waits until its last batches are settled. What is left over comes again.
const DRAIN: Duration = Duration::from_secs(10);
/// How long it waits before it asks the bus for a consumer again.
const CONSUME_AGAIN: Duration = Duration::from_millis(500);

/// A worker's bounds.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// Most messages taken at once. 64 messages of 256 commands of 1 KiB are 16 MiB in memory.
    pub max_messages: usize,
    /// Most commands in one transaction, and most messages taken at once if that is less: 1 turns batching off.
    pub max_commands: usize,
    /// Which ledger rules hold. [`Rules::default`] is all of them.
    pub rules: Rules,
    /// Makes the ids of reply messages: UUIDv7, unique for ever. A simulator hands in its own.
    pub new_id: NewId,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self { max_messages: 64, max_commands: 4096, rules: Rules::default(), new_id: NewId::default() }
    }
}

/// One participant's worker. Any number of workers, in any number of processes, share a queue.
pub struct Worker {
    participant: Arc<dyn Erased>,
    batches: Batches,
    bus: Arc<dyn CommandBus>,
    metrics: ParticipantMetrics,
    options: WorkerOptions,
    in_hand: InHand,
    settling: Arc<Semaphore>,
    tasks: TaskTracker,
    killed: CancellationToken,
}

impl Worker {
    /// A worker that does nothing yet. The database must be migrated with [`crate::ledger::MIGRATIONS`] and
    /// [`Participant::migrations`].
    pub fn new<P: Participant>(
        participant: Arc<P>,
        database: Database,
        bus: Arc<dyn CommandBus>,
        clock: Clock,
        metrics: ParticipantMetrics,
        options: WorkerOptions,
    ) -> Self {
        let erased = Arc::new(Typed(participant.clone()));
        let batches = Batches::new(participant, database, clock, metrics.clone(), options.rules, options.max_commands);
        let settling = Arc::new(Semaphore::new(MAX_SETTLING));
        let tasks = TaskTracker::new();
        // A closed tracker takes tasks all the same, and can be waited for.
        tasks.close();
        let (in_hand, killed) = (InHand::default(), CancellationToken::new());
        Self { participant: erased, batches, bus, metrics, options, in_hand, settling, tasks, killed }
    }

    /// Works until `stop`, then finishes the batches in hand and waits, at most 10 s, until they are settled.
    /// Returns early only when the bus is closed. After a crash every unacknowledged command comes again. Dropped before its
    /// end it is such a crash: replies that are not sent yet are dropped with it.
    ///
    /// Batches follow each other. If one is slow because of what the participant asks elsewhere ([`Participant::PREPARES`]),
    /// others begin beside it, so that a provider that hangs on one command holds up no other.
    pub fn run(&self, stop: CancellationToken) -> BoxFuture<'_, Result<(), BusError>> {
        // Boxed: compiled here, and not in whatever crate starts a participant.
        self.until(stop).boxed()
    }

    async fn until(&self, stop: CancellationToken) -> Result<(), BusError> {
        let _alive = self.killed.clone().drop_guard();
        let ended = match self.consumer(&stop).await? {
            Some(mut consumer) => self.work(consumer.as_mut(), &stop).await,
            None => Ok(()),
        };
        if tokio::time::timeout(DRAIN, self.tasks.wait()).await.is_err() {
            tracing::warn!("stopped before all commands were settled; they come again");
        }
        ended
    }

    /// Takes what waits and answers it. `false` once `stop` is cancelled and nothing was taken.
    pub async fn run_once(&self, consumer: &mut dyn Consumer, stop: &CancellationToken) -> Result<bool, BusError> {
        match self.take(consumer, stop).await? {
            Some(deliveries) => {
                self.process(deliveries).await;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Waits until every reply so far is sent, and every quarantine confirmed or given up.
    pub async fn settled(&self) {
        self.tasks.wait().await;
    }

    async fn consumer(&self, stop: &CancellationToken) -> Result<Option<Box<dyn Consumer>>, BusError> {
        loop {
            match self.bus.consume(Destination::Commands(self.participant.name().to_owned())).await {
                Ok(consumer) => return Ok(Some(consumer)),
                Err(BusError::Closed) => return Err(BusError::Closed),
                Err(BusError::Unavailable(cause)) => tracing::warn!(cause, "no consumer yet"),
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(None),
                () = tokio::time::sleep(CONSUME_AGAIN) => {}
            }
        }
    }

    /// Two batches under way never hold the same command. Those of two processes may: the ledger's key lets one of them do it,
    /// and gives the other its answer.
    async fn work(&self, consumer: &mut dyn Consumer, stop: &CancellationToken) -> Result<(), BusError> {
        let mut under_way = UnderWay::new(if self.participant.prepares() { MAX_UNDER_WAY } else { 1 });
        let ended = loop {
            match under_way.until(self.take(consumer, stop)).await {
                Ok(Some(deliveries)) => under_way.begin(self.process(deliveries)).await,
                Ok(None) => break Ok(()),
                Err(BusError::Closed) => break Err(BusError::Closed),
                Err(BusError::Unavailable(_)) => under_way.until(tokio::time::sleep(CONSUME_AGAIN)).await,
            }
        };
        under_way.finish().await;
        ended
    }

    /// What waits, or what comes first. `None` once `stop` is cancelled.
    async fn take(
        &self,
        consumer: &mut dyn Consumer,
        stop: &CancellationToken,
    ) -> Result<Option<Vec<Delivery>>, BusError> {
        let deliveries = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(None),
            taken = consumer.take(self.options.max_messages.min(self.options.max_commands)) => taken?,
        };
        let again = deliveries.iter().filter(|delivery| delivery.redelivered).count();
        self.metrics.redelivered(self.participant.name(), again);
        Ok(Some(deliveries))
    }

    async fn process(&self, deliveries: Vec<Delivery>) {
        let span = tracing::info_span!("batch", participant = self.participant.name(), messages = deliveries.len());
        // Boxed: with all that a batch is made of, its type would be nested too deep for the compiler.
        Box::pin(self.answer(deliveries)).instrument(span).await;
    }

    async fn answer(&self, deliveries: Vec<Delivery>) {
        let mut opened = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            opened.extend(self.open(delivery));
        }
        if !self.options.rules.acknowledge_last() {
            for one in &mut opened {
                if let Some(delivery) = one.delivery.take() {
                    delivery.ack().await;
                }
            }
        }
        let claim = self.claim(&mut opened);
        let commands = opened.iter().flat_map(|one| one.commands.iter().cloned()).collect::<Vec<_>>();
        let spans = trace::spans(&commands);
        let answers = self.batches.answer(&commands).await;
        self.tell(&commands, &answers, spans);
        // Last: what one of these commands is about may have been done in this very batch.
        let malformed = opened.iter().flat_map(|one| one.malformed.iter().cloned()).collect::<Vec<_>>();
        let known = self.known(&malformed).await;
        // From here on the ledger answers.
        #[cfg(feature = "planted-bugs")]
        let claim = if self.options.rules.let_go() { claim } else { claim.and_then(Claim::keep) };
        drop(claim);
        self.reply(opened, answers, &known).await;
    }

    /// Takes what another batch has in hand out of this one. Batches that only ever follow each other need not ask.
    fn claim(&self, opened: &mut [DecodedDelivery]) -> Option<Claim> {
        if !self.participant.prepares() || !self.options.rules.drop_in_hand() {
            return None;
        }
        let (claim, dropped) = self.in_hand.claim(opened);
        if dropped > 0 {
            self.metrics.in_hand(self.participant.name(), dropped);
        }
        Some(claim)
    }

    /// Splits a delivery; one in which nothing can be read is quarantined, in a task since the quarantine may be away. The bus
    /// hands out only so many deliveries that are not settled.
    fn open(&self, delivery: Delivery) -> Option<DecodedDelivery> {
        match DecodedDelivery::of(delivery) {
            Ok(one) => {
                self.metrics.quarantined(self.participant.name(), one.unreadable.len());
                Some(one)
            }
            Err(delivery) => {
                self.metrics.quarantined(self.participant.name(), 1);
                tracing::error!(bytes = delivery.body.len(), "message quarantined");
                self.tasks.spawn(reply_publisher::quarantine(delivery, reply_publisher::NO_BATCH));
                None
            }
        }
    }

    /// What the ledger says of malformed commands.
    async fn known(&self, malformed: &[Malformed]) -> Result<Stored, SqlError> {
        if malformed.is_empty() {
            return Ok(Stored::new());
        }
        for Malformed { key, attempt, message } in malformed {
            let saga = Uuid::from_bytes(key.saga);
            tracing::warn!(%saga, step = key.step, direction = ?key.direction, attempt, message, "malformed command");
        }
        let known = self.batches.known(malformed.iter().map(|one| one.key)).await;
        known.inspect_err(|error| tracing::warn!(%error, "store unavailable"))
    }

    /// Sends and acknowledges in a task, so that the next batch commits meanwhile; waits if too many are at it.
    async fn reply(&self, opened: Vec<DecodedDelivery>, answers: Vec<Answer>, known: &Result<Stored, SqlError>) {
        let mut answers = answers.into_iter();
        let answered = opened.into_iter().map(|one| {
            let replies = one.commands.into_iter().zip(answers.by_ref());
            let replies = replies.map(|(c, answer)| codec::reply(c.key, c.attempt, c.traceparent, answer));
            let replies = replies.chain(one.malformed.iter().map(|malformed| malformed.reply(known))).collect();
            Answered { delivery: one.delivery, replies, unreadable: one.unreadable }
        });
        let answered = answered.collect::<Vec<_>>();
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&self.settling).acquire_owned().await else { return };
        let (bus, tasks, new_id) = (Arc::clone(&self.bus), self.tasks.clone(), self.options.new_id.clone());
        let killed = self.killed.clone();
        self.tasks.spawn(async move {
            killed.run_until_cancelled(reply_publisher::settle(bus.as_ref(), answered, &tasks, &new_id)).await;
            drop(permit);
        });
    }

    /// One line and one count per command; payloads and outputs are nobody's business here.
    fn tell(&self, commands: &[Command], answers: &[Answer], spans: Vec<Span>) {
        let participant = self.participant.name();
        for ((command, answer), span) in commands.iter().zip(answers).zip(spans) {
            span.record("outcome", answer.outcome()).record("reason", answer.reason());
            let _entered = span.enter();
            let label = self.participant.commands().iter().find(|name| **name == command.name);
            self.metrics.answered(participant, label.copied().unwrap_or("other"), answer.outcome());
            tracing::debug!(
                saga = %uuid::Uuid::from_bytes(command.key.saga),
                step = command.key.step,
                direction = ?command.key.direction,
                attempt = command.attempt,
                command = label.copied().unwrap_or("other"),
                outcome = answer.outcome(),
                reason = answer.reason(),
                "command answered"
            );
        }
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("participant", &self.participant.name()).finish_non_exhaustive()
    }
}
