//! Defects of the simulated adapters: what a real store, bus or gateway could get wrong below the code under test.

/// A defect of an adapter. None of them is ever on in a run that is not about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdapterBug {
    /// Whatever is published counts as taken over.
    BelievesUnconfirmed,
    /// A consumer's stream ends, and nobody notices.
    StreamEndsSilently,
    /// The store reads without a lock and writes without comparing versions.
    LostUpdate,
    /// A transaction's writes are dropped although its COMMIT was answered.
    DroppedBegin,
    /// A lost COMMIT answer is taken for success.
    UnknownIsSuccess,
    /// A lost COMMIT answer is taken for failure.
    UnknownIsFailure,
    /// Start keys are not unique.
    StartKeysIgnored,
    /// When a saga is to be looked at is written beside the transaction, and lost with some of them.
    LookForgotten,
    /// A process looks only at sagas that it has moved itself since its start.
    LooksAtItsOwn,
    /// A ledger forgets its answers while their sagas are under way.
    LedgerForgets,
    /// Replies of the journal are not written.
    JournalForgotten,
    /// A refund looks at an old balance and compares none.
    SecondRefund,
}
