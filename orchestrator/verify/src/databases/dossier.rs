//! All that the databases hold about one saga: plain values, no sockets, so that a test can plant any lie.

use crate::evidence::LedgerPayment;
use baton_orchestrator::store::{Holder, Record as SagaRow};
use baton_order::order::Order;
use prost::Message as _;
use saga_core::event::JournalRecord;
use saga_core::saga::{CommandId, Direction, SagaId};
use shop_proto::order::v1::OrderSagaInput;
use std::collections::BTreeMap;

/// A row as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Found<T> {
    /// There is none.
    #[default]
    Missing,
    /// There is one that cannot be read, and why.
    Damaged(String),
    /// There is one.
    Row(T),
}

impl<T> Found<T> {
    /// The row, if it is there and readable.
    #[must_use]
    pub fn row(&self) -> Option<&T> {
        match self {
            Self::Row(row) => Some(row),
            Self::Missing | Self::Damaged(_) => None,
        }
    }
}

/// One journal entry; `version` and `at` (microseconds) as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRow {
    /// The saga's version after it.
    pub version: i64,
    /// The time of the move.
    pub at: i64,
    /// What happened, or why it cannot be read.
    pub record: Result<JournalRecord, String>,
}

/// One row of a participant's ledger: a command answered for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The step, as stored.
    pub step: i64,
    /// 1 for an action, 2 for an undo.
    pub direction: i64,
    /// 1 for succeeded, 2 for rejected.
    pub outcome: i64,
    /// The attempt that brought the answer; 0 for a tombstone.
    pub attempt: i64,
    /// Why it was rejected, or empty.
    pub reason: String,
    /// When, microseconds by the participant's clock.
    pub created_at: i64,
}

impl Effect {
    /// The half it answers, if it is one.
    #[must_use]
    pub fn half(&self) -> Option<Direction> {
        match self.direction {
            1 => Some(Direction::Action),
            2 => Some(Direction::Undo),
            _ => None,
        }
    }

    /// True if the command was done.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.outcome == 1
    }
}

/// One reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Item id.
    pub item: String,
    /// The order's number, lower-case UUID.
    pub order: String,
    /// Units.
    pub quantity: i64,
    /// 1 for held, 2 for released.
    pub state: i64,
}

impl Hold {
    /// True if it holds stock.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.state == 1
    }
}

/// A payment that a saga took at the payment participant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The provider's id.
    pub payment: String,
    /// The order's number.
    pub order: String,
    /// The one saga.
    pub saga: SagaId,
    /// ISO 4217.
    pub currency: String,
    /// Minor units.
    pub amount: i64,
    /// 1 claimed, 2 refunded, 3 refunding.
    pub state: i64,
}

/// A command in an outbox row that no bus has confirmed yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pending {
    /// The outbox row.
    pub message: uuid::Uuid,
    /// Whose queue it goes to.
    pub participant: String,
    /// The command.
    pub command: CommandId,
    /// The attempt.
    pub attempt: u32,
}

/// All that is known of one saga. Parts whose database was not given are empty: see [`super::pages::Coverage`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dossier {
    /// Which saga.
    pub id: SagaId,
    /// Its row.
    pub saga: Found<SagaRow>,
    /// The state, as stored, in which retention met it and deleted it.
    pub forgotten: Option<i64>,
    /// Its journal, by version.
    pub journal: Vec<JournalRow>,
    /// Its rows in each participant's ledger.
    pub effects: BTreeMap<String, Vec<Effect>>,
    /// Its commands that wait in the outbox.
    pub pending: Vec<Pending>,
    /// Who holds the start key of its business key, if anybody does.
    pub start_key: Option<Holder>,
    /// The order it is about.
    pub order: Found<Order>,
    /// Its reservations.
    pub holds: Vec<Hold>,
    /// The row of the payment that its input names, whoever holds it.
    pub claim: Found<Claim>,
    /// True if it has closed itself for claims at the payment participant.
    pub closed: bool,
    /// Payments made under its order's number, by the provider's own ledger.
    pub paid: Vec<LedgerPayment>,
}

impl Dossier {
    /// One about which nothing is known yet.
    #[must_use]
    pub fn new(id: SagaId) -> Self {
        Self {
            id,
            saga: Found::Missing,
            forgotten: None,
            journal: Vec::new(),
            effects: BTreeMap::new(),
            pending: Vec::new(),
            start_key: None,
            order: Found::Missing,
            holds: Vec::new(),
            claim: Found::Missing,
            closed: false,
            paid: Vec::new(),
        }
    }

    /// The input, if it is an order saga's.
    #[must_use]
    pub fn order_input(&self) -> Option<OrderSagaInput> {
        let saga = &self.saga.row()?.saga;
        (saga.definition.name == baton_shop::saga::NAME)
            .then(|| OrderSagaInput::decode(saga.input.clone()).ok())
            .flatten()
    }

    /// All ledger rows of one half-step, with the participants that hold them.
    pub fn effects_of(&self, step: u8, direction: Direction) -> impl Iterator<Item = (&str, &Effect)> {
        self.effects.iter().flat_map(move |(name, effects)| {
            let wanted = move |effect: &&Effect| effect.step == i64::from(step) && effect.half() == Some(direction);
            effects.iter().filter(wanted).map(move |effect| (name.as_str(), effect))
        })
    }
}
