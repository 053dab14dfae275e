//! Who decides what goes wrong: asked at every place where the world touches a process.

use super::life::{Role, Us};
use baton_courier::bus::Destination;
use baton_participant_kit::participant::CommandKey;

/// A place where something can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The orchestrator's transaction, decided but not committed.
    CommitBefore,
    /// The orchestrator's transaction, committed but not answered.
    CommitAfter,
    /// A read of the orchestrator's store.
    StoreRead,
    /// Messages about to be sent or published.
    SendBefore,
    /// Messages on their way; of published ones the confirm is not yet heard.
    SendAfter,
    /// A delivery about to be acknowledged.
    AckBefore,
    /// A delivery acknowledged.
    AckAfter,
    /// A participant's transaction before it begins.
    EffectBefore,
    /// A participant's transaction, committed but not answered.
    EffectAfter,
    /// A participant's read outside a transaction.
    EffectRead,
    /// A transaction of operators' work before it begins.
    OperationsBefore,
    /// A transaction of operators' work, committed but not answered.
    OperationsAfter,
    /// A read of operators' work.
    OperationsRead,
    /// Somebody is told of a stuck saga.
    Webhook,
}

/// What happens at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing.
    Go,
    /// The process dies here.
    Crash,
    /// The database is away: nothing is done, and known not to be.
    Unavailable,
    /// The database cannot settle a conflict: nothing is done.
    Conflict,
    /// The answer is lost: before, nothing was done; after, everything was.
    Unknown,
    /// An acknowledgement that does not arrive.
    Lost,
}

/// How a message travels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Travel {
    /// One delay for each copy that arrives, microseconds; empty if the message is lost.
    pub copies: Vec<Us>,
    /// When whoever published it hears that it was taken over, microseconds; `None` if it never does. Who only sends hears
    /// nothing.
    pub confirm: Option<Us>,
}

/// How a call to the payment provider goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderCall {
    /// How long it takes, microseconds.
    pub takes: Us,
    /// What becomes of it.
    pub fate: CallFate,
}

/// What becomes of a call to the payment provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFate {
    /// Answered.
    Answered,
    /// Refused with a server error; nothing was done.
    Refused,
    /// Done, but the answer is lost.
    DoneUnanswered,
    /// Not done, and nobody knows.
    NotDoneUnanswered,
}

/// Decides. The random one is [`super::swarm::Swarm`], the exhaustive one [`super::matrix::script::Script`].
pub trait Adversary: Send {
    /// True if it wants to know which commands a place is about.
    fn wants_keys(&self) -> bool {
        false
    }
    /// Deliveries were handed to a process; only told to those who want keys.
    fn handed(&mut self, _process: usize, _role: Role, _keys: &[CommandKey]) {}
    /// What happens at a place.
    fn at(&mut self, now: Us, process: usize, role: Role, place: Place, keys: &[CommandKey]) -> Fate;
    /// How a message travels.
    fn travel(&mut self, now: Us, destination: &Destination, keys: &[CommandKey]) -> Travel;
    /// How a call to the provider goes.
    fn call(&mut self, now: Us) -> ProviderCall;
    /// True if a probe is answered.
    fn probe(&mut self, now: Us) -> bool;
    /// True if a hint arrives.
    fn hint(&mut self) -> bool;
    /// A number below `bound`, for choices that are no faults.
    fn choose(&mut self, bound: u64) -> u64;
    /// A fault that strikes by the clock has struck; if it lasts, until then.
    fn outage(&mut self, _kind: &'static str, _until: Us) {}
    /// Ends all faults.
    fn heal(&mut self);
    /// Faults so far, by kind.
    fn counts(&self) -> std::collections::BTreeMap<&'static str, u64>;
}
