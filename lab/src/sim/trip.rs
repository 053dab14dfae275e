//! A stranger's saga beside the orders, in every third run: its participants rely on the kit alone.
//!
//! The handlers of order, payment and stock refuse what comes late or twice on their own as well, so that a kit without
//! its ledger rules would hide behind them. The participants of a trip only leave a row for each effect. Its definition is
//! unlike the order saga too: one attempt, long timeouts, a deadline of the whole saga, two undos at one participant, and a
//! last step that gets stuck when it is not answered.

use super::answer::ClientAnswer;
use super::cast::{Actor, Stand, Twist};
use super::life::Us;
use super::rng::Rng;
use super::stage::Stage;
use super::world::Due;
use baton_orchestrator::api::start::ParsedStart;
use baton_orchestrator::sagas::{Accepted, PayloadError, SagaType};
use baton_participant_kit::participant::{Answer, Command, CommandDirection};
use baton_rpc::errors::Violations;
use baton_rpc::request_id::RequestId;
use bytes::Bytes;
use futures_util::FutureExt as _;
use saga_core::definition::{Definition, StepOptions};
use saga_core::retry::RetryPolicy;
use saga_core::saga::{Direction, Saga, SagaId, StepIndex};
use shop_domain::reason;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// The definition's name.
pub const NAME: &str = "trip";

/// How many runs of a million have trips: enough for every defect of the kit to meet them, few enough that most of the
/// time goes into orders.
const SHARE: u32 = 333_333;

/// Between two tries to start a trip: a start that was lost with its process never was.
const AGAIN: Us = 2_000_000;

/// How long one attempt may take. Longer than the order saga's, so that what is on its way when a saga turns round is
/// still in date when it arrives: only the tombstone is left to refuse it.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// The trip.
#[derive(Debug)]
pub struct Trip(Definition);

impl Trip {
    /// Version 1.
    #[must_use]
    pub fn new() -> Self {
        // One attempt: a saga turns round at the first "unavailable", while copies of its command may still be anywhere.
        let impatient = RetryPolicy::new(Duration::from_millis(100), 2, Duration::from_secs(1), 1).ok();
        let once = |options: StepOptions| impatient.map_or(options, |policy| options.retry(policy));
        let options = once(StepOptions::new().timeout(TIMEOUT));
        let definition = Definition::builder(NAME, 1)
            .compensatable("flight.book", "agency", "flight.book", "flight.cancel", options)
            .compensatable("hotel.book", "agency", "hotel.book", "hotel.cancel", options)
            .pivot_with_undo("card.charge", "bank", "card.charge", "card.refund", options)
            // Behind the pivot nothing turns round: what is not answered once is stuck, for operators and whoever is told.
            .retriable("mail.send", "agency", "mail.send", once(StepOptions::new()))
            .deadline(Duration::from_secs(20))
            .build()
            // The steps are written above and nowhere else; every run of the simulator builds them.
            .expect("the trip's definition is correct");
        Self(definition)
    }
}

impl Default for Trip {
    fn default() -> Self {
        Self::new()
    }
}

impl SagaType for Trip {
    fn definition(&self) -> &Definition {
        &self.0
    }

    fn accept(&self, _input: &[u8]) -> Result<Accepted, Violations> {
        Ok(Accepted { business_key: String::new(), exclusive: false })
    }

    fn payload(&self, _saga: &Saga, _step: StepIndex, _direction: Direction) -> Result<Bytes, PayloadError> {
        Ok(Bytes::new())
    }
}

/// Refusals by the saga's own id: the same command always gets the same answer.
#[derive(Debug)]
struct Moods;

impl Twist for Moods {
    fn instead(&self, command: &Command) -> Option<Answer> {
        if command.key.direction == CommandDirection::Undo {
            return None;
        }
        let mood = command.key.saga[15].wrapping_add(command.key.step.wrapping_mul(37));
        match (command.name.as_str(), mood % 16) {
            ("hotel.book", 0..=1) | ("card.charge", 0..=4) => Some(Answer::rejected(reason::OUT_OF_STOCK, "sold out")),
            _ => None,
        }
    }

    fn after(&self, _command: &Command, answer: Answer) -> Answer {
        answer
    }
}

/// The trips of one run.
#[derive(Clone, Debug, Default)]
pub struct Trips {
    /// When each is started, and under which id.
    pub planned: Vec<(Us, SagaId)>,
}

impl Trips {
    /// Those of a seed, at most `limit`: none in most runs.
    #[must_use]
    pub fn new(seed: u64, span: Us, limit: Option<usize>) -> Self {
        let mut rng = Rng::new(seed, "trips");
        if !rng.chance(SHARE) {
            return Self::default();
        }
        let count = usize::try_from(rng.between(10, 30)).unwrap_or(10).min(limit.unwrap_or(usize::MAX));
        let planned = (0..count).map(|_| {
            let at = rng.below(span);
            (at, SagaId(rng.uuid_v7(1_800_000_000_000 + at / 1000)))
        });
        Self { planned: planned.collect() }
    }

    /// Their participants, if there are trips.
    #[must_use]
    pub fn cast(&self) -> Vec<Arc<dyn Actor>> {
        if self.planned.is_empty() {
            return Vec::new();
        }
        let twist: Arc<dyn Twist> = Arc::new(Moods);
        // Named once for the whole process: the stand-ins leak their names.
        static STANDS: std::sync::OnceLock<Vec<Stand>> = std::sync::OnceLock::new();
        let stands = STANDS.get_or_init(|| Stand::cast(Trip::new().definition()));
        stands.iter().map(|stand| Arc::new(stand.twisted(twist.clone()).shy()) as Arc<dyn Actor>).collect()
    }

    /// True if the trip's saga is there.
    fn is_started(&self, stage: &Stage, number: usize) -> bool {
        let found = stage.store.get(self.planned[number].1).now_or_never();
        found.is_some_and(|found| matches!(found, Ok(Some(_))))
    }

    /// True if every trip's saga is there.
    #[must_use]
    pub fn are_started(&self, stage: &Stage) -> bool {
        (0..self.planned.len()).all(|number| self.is_started(stage, number))
    }

    /// Asks for a trip until its saga is there; `due` is this trip's own turn.
    pub fn start(&self, stage: &mut Stage, number: usize, due: Due) {
        if self.is_started(stage, number) {
            return;
        }
        let again = {
            let mut inner = stage.world.lock();
            let again = inner.now + AGAIN;
            inner.at(again, due);
            inner.adversary.choose(1 << 32)
        };
        let up = stage.orchestrators_up();
        let Some(process) = up.get(usize::try_from(again % up.len().max(1) as u64).unwrap_or(0)).copied() else {
            return;
        };
        let id = self.planned[number].1;
        stage.call(process, move |api, world, _| async move {
            let (Some(saga_type), Ok(request)) =
                (api.registry.newest(NAME).cloned(), RequestId::parse(&Uuid::from_bytes(id.0).to_string()))
            else {
                return;
            };
            let asked = ParsedStart { saga_type, request, input: Bytes::new(), traceparent: String::new() };
            // What a client hears is checked with the orders; here only a defect counts.
            if let Err(refused) = api.starter().begin(id, asked).await
                && let ClientAnswer::Internal(why) = super::client::refusal(&refused.into())
            {
                world.lock().seen.violation("I18", format!("trip {id}: {why}"));
            }
        });
    }
}
