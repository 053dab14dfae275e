//! The operators of a run: what they ask of whole groups of sagas, and that they ask again until they are told.

use super::answer::ClientAnswer;
use super::client::refusal;
use super::life::Us;
use super::rng::Rng;
use super::seen::Told;
use super::stage::Stage;
use super::world::Due;
use baton_orchestrator::api::Api;
use baton_orchestrator::hold_policy::Held;
use baton_orchestrator::operations::jobs::JobState;
use baton_orchestrator::operations::letters::LetterState;
use baton_proto::baton::saga::v1 as wire;
use baton_proto::baton::saga::v1::saga_admin_service_server::SagaAdminService as _;
use futures_util::FutureExt as _;
use tonic::{Request, Status};
use uuid::Uuid;

/// How long an operator waits for an answer.
const PATIENCE: Us = 6_000_000;

/// Between an answer that settles nothing and the next try.
const PAUSE: Us = 400_000;

/// What jobs select: what does not change while they run, and what does.
const FILTERS: [&str; 4] =
    ["definition = order", "definition = order", "state = running", "state = stuck OR state = paused"];

/// What jobs do.
const VERBS: [wire::SagaVerb; 4] =
    [wire::SagaVerb::Pause, wire::SagaVerb::Resume, wire::SagaVerb::Cancel, wire::SagaVerb::Retry];

/// Something that an operator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Hold this.
    Hold(Held),
    /// Release it.
    Release(Held),
    /// One action on all of these.
    CreateJob(&'static str, wire::SagaVerb),
    /// Halt a job, let it go on, or end it.
    ControlJob(String, wire::JobControl),
    /// Send a dead letter again.
    Replay(Uuid),
    /// Give a dead letter up.
    Drop(Uuid),
}

/// An act that is asked for, under the same request id until somebody is told.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What.
    pub ask: Ask,
    /// The request id.
    pub request: Uuid,
    /// What came of it; `None` while it is open.
    pub told: Option<Told>,
}

/// All operators of a run.
#[derive(Debug)]
pub struct Operators {
    /// Every act, in order.
    pub asked: Vec<Asked>,
    rng: Rng,
}

impl Operators {
    /// The operators of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { asked: Vec::new(), rng: Rng::new(seed, "operators") }
    }

    /// An operator has an idea: what kind of thing to do is given.
    pub fn act(&mut self, stage: &mut Stage, kind: &'static str, choice: u64) {
        let pick = |len: usize| usize::try_from((choice >> 8) % len.max(1) as u64).unwrap_or(0);
        match kind {
            "hold" => {
                let definitions =
                    stage.registry().iter().map(|saga| Held::Definition(saga.definition().id().name.clone()));
                let participants = stage.registry().participants().into_iter().map(Held::Participant);
                let all: Vec<Held> = definitions.chain(participants).collect();
                let held = all[pick(all.len())].clone();
                let lasts = 1_000_000 + self.rng.below(30_000_000);
                self.ask(stage, Ask::Hold(held.clone()), 0);
                self.ask(stage, Ask::Release(held), lasts);
            }
            "job" => {
                let verb = VERBS[self.rng.index(VERBS.len())];
                self.ask(stage, Ask::CreateJob(FILTERS[pick(FILTERS.len())], verb), 0);
            }
            "dead-letter" => {
                let letters = stage.operations().letters(Some(LetterState::Waiting), None, 100).now_or_never();
                let letters = letters.and_then(Result::ok).unwrap_or_default();
                let Some(letter) = letters.get(pick(letters.len())) else { return };
                let ask = if choice.is_multiple_of(4) { Ask::Drop(letter.id) } else { Ask::Replay(letter.id) };
                self.ask(stage, ask, 0);
            }
            _ => {}
        }
    }

    /// What operators do after the storm, so that everything can come to rest.
    pub fn tidy(&mut self, stage: &mut Stage) {
        let operations = stage.operations();
        let holds = operations.holds().now_or_never().and_then(Result::ok).unwrap_or_default();
        let mut asks: Vec<Ask> =
            holds.into_iter().filter(|hold| hold.release.is_none()).map(|hold| Ask::Release(hold.held)).collect();
        let jobs = operations.jobs(None, 1_000).now_or_never().and_then(Result::ok).unwrap_or_default();
        let halted = jobs.iter().filter(|job| job.state == JobState::Paused);
        asks.extend(halted.map(|job| Ask::ControlJob(format!("jobs/{}", job.id), wire::JobControl::Resume)));
        let letters = operations.letters(Some(LetterState::Waiting), None, 1_000).now_or_never();
        let letters = letters.and_then(Result::ok).unwrap_or_default();
        asks.extend(letters.iter().map(|letter| Ask::Drop(letter.id)));
        for ask in asks {
            if !self.asked.iter().any(|asked| asked.told.is_none() && asked.ask == ask) {
                self.ask(stage, ask, 0);
            }
        }
    }

    /// True if everybody was told, and nothing of theirs is under way.
    #[must_use]
    pub fn are_at_rest(&self, stage: &Stage) -> bool {
        let operations = stage.operations();
        let holds = operations.holds().now_or_never().and_then(Result::ok);
        let jobs = operations.jobs(None, 1_000).now_or_never().and_then(Result::ok);
        let waiting = operations.waiting_letters().now_or_never().and_then(Result::ok);
        let unsent = operations.unsent_letters(1).now_or_never().and_then(Result::ok);
        self.asked.iter().all(|asked| asked.told.is_some())
            && holds.is_some_and(|holds| holds.is_empty())
            && jobs.is_some_and(|jobs| jobs.iter().all(|job| job.state.has_ended() && job.pending.is_empty()))
            && waiting == Some(0)
            && unsent.is_some_and(|letters| letters.is_empty())
            && stage.world.lock().broker.uncollected() == 0
    }

    /// Asks for something, `after` microseconds from now.
    fn ask(&mut self, stage: &mut Stage, ask: Ask, after: Us) {
        let number = self.asked.len();
        let request = Uuid::from_bytes(self.rng.uuid_v7(3));
        self.asked.push(Asked { ask, request, told: None });
        if after == 0 {
            self.due(stage, number);
        } else {
            let mut inner = stage.world.lock();
            let at = inner.now + after;
            inner.at(at, Due::Operator(number));
        }
    }

    /// The turn of an act that nobody was told of: it is asked for, perhaps once more.
    pub fn due(&mut self, stage: &mut Stage, number: usize) {
        let Asked { ask, request, told } = self.asked[number].clone();
        if told.is_some() {
            return;
        }
        {
            let mut inner = stage.world.lock();
            let at = inner.now + PATIENCE;
            inner.at(at, Due::Operator(number));
            inner.has_held |= matches!(ask, Ask::Hold(_));
            if let Ask::Release(held) = &ask {
                inner.held.retain(|known| known != held);
            }
        }
        let up = stage.orchestrators_up();
        if up.is_empty() {
            return;
        }
        let process = up[self.rng.index(up.len())];
        stage.call(process, move |api, world, life| async move {
            let told = settled(carry_out(&api, &ask, request).await);
            life.alive().await;
            world.lock().operators.push((number, told));
        });
    }

    /// Answers that have come in, and what the operators do next.
    pub fn heard(&mut self, stage: &mut Stage) {
        let answers = std::mem::take(&mut stage.world.lock().operators);
        for (number, told) in answers {
            if self.asked[number].told.is_some() {
                continue;
            }
            let mut inner = stage.world.lock();
            let now = inner.now;
            let ask = &self.asked[number].ask;
            inner.trace.note(now, "operators", &[number as u64], || format!("{ask:?}: {told:?}"));
            let Some(told) = told else {
                inner.at(now + PAUSE, Due::Operator(number));
                continue;
            };
            drop(inner);
            self.asked[number].told = Some(told.clone());
            let creates = matches!(self.asked[number].ask, Ask::CreateJob(..));
            if let Told::Done(job) = told
                && creates
            {
                let control = [None, None, Some(wire::JobControl::Cancel), Some(wire::JobControl::Pause)];
                let (control, after) = (control[self.rng.index(4)], self.rng.below(1_000_000) + 1);
                if let Some(control) = control {
                    self.ask(stage, Ask::ControlJob(job, control), after);
                }
            }
        }
    }
}

async fn carry_out(api: &Api, ask: &Ask, request: Uuid) -> Result<String, Status> {
    let (reason, actor, request_id) = ("because".to_owned(), "sim".to_owned(), request.to_string());
    match ask.clone() {
        Ask::Hold(held) => {
            let request = wire::CreateHoldRequest { name: held.name(), reason, actor, request_id };
            let answer = api.create_hold(Request::new(request)).await?.into_inner();
            Ok(answer.hold.unwrap_or_default().name)
        }
        Ask::Release(held) => {
            let request = wire::ReleaseHoldRequest { name: held.name(), reason, actor, request_id };
            let answer = api.release_hold(Request::new(request)).await?.into_inner();
            Ok(answer.hold.unwrap_or_default().name)
        }
        Ask::CreateJob(filter, verb) => {
            let verb = verb.into();
            let request = wire::CreateJobRequest {
                filter: filter.to_owned(),
                verb,
                reason,
                actor,
                request_id,
                ..Default::default()
            };
            let answer = api.create_job(Request::new(request)).await?.into_inner();
            Ok(answer.job.unwrap_or_default().name)
        }
        Ask::ControlJob(name, control) => {
            let request = wire::ControlJobRequest { name, control: control.into(), reason, actor, request_id };
            let answer = api.control_job(Request::new(request)).await?.into_inner();
            Ok(answer.job.unwrap_or_default().name)
        }
        Ask::Replay(id) => {
            let name = format!("deadLetters/{id}");
            let request = wire::ReplayDeadLetterRequest { name, reason, actor, request_id };
            let answer = api.replay_dead_letter(Request::new(request)).await?.into_inner();
            Ok(answer.dead_letter.unwrap_or_default().name)
        }
        Ask::Drop(id) => {
            let name = format!("deadLetters/{id}");
            let request = wire::DropDeadLetterRequest { name, reason, actor, request_id };
            let answer = api.drop_dead_letter(Request::new(request)).await?.into_inner();
            Ok(answer.dead_letter.unwrap_or_default().name)
        }
    }
}

/// Answers of the API as an operator takes them; `None` if it is to be asked again.
fn settled(answer: Result<String, Status>) -> Option<Told> {
    let status = match answer {
        Ok(name) => return Some(Told::Done(name)),
        Err(status) => status,
    };
    match refusal(&status) {
        ClientAnswer::NotStarted(_) | ClientAnswer::Unknown | ClientAnswer::Ok(..) => None,
        ClientAnswer::Conflict(why) => Some(Told::Internal(why)),
        ClientAnswer::Internal(why) => {
            let refusals =
                ["HOLD_NOT_FOUND", "JOB_ENDED", "DEAD_LETTER_DECIDED", "TOO_MANY_JOBS", "DEAD_LETTER_TOO_LARGE"];
            let is_refusal = refusals.iter().any(|reason| why.starts_with(reason));
            Some(if is_refusal { Told::Refused(why) } else { Told::Internal(why) })
        }
    }
}
