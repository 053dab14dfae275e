//! What could be wrong with operations, put in on purpose by those who show that it is noticed.

/// Something wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// A job is created without its audit entry.
    ActNotAudited,
    /// What is released again is written into the audit's newest entry in place of one of its own.
    AuditRewritten,
    /// Holds are forgotten by whoever reads them.
    HoldsUnread,
    /// What a hold has paused is forgotten when it is released.
    MarksForgotten,
    /// A page is begun without its sagas.
    PageForgotten,
    /// A page is counted by whoever asks, however often.
    PageCountedAgain,
    /// A job is done with its first page.
    EndsTooEarly,
    /// A letter is said to be sent again and is not.
    ReplayOnlySaid,
    /// A second letter with the same body as one that waits is taken for it.
    LettersConfused,
}
