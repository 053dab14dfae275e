//! What clients hear.

use saga_core::saga::SagaId;
use shop_proto::order::v1::OrderState;

/// What a call came to, as the client heard it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAnswer {
    /// OK: this saga, and its end if it has one already.
    Ok(SagaId, Option<OrderState>),
    /// Refused for good: the reason.
    Conflict(String),
    /// Nothing was started: the reason.
    NotStarted(String),
    /// Nobody knows.
    Unknown,
    /// A defect: the server says so itself.
    Internal(String),
}
