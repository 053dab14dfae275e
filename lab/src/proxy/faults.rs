//! What can be wrong with a connection.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

/// All faults of a proxy at one time. The default is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// From client to server.
    pub up: DirectionFaults,
    /// From server to client.
    pub down: DirectionFaults,
    /// New connections are reset.
    pub refuse: bool,
    /// A connection is reset once this many bytes more have passed in one direction.
    pub cut_after: Option<NonZeroU64>,
    /// The end of one side's stream reaches the other so much later.
    pub slow_close: Duration,
    /// Connections are reset around a COMMIT.
    pub commit: Option<CommitFault>,
}

/// One direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectionFaults {
    /// Every byte comes so much later.
    pub latency: Duration,
    /// And up to so much later than that; the order is kept.
    pub jitter: Duration,
    /// Bytes in a second.
    pub rate: Option<NonZeroU64>,
    /// Whether bytes pass at all.
    pub gate: Gate,
    /// Bits are flipped.
    pub flip: Option<Flip>,
}

/// Whether bytes pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gate {
    /// They do.
    #[default]
    Open,
    /// They wait, as behind a broken route: TCP repeats them, and they arrive when it is mended.
    Hold,
    /// They are gone, and with them the connection, once the gate opens. Until then each side believes that it spoke.
    Lose,
}

/// Bits that turn over on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flip {
    /// On average one bit in so many bytes.
    pub one_in: NonZeroU32,
    /// Only among the first so many bytes of a connection: the handshake, which no protocol takes for data.
    pub first: u64,
}

/// A connection that ends around a COMMIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitFault {
    /// On which side of it.
    pub cut: CommitCut,
    /// One COMMIT in so many.
    pub one_in: NonZeroU32,
}

/// On which side of a COMMIT a connection ends. The client sees the same each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitCut {
    /// The server never hears it.
    Before,
    /// The server has done it, its answer is lost.
    Unanswered,
}

impl Faults {
    /// Both directions alike.
    #[must_use]
    pub fn both(side: DirectionFaults) -> Self {
        Self { up: side.clone(), down: side, ..Self::default() }
    }

    /// Both directions late, by 50 to 100 % of `most`.
    #[must_use]
    pub fn latency(most: Duration) -> Self {
        Self::both(DirectionFaults { latency: most / 2, jitter: most / 2, ..DirectionFaults::default() })
    }

    /// Both directions limited to so many bytes in a second.
    #[must_use]
    pub fn rate(bytes: NonZeroU64) -> Self {
        Self::both(DirectionFaults { rate: Some(bytes), ..DirectionFaults::default() })
    }

    /// Nothing passes, nothing is told: a cable pulled out.
    #[must_use]
    pub fn half_open() -> Self {
        Self::both(DirectionFaults::gate(Gate::Hold))
    }
}

impl DirectionFaults {
    /// Only the gate.
    #[must_use]
    pub fn gate(gate: Gate) -> Self {
        Self { gate, ..Self::default() }
    }
}
