//! What a network can do between two programs.

use super::links::Pair;

/// What a network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetFault {
    /// Late, and unevenly so.
    Latency,
    /// Few bytes a second.
    Rate,
    /// Connections reset every second.
    Reset,
    /// Nothing passes, nothing is told.
    HalfOpen,
    /// What the client says does not arrive.
    OneWayUp,
    /// What the server says does not arrive.
    OneWayDown,
    /// The server's answers are lost for good, and then the connection: deliveries, results.
    LostAnswers,
    /// New connections are refused and old ones reset.
    Refuse,
    /// Open connections are dead and nobody is told; new ones work.
    Strand,
    /// The end of a connection is told late.
    SlowClose,
    /// Connections end after some bytes.
    CutAfterBytes,
    /// Bits turn over in handshakes.
    BitFlip,
    /// Connections end before a COMMIT arrives.
    CommitUnsent,
    /// Connections end after a COMMIT, before its answer.
    CommitUnanswered,
}

impl NetFault {
    const ANY: [Self; 12] = [
        Self::Latency,
        Self::Rate,
        Self::Reset,
        Self::HalfOpen,
        Self::OneWayUp,
        Self::OneWayDown,
        Self::LostAnswers,
        Self::Refuse,
        Self::SlowClose,
        Self::CutAfterBytes,
        Self::BitFlip,
        Self::Strand,
    ];

    /// Those that make sense between a pair.
    #[must_use]
    pub fn between(pair: Pair) -> Vec<Self> {
        let commits = [Self::CommitUnsent, Self::CommitUnanswered].into_iter().filter(|_| pair.is_database());
        // HTTP/1 without TLS has no handshake: the first bytes are a request already, and a bit that turns over in it is
        // another question, honestly answered. That is what TLS is for.
        let any = Self::ANY.into_iter().filter(|fault| pair != Pair::PaymentProvider || *fault != Self::BitFlip);
        any.chain(commits).collect()
    }

    /// As in the names of nemeses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Rate => "rate",
            Self::Reset => "reset",
            Self::HalfOpen => "half-open",
            Self::OneWayUp => "one-way-up",
            Self::OneWayDown => "one-way-down",
            Self::LostAnswers => "lost-answers",
            Self::Refuse => "refuse",
            Self::Strand => "strand",
            Self::SlowClose => "slow-close",
            Self::CutAfterBytes => "cut-after-bytes",
            Self::BitFlip => "bit-flip",
            Self::CommitUnsent => "commit-unsent",
            Self::CommitUnanswered => "commit-unanswered",
        }
    }
}
