//! The load: mixed orders at a bounded rate, by clients that repeat a call until they are told the end.

use super::history::{CallOutcome, ClientCall, ClientOrder, History, Operation, OrderKind};
use super::shop::{PRICE, Placing, ShopClient};
use anyhow::Result;
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use shop_proto::order::v1::OrderState;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;
use tonic::{Code, Status};
use uuid::Uuid;

/// Orders whose clients wait at once. Past it the load holds back, as customers do in front of a full shop.
const IN_FLIGHT: usize = 400;

/// Pause before a call is repeated: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// Items that are plentiful, beside the hot one.
const SHELVES: u32 = 4;

/// Units of a plentiful item.
const PLENTY: i64 = 1_000_000;

/// Units of the scarce item.
const FEW: i64 = 12;

/// What the load is about.
#[derive(Clone, Debug)]
pub struct Goods {
    run: String,
    /// An order that is paid and never placed: nobody may touch its payment.
    pub bystander: String,
}

/// Counts while it runs.
#[derive(Debug, Default)]
pub struct Counters {
    /// Orders begun.
    pub begun: AtomicU64,
    /// Orders whose end was told.
    pub told: AtomicU64,
    /// Calls that did not bring an answer.
    pub troubled: AtomicU64,
    /// Orders not begun, since too many were waiting.
    pub held_back: AtomicU64,
}

/// A running load.
#[derive(Debug)]
pub struct Load {
    /// What it orders.
    pub goods: Goods,
    /// What its clients heard.
    pub history: Arc<History>,
    /// Counts.
    pub counters: Arc<Counters>,
    /// When it began.
    pub began: Instant,
    tracker: TaskTracker,
    generator: JoinHandle<()>,
    give_up: watch::Sender<bool>,
}

impl Goods {
    /// Every item.
    #[must_use]
    pub fn items(&self) -> Vec<String> {
        let shelves = (0..SHELVES).map(|shelf| self.shelf(shelf));
        shelves.chain([self.hot(), self.scarce()]).collect()
    }

    fn shelf(&self, shelf: u32) -> String {
        format!("shelf{shelf}-{}", self.run)
    }

    /// The one item everybody wants.
    #[must_use]
    pub fn hot(&self) -> String {
        format!("hot-{}", self.run)
    }

    fn scarce(&self) -> String {
        format!("scarce-{}", self.run)
    }
}

impl Load {
    /// Puts the goods on the shelves and begins to order, `rate` orders a second. The same seed orders the same in the
    /// same order; ids are fresh.
    ///
    /// # Errors
    /// If the goods are refused.
    pub async fn start(shop: &ShopClient, seed: u64, rate: f64) -> Result<Self> {
        let run = Uuid::now_v7().simple().to_string();
        let goods = Goods { bystander: format!("imp_{run}"), run };
        for item in goods.items() {
            let stock = if item == goods.scarce() { FEW } else { PLENTY };
            shop.create_item(&item, stock).await?;
        }
        let number = bystander(shop, &goods).await?;
        shop.pay(&goods.bystander, &number, PRICE).await?;
        let (history, counters): (Arc<History>, Arc<Counters>) = Default::default();
        let (give_up, gives_up) = watch::channel(false);
        let tracker = TaskTracker::new();
        let began = Instant::now();
        let generator = Generator {
            shop: shop.clone(),
            goods: goods.clone(),
            history: history.clone(),
            counters: counters.clone(),
            tracker: tracker.clone(),
            gives_up,
            began,
            pause: Duration::from_secs_f64(1.0 / rate.max(0.1)),
        };
        let generator = tokio::spawn(generator.run(StdRng::seed_from_u64(seed)));
        Ok(Self { goods, history, counters, began, tracker, generator, give_up })
    }

    /// Milliseconds since it began.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        millis(self.began)
    }

    /// No new orders; waits until every client was told its end, at most until `until`, then sends them home.
    pub async fn finish(self, until: Instant) -> Vec<ClientOrder> {
        self.generator.abort();
        let _ = self.generator.await;
        self.tracker.close();
        if tokio::time::timeout_at(until, self.tracker.wait()).await.is_err() {
            self.give_up.send_replace(true);
            // Each call has a deadline, so this ends.
            self.tracker.wait().await;
        }
        self.history.orders()
    }
}

async fn bystander(shop: &ShopClient, goods: &Goods) -> Result<String> {
    let request_id = Uuid::now_v7().to_string();
    let mut last = None;
    for turn in 0..20 {
        match shop.create_order(turn, &request_id, &goods.hot(), 1).await {
            Ok(number) => return Ok(number),
            Err(status) => last = Some(status),
        }
        sleep(PAUSES.0).await;
    }
    Err(last.map_or_else(|| anyhow::anyhow!("never tried"), anyhow::Error::from))
}

struct Generator {
    shop: ShopClient,
    goods: Goods,
    history: Arc<History>,
    counters: Arc<Counters>,
    tracker: TaskTracker,
    gives_up: watch::Receiver<bool>,
    began: Instant,
    pause: Duration,
}

impl Generator {
    async fn run(self, mut dice: StdRng) {
        let room = Arc::new(Semaphore::new(IN_FLIGHT));
        let mut ticks = tokio::time::interval(self.pause);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for turn in 0.. {
            ticks.tick().await;
            let (kind, shelf, quantity) = draw(&mut dice);
            let Ok(place) = room.clone().try_acquire_owned() else {
                self.counters.held_back.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            self.counters.begun.fetch_add(1, Ordering::Relaxed);
            let item = match kind {
                OrderKind::Hot => self.goods.hot(),
                OrderKind::Scarce => self.goods.scarce(),
                _ => self.goods.shelf(shelf),
            };
            let client = Client {
                shop: self.shop.clone(),
                began: self.began,
                gives_up: self.gives_up.clone(),
                counters: self.counters.clone(),
                turn,
                item,
                quantity,
                bystander: self.goods.bystander.clone(),
                order: ClientOrder {
                    kind,
                    number: None,
                    request_id: Uuid::now_v7().to_string(),
                    sagas: BTreeSet::new(),
                    told: None,
                    placed_ms: None,
                    told_ms: None,
                    calls: Vec::new(),
                },
            };
            let history = self.history.clone();
            self.tracker.spawn(async move {
                history.add(client.run().await);
                drop(place);
            });
        }
    }
}

fn draw(dice: &mut StdRng) -> (OrderKind, u32, i64) {
    const MIX: [(u32, OrderKind); 8] = [
        (48, OrderKind::Good),
        (20, OrderKind::Hot),
        (8, OrderKind::Scarce),
        (6, OrderKind::WrongAmount),
        (6, OrderKind::UnknownPayment),
        (4, OrderKind::SomebodyElses),
        (5, OrderKind::Repeated),
        (3, OrderKind::OtherContent),
    ];
    let mut rest = dice.random_range(0..MIX.iter().map(|(share, _)| share).sum());
    let found = MIX.iter().find(|(share, _)| {
        let is_it = rest < *share;
        rest = rest.saturating_sub(*share);
        is_it
    });
    let kind = found.map_or(OrderKind::Good, |(_, kind)| *kind);
    (kind, dice.random_range(0..SHELVES), dice.random_range(1..=3))
}

/// One customer with one order.
struct Client {
    shop: ShopClient,
    began: Instant,
    gives_up: watch::Receiver<bool>,
    counters: Arc<Counters>,
    turn: usize,
    item: String,
    quantity: i64,
    bystander: String,
    order: ClientOrder,
}

impl Client {
    async fn run(mut self) -> ClientOrder {
        let Some(number) = self.create().await else { return self.order };
        let own = format!("imp_{}", Uuid::now_v7().simple());
        let total = PRICE * self.quantity;
        let (payment, paid) = match self.order.kind {
            OrderKind::WrongAmount => (own, Some(total - 1)),
            OrderKind::UnknownPayment => (own, None),
            OrderKind::SomebodyElses => (self.bystander.clone(), None),
            _ => (own, Some(total)),
        };
        if let Some(amount) = paid
            && !self.pay(&payment, &number, amount).await
        {
            return self.order;
        }
        let placing = Placing {
            request_id: self.order.request_id.clone(),
            number,
            payment,
            item: self.item.clone(),
            quantity: self.quantity,
        };
        self.order.placed_ms = Some(millis(self.began));
        if self.order.kind == OrderKind::Repeated {
            self.place_at_once(&placing).await;
        }
        self.place(&placing).await;
        if self.order.kind == OrderKind::OtherContent && self.order.told.is_some() {
            let other = Placing { quantity: placing.quantity + 1, ..placing };
            let invoked_ms = millis(self.began);
            let answer = self.shop.place(self.turn, &other).await.map(|_| ());
            self.note(Operation::PlaceOther, invoked_ms, &answer);
        }
        self.order
    }

    async fn create(&mut self) -> Option<String> {
        let request_id = Uuid::now_v7().to_string();
        let mut pause = PAUSES.0;
        while !*self.gives_up.borrow() {
            self.turn += 1;
            let invoked_ms = millis(self.began);
            let answer = self.shop.create_order(self.turn, &request_id, &self.item, self.quantity).await;
            self.note(Operation::Create, invoked_ms, &answer);
            match answer {
                Ok(number) => {
                    self.order.number = Some(number.clone());
                    return Some(number);
                }
                Err(status) if is_final(&status) => return None,
                Err(_) => self.wait(&mut pause).await,
            }
        }
        None
    }

    /// False if the provider was away to the end.
    async fn pay(&mut self, payment: &str, number: &str, amount: i64) -> bool {
        let mut pause = PAUSES.0;
        while !*self.gives_up.borrow() {
            if self.shop.pay(payment, number, amount).await.is_ok() {
                return true;
            }
            self.wait(&mut pause).await;
        }
        false
    }

    /// The impatient customer: the same request three times at once, at both orchestrators.
    async fn place_at_once(&mut self, placing: &Placing) {
        let invoked_ms = millis(self.began);
        let calls = (0..3).map(|more| {
            let (shop, turn) = (&self.shop, self.turn + more);
            async move { shop.place(turn, placing).await }
        });
        for answer in join_all(calls).await {
            self.note(Operation::Place, invoked_ms, &answer);
            if let Ok(progress) = answer {
                self.order.sagas.insert(progress.saga);
            }
        }
    }

    async fn place(&mut self, placing: &Placing) {
        let mut pause = PAUSES.0;
        while !*self.gives_up.borrow() {
            self.turn += 1;
            let invoked_ms = millis(self.began);
            let answer = self.shop.place(self.turn, placing).await;
            self.note(Operation::Place, invoked_ms, &answer);
            match answer {
                Ok(progress) => {
                    let told = progress.done.then(|| progress.state());
                    self.order.sagas.insert(progress.saga);
                    if let Some(state) = told {
                        self.order.told = Some(state);
                        self.order.told_ms = Some(millis(self.began));
                        self.counters.told.fetch_add(1, Ordering::Relaxed);
                        return;
                    }
                }
                Err(status) if is_final(&status) => return,
                Err(_) => self.wait(&mut pause).await,
            }
        }
    }

    fn note<T>(&mut self, operation: Operation, invoked_ms: u64, answer: &Result<T, Status>) {
        let outcome = answer.as_ref().map_or_else(|status| CallOutcome::of(status.code()), |_| CallOutcome::Ok);
        if matches!(outcome, CallOutcome::Unknown(_)) {
            self.counters.troubled.fetch_add(1, Ordering::Relaxed);
        }
        self.order.calls.push(ClientCall { operation, invoked_ms, ended_ms: millis(self.began), outcome });
    }

    async fn wait(&mut self, pause: &mut Duration) {
        let mut gives_up = self.gives_up.clone();
        tokio::select! {
            () = sleep(*pause) => {}
            _ = gives_up.wait_for(|given| *given) => {}
        }
        *pause = (*pause * 2).min(PAUSES.1);
    }
}

/// Whether asking again is no use. Overload is a refusal, but one that passes.
fn is_final(status: &Status) -> bool {
    matches!(CallOutcome::of(status.code()), CallOutcome::Fail(_)) && status.code() != Code::ResourceExhausted
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// How many orders of each kind ended how.
#[must_use]
pub fn ends_by_kind(orders: &[ClientOrder]) -> BTreeMap<(OrderKind, &'static str), u64> {
    let mut ends = BTreeMap::new();
    for order in orders {
        let end = order.told.map_or("not told", |state: OrderState| state.as_str_name());
        *ends.entry((order.kind, end)).or_default() += 1;
    }
    ends
}
