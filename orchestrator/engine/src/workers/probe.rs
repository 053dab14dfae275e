//! Asks participants what they know of a command before it is repeated.

use async_trait::async_trait;
use saga_core::event::Reply;
use saga_core::saga::{CommandId, SagaId};
use std::fmt;

/// Keys one probe asks about at most; the participant's own bound.
pub const MAX_KEYS: usize = 256;

/// What a participant's ledger knows.
#[async_trait]
pub trait Probe: Send + Sync + fmt::Debug + 'static {
    /// The stored answers to some commands, at most [`MAX_KEYS`]; those not known are left out. `None` if the participant
    /// cannot be asked.
    async fn ask(&self, participant: &str, commands: &[CommandId]) -> Option<Vec<(SagaId, Reply)>>;

    /// Ok if the participant serves right now; otherwise why not, for people. Callers bound the time.
    async fn healthy(&self, _participant: &str) -> Result<(), String> {
        Err("it cannot be asked".to_owned())
    }
}

/// Reaches nobody, so that every due command is repeated.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProbe;

#[async_trait]
impl Probe for NoProbe {
    async fn ask(&self, _participant: &str, _commands: &[CommandId]) -> Option<Vec<(SagaId, Reply)>> {
        None
    }
}
