//! One batch against the store, with every way it can fail: together first, one by one if it must be.

use crate::hold_policy::{Held, HoldCache};
use crate::input::{ActionOutcome, Input, InputOutcome, NotSettled, Verdict};
use crate::pace::Pace;
use crate::plan::{Apply, Planning, plan};
use crate::saga_cache::SagaCache;
use crate::sagas::Registry;
use crate::store::{Holder, Loaded, Record, SagaStore, StartKey, StoreError, commit_with};
use crate::under_way::UnderWay;
use baton_courier::bus::Message;
use baton_crash_point::{Point, hit};
use saga_core::saga::SagaId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// Tries of one batch before its failure is reported: one that meets a taken key or an unknown outcome, one that knows
/// better, and two for whoever else interferes meanwhile.
const TRIES: usize = 4;

/// Makes message ids; the simulator hands in its own.
pub type NewId = Arc<dyn Fn() -> Uuid + Send + Sync>;

/// What a batch is decided with and written to.
#[derive(Clone)]
pub struct Committer {
    /// Durable state.
    pub store: Arc<dyn SagaStore>,
    /// The sagas this build knows.
    pub registry: Registry,
    /// Makes message ids.
    pub new_id: NewId,
    /// Sagas that need not be read.
    pub known: SagaCache,
    /// What operators hold.
    pub holds: Arc<HoldCache>,
    /// How long participants take to answer.
    pub pace: Arc<Pace>,
    /// How many there are to drive.
    pub under_way: Arc<UnderWay>,
    /// A defect put in on purpose; see [`crate::planted`].
    #[cfg(feature = "planted-bugs")]
    pub planted: Option<crate::planted::EngineBug>,
}

/// What came of a batch.
#[derive(Debug, Default)]
pub struct BatchOutcome {
    /// One per input, in order.
    pub verdicts: Vec<Verdict>,
    /// Sagas that moved, with what they were before; committed.
    pub moved: Vec<(Option<Arc<Record>>, Arc<Record>)>,
    /// What to send: what ordered it is committed.
    pub messages: Vec<Message>,
    /// True if the store was away at the end: until it is back there is no point in another batch.
    pub store_away: bool,
}

impl Committer {
    /// Settles a batch: never fails as a whole, every input gets a verdict.
    pub async fn settle(&self, inputs: Vec<Input>) -> BatchOutcome {
        let inputs = Arc::new(inputs);
        let mut settled = self.together(&inputs).await;
        self.read_again(&inputs, &mut settled).await;
        settled
    }

    async fn together(&self, inputs: &Arc<Vec<Input>>) -> BatchOutcome {
        match self.commit(inputs.clone()).await {
            Ok(committed) => committed,
            Err(
                StoreError::Conflict(_)
                | StoreError::Refused(_)
                | StoreError::Unreadable(_)
                | StoreError::DuplicateKey
                | StoreError::RequestTaken,
            ) if inputs.len() > 1 => self.one_by_one(inputs).await,
            Err(error) => BatchOutcome {
                verdicts: inputs.iter().map(|_| verdict_of(&error)).collect(),
                store_away: is_away(&error),
                ..BatchOutcome::default()
            },
        }
    }

    /// So that one poisoned saga never holds up its neighbours.
    async fn one_by_one(&self, inputs: &[Input]) -> BatchOutcome {
        tracing::warn!(inputs = inputs.len(), "batch failed as a whole; its members are tried one by one");
        let mut all = BatchOutcome::default();
        for input in inputs {
            match self.commit(Arc::new(vec![input.clone()])).await {
                Ok(one) => {
                    all.verdicts.extend(one.verdicts);
                    all.moved.extend(one.moved);
                    all.messages.extend(one.messages);
                }
                Err(error) => {
                    all.verdicts.push(verdict_of(&error));
                    if is_away(&error) {
                        // The store has gone away meanwhile: the rest would each wait for it in vain.
                        all.store_away = true;
                        all.verdicts.resize(inputs.len(), Err(NotSettled::Unavailable("the store is away".to_owned())));
                        break;
                    }
                }
            }
        }
        all
    }

    /// Before a reply is quarantined because its saga's row could not be read, the row is read once more: what was garbled on
    /// its way is whole in its table. Actions and wakes lose nothing by being unreadable.
    async fn read_again(&self, inputs: &[Input], settled: &mut BatchOutcome) {
        let is_lost = |at: &usize| {
            matches!((&inputs[*at], &settled.verdicts[*at]), (Input::Reply(..), Err(NotSettled::Unreadable(_))))
        };
        let lost: Vec<usize> = (0..inputs.len()).filter(is_lost).collect();
        if lost.is_empty() {
            return;
        }
        let again: Vec<Input> = lost.iter().map(|at| inputs[*at].clone()).collect();
        let again = self.together(&Arc::new(again)).await;
        for (at, verdict) in lost.into_iter().zip(again.verdicts) {
            settled.verdicts[at] = verdict;
        }
        settled.moved.extend(again.moved);
        settled.messages.extend(again.messages);
        settled.store_away |= again.store_away;
    }

    /// All of them in one transaction, tried again where that may help. Once the outcome of one try is unknown every later
    /// failure is: whoever heard of that one only would take what may have been written for undone, and act again.
    async fn commit(&self, inputs: Arc<Vec<Input>>) -> Result<BatchOutcome, StoreError> {
        let mut doubt = None;
        let tried = self.tries(inputs, &mut doubt).await;
        tried.map_err(|error| doubt.unwrap_or(error))
    }

    async fn tries(&self, inputs: Arc<Vec<Input>>, doubt: &mut Option<StoreError>) -> Result<BatchOutcome, StoreError> {
        let (mut taken, mut lifted) = (BTreeMap::new(), BTreeSet::new());
        let mut was_refused = false;
        let mut last = StoreError::Conflict("never tried".to_owned());
        for _ in 0..TRIES {
            let known = self.known.that_move(&self.registry, self.machine(), &inputs, self.store.now());
            match self.commit_once(&inputs, &taken, &lifted, &known, doubt.is_some()).await {
                Ok(settled) => {
                    self.known.keep(&settled.moved);
                    self.under_way.moved(&settled.moved);
                    self.pace.moved(&self.registry, &settled.moved);
                    return Ok(settled);
                }
                // A row is not what it was when this process last wrote it: read instead.
                Err(error @ StoreError::Conflict(_)) if !known.is_empty() => {
                    self.known.forget(known.keys());
                    last = error;
                    continue;
                }
                Err(StoreError::HoldLifted(holds)) => {
                    self.holds.lift(&holds);
                    lifted.extend(holds.iter().cloned());
                    last = StoreError::HoldLifted(holds);
                    continue;
                }
                // A single input is given up for this, so it is tried once more, on the row itself: the server's error may be
                // a garbled one, or be about its connection. One of several is tried alone next.
                Err(error @ StoreError::Refused(_)) if inputs.len() == 1 && !was_refused => {
                    tracing::warn!(%error, "refused; tried once more before it is given up");
                    was_refused = true;
                    self.known.forget(known.keys());
                    last = error;
                    continue;
                }
                Err(error @ StoreError::DuplicateKey) => last = error,
                Err(error @ StoreError::UnknownOutcome(_)) => {
                    *doubt = Some(error.clone());
                    self.known.forget(known.keys());
                    last = error;
                }
                Err(error) => return Err(error),
            }
            // Whoever holds our keys now, possibly we ourselves: what a lost COMMIT did is read, never assumed.
            let holders = self.store.find_keys(start_keys(&inputs)).await?;
            taken = holders.into_iter().map(|holder| (holder.key, holder)).collect();
        }
        Err(last)
    }

    fn machine(&self) -> Apply {
        #[cfg(feature = "planted-bugs")]
        if let Some(crate::planted::EngineBug::Machine(apply)) = self.planted {
            return apply;
        }
        saga_core::machine::apply
    }

    /// One transaction. Once in doubt, operators' actions are not applied again: unlike replies, wakes and starts they
    /// carry nothing that would make the second time harmless.
    async fn commit_once(
        &self,
        inputs: &Arc<Vec<Input>>,
        taken: &BTreeMap<StartKey, Holder>,
        lifted: &BTreeSet<Held>,
        known: &BTreeMap<SagaId, Arc<Record>>,
        in_doubt: bool,
    ) -> Result<BatchOutcome, StoreError> {
        let mut ids: BTreeSet<SagaId> = inputs.iter().filter_map(Input::loads).collect();
        ids.retain(|id| !known.contains_key(id));
        ids.extend(taken.values().map(|holder| holder.saga).filter(|id| is_own(inputs, *id)));
        let effective: Arc<Vec<Input>> = if in_doubt {
            Arc::new(inputs.iter().filter(|input| !matches!(input, Input::Action(..))).cloned().collect())
        } else {
            inputs.clone()
        };
        let apply = self.machine();
        let decide = {
            let committer = self.clone();
            let (inputs, taken, known) = (effective, taken.clone(), known.clone());
            let (holds, lifted) = (self.holds.standing(), lifted.clone());
            move |loaded: &Loaded| {
                let planning = Planning {
                    registry: &committer.registry,
                    known: &known,
                    holds: &holds,
                    lifted: &lifted,
                    taken: &taken,
                    pace: &committer.pace,
                    new_id: &*committer.new_id,
                    apply,
                };
                let mut planned = plan(&planning, &inputs, loaded);
                let changes = std::mem::take(&mut planned.changes);
                #[cfg(feature = "planted-bugs")]
                if let Some(crate::planted::EngineBug::SendBeforeCommit(bus)) = &committer.planted {
                    bus.send(planned.messages.clone());
                }
                (changes, planned)
            }
        };
        hit(Point::ORCHESTRATOR_BEFORE_COMMIT);
        let (_, planned) = commit_with(&*self.store, ids.into_iter().collect(), decide).await?;
        hit(Point::ORCHESTRATOR_AFTER_COMMIT);
        let mut answered = planned.verdicts.into_iter();
        let verdicts = inputs
            .iter()
            .map(|input| match input {
                Input::Action(..) if in_doubt => {
                    Err(NotSettled::InDoubt("the connection was lost at commit".to_owned()))
                }
                _ => match answered.next().unwrap_or_else(|| Err(NotSettled::Poisoned("no verdict".to_owned()))) {
                    Ok(outcome) if outcome.moved() => Ok(outcome),
                    // Its row was not read, so that nothing but a move is certain. It comes again.
                    _ if input.loads().is_some_and(|id| known.contains_key(&id)) => {
                        Err(NotSettled::Contended("decided on a value that may be old".to_owned()))
                    }
                    verdict => verdict,
                },
            })
            .collect();
        Ok(BatchOutcome { verdicts, moved: planned.moved, messages: planned.messages, store_away: false })
    }
}

fn start_keys(inputs: &[Input]) -> Vec<StartKey> {
    inputs
        .iter()
        .filter_map(|input| match input {
            Input::Start(start) => Some(start.keys.iter().copied()),
            Input::Reply(..) | Input::Wake(_) | Input::Action(..) => None,
        })
        .flatten()
        .collect()
}

fn is_own(inputs: &[Input], id: SagaId) -> bool {
    inputs.iter().any(|input| matches!(input, Input::Start(start) if start.id == id))
}

/// Whether nothing else can be written before it is back.
fn is_away(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(_) | StoreError::UnknownOutcome(_))
}

fn verdict_of(error: &StoreError) -> Verdict {
    Err(match error {
        StoreError::Unavailable(why) => NotSettled::Unavailable(why.clone()),
        StoreError::Conflict(why) => NotSettled::Contended(why.clone()),
        StoreError::HoldLifted(_) => NotSettled::Contended("holds come and go".to_owned()),
        StoreError::UnknownOutcome(why) => NotSettled::InDoubt(why.clone()),
        StoreError::DuplicateKey => NotSettled::Contended("start keys are contended".to_owned()),
        StoreError::RequestTaken => return Ok(InputOutcome::Action(ActionOutcome::RequestTaken)),
        StoreError::Refused(why) => NotSettled::Poisoned(why.clone()),
        StoreError::Unreadable(why) => NotSettled::Unreadable(why.clone()),
    })
}
