//! Every stable reason the orchestrator's services give, beside those of the shared validators.

use baton_engine::store::StoreError;
use baton_rpc::errors::{RETRY_AFTER, retry_later, status};
use tonic::{Code, Status};

/// `ErrorInfo.reason` of the orchestrator's own errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SagaReason {
    /// There is no such saga.
    SagaNotFound,
    /// No registered definition has this name.
    DefinitionUnknown,
    /// The input is longer than 64 KiB.
    InputTooLarge,
    /// The request id was used before with other content.
    RequestIdReused,
    /// The request was carried out before, and its saga has been forgotten since it ended.
    SagaForgotten,
    /// Another saga has the business key, which only one may ever have.
    BusinessKeyTaken,
    /// As many starts wait as may wait, or as many sagas are under way as may be.
    Overloaded,
    /// The orchestrator is shutting down; another one serves.
    ShuttingDown,
    /// The store is away; nothing was written.
    StoreUnavailable,
    /// The store was lost at commit: repeat with the same request id to learn the outcome.
    OutcomeUnknown,
    /// The call's deadline has passed; nothing was started.
    DeadlineExceeded,
    /// The saga's row does not decode, or its definition is unknown to this build.
    SagaUnreadable,
    /// The saga is at another version than the action is for.
    VersionMismatch,
    /// The action breaks a rule of the state machine.
    ActionRefused,
    /// There is no such dead letter.
    DeadLetterNotFound,
    /// The dead letter does not wait any more.
    DeadLetterDecided,
    /// The dead letter is longer than the bus carries.
    DeadLetterTooLarge,
    /// There is no such job.
    JobNotFound,
    /// The job has ended.
    JobEnded,
    /// As many jobs are running or paused as may be.
    TooManyJobs,
    /// There is no such hold.
    HoldNotFound,
    /// The definition is held: no saga of it is started.
    DefinitionHeld,
    /// A participant cannot be reached.
    ParticipantUnavailable,
    /// Who kills and revives on purpose cannot be reached.
    SupervisorUnavailable,
    /// A defect of this server; its log has the cause.
    Internal,
}

impl SagaReason {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 25] = [
        Self::SagaNotFound,
        Self::DefinitionUnknown,
        Self::InputTooLarge,
        Self::RequestIdReused,
        Self::SagaForgotten,
        Self::BusinessKeyTaken,
        Self::Overloaded,
        Self::ShuttingDown,
        Self::StoreUnavailable,
        Self::OutcomeUnknown,
        Self::DeadlineExceeded,
        Self::SagaUnreadable,
        Self::VersionMismatch,
        Self::ActionRefused,
        Self::DeadLetterNotFound,
        Self::DeadLetterDecided,
        Self::DeadLetterTooLarge,
        Self::JobNotFound,
        Self::JobEnded,
        Self::TooManyJobs,
        Self::HoldNotFound,
        Self::DefinitionHeld,
        Self::ParticipantUnavailable,
        Self::SupervisorUnavailable,
        Self::Internal,
    ];

    /// UPPER_SNAKE, stable for ever.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SagaNotFound => "SAGA_NOT_FOUND",
            Self::DefinitionUnknown => "DEFINITION_UNKNOWN",
            Self::InputTooLarge => "INPUT_TOO_LARGE",
            Self::RequestIdReused => "REQUEST_ID_REUSED",
            Self::SagaForgotten => "SAGA_FORGOTTEN",
            Self::BusinessKeyTaken => "BUSINESS_KEY_TAKEN",
            Self::Overloaded => "OVERLOADED",
            Self::ShuttingDown => "SHUTTING_DOWN",
            Self::StoreUnavailable => "STORE_UNAVAILABLE",
            Self::OutcomeUnknown => "OUTCOME_UNKNOWN",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::SagaUnreadable => "SAGA_UNREADABLE",
            Self::VersionMismatch => "VERSION_MISMATCH",
            Self::ActionRefused => "ACTION_REFUSED",
            Self::DeadLetterNotFound => "DEAD_LETTER_NOT_FOUND",
            Self::DeadLetterDecided => "DEAD_LETTER_DECIDED",
            Self::DeadLetterTooLarge => "DEAD_LETTER_TOO_LARGE",
            Self::JobNotFound => "JOB_NOT_FOUND",
            Self::JobEnded => "JOB_ENDED",
            Self::TooManyJobs => "TOO_MANY_JOBS",
            Self::HoldNotFound => "HOLD_NOT_FOUND",
            Self::DefinitionHeld => "DEFINITION_HELD",
            Self::ParticipantUnavailable => "PARTICIPANT_UNAVAILABLE",
            Self::SupervisorUnavailable => "SUPERVISOR_UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }

    /// One sentence for the documentation.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::SagaNotFound => "There is no such saga (any more).",
            Self::DefinitionUnknown => "No registered definition has this name.",
            Self::InputTooLarge => "The input is longer than 64 KiB.",
            Self::RequestIdReused => "The request id was used before with other content.",
            Self::SagaForgotten => {
                "The request was carried out before; its saga ended, and retention has deleted it. Nothing was started."
            }
            Self::BusinessKeyTaken => "Another request's saga has the business key, which only one may ever have.",
            Self::Overloaded => "As many starts wait as may wait, or as many sagas are under way as may be. Retry.",
            Self::ShuttingDown => "The orchestrator is shutting down; another one serves. Retry.",
            Self::StoreUnavailable => "The store is away; nothing was written. Retry.",
            Self::OutcomeUnknown => {
                "The store was lost at commit. Repeat with the same request id, or version, to learn the outcome."
            }
            Self::DeadlineExceeded => "The call's deadline has passed; nothing was started.",
            Self::SagaUnreadable => "The saga's row does not decode, or its definition is unknown to this build.",
            Self::VersionMismatch => {
                "The saga is at another version than the action is for; ErrorInfo has the current one."
            }
            Self::ActionRefused => "The action is not legal in the saga's state; PreconditionFailure has the rule.",
            Self::DeadLetterNotFound => "There is no such dead letter (any more).",
            Self::DeadLetterDecided => "The dead letter was replayed or dropped before.",
            Self::DeadLetterTooLarge => "The dead letter is longer than 256 KiB and cannot be sent again.",
            Self::JobNotFound => "There is no such job.",
            Self::JobEnded => "The job is done or cancelled; nothing changes it any more.",
            Self::TooManyJobs => "100 jobs are running or paused; end one first.",
            Self::HoldNotFound => "There is no such hold (any more).",
            Self::DefinitionHeld => {
                "An operator has halted the definition: no saga of it is started. ErrorInfo has who and why."
            }
            Self::ParticipantUnavailable => {
                "The participant that serves this cannot be reached, or was lost before it answered. Repeat with the same request id."
            }
            Self::SupervisorUnavailable => {
                "The supervisor that kills and revives here cannot be reached, or was lost before it answered. Retry."
            }
            Self::Internal => "A defect of this server; its log has the cause.",
        }
    }

    /// The gRPC code it comes with.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::SagaNotFound
            | Self::DefinitionUnknown
            | Self::DeadLetterNotFound
            | Self::JobNotFound
            | Self::HoldNotFound => Code::NotFound,
            Self::InputTooLarge => Code::InvalidArgument,
            Self::RequestIdReused | Self::SagaForgotten | Self::BusinessKeyTaken => Code::AlreadyExists,
            Self::Overloaded => Code::ResourceExhausted,
            Self::ShuttingDown
            | Self::StoreUnavailable
            | Self::OutcomeUnknown
            | Self::ParticipantUnavailable
            | Self::SupervisorUnavailable => Code::Unavailable,
            Self::DeadlineExceeded => Code::DeadlineExceeded,
            Self::SagaUnreadable
            | Self::ActionRefused
            | Self::DeadLetterDecided
            | Self::DeadLetterTooLarge
            | Self::JobEnded
            | Self::TooManyJobs
            | Self::DefinitionHeld => Code::FailedPrecondition,
            Self::VersionMismatch => Code::Aborted,
            Self::Internal => Code::Internal,
        }
    }

    /// A status; what may be tried again carries `RetryInfo`.
    #[must_use]
    pub fn status(self, message: impl Into<String>) -> Status {
        match self.code() {
            code @ (Code::ResourceExhausted | Code::Unavailable) => {
                retry_later(code, self.as_str(), message, RETRY_AFTER)
            }
            code => status(code, self.as_str(), message),
        }
    }
}

/// What a reader is told when the store fails. The cause goes to the log only.
#[must_use]
pub fn of_store(error: &StoreError) -> Status {
    match error {
        StoreError::Unavailable(_)
        | StoreError::Conflict(_)
        | StoreError::HoldLifted(_)
        | StoreError::UnknownOutcome(_) => {
            tracing::warn!(%error, "store unavailable");
            SagaReason::StoreUnavailable.status("the store is unavailable; try again")
        }
        StoreError::Refused(_) | StoreError::Unreadable(_) | StoreError::DuplicateKey | StoreError::RequestTaken => {
            tracing::error!(%error, "store refused");
            SagaReason::SagaUnreadable.status("the saga cannot be read by this build")
        }
    }
}
