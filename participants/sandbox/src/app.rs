//! The state that all handlers share.

use crate::faults::Faults;
use crate::ledger::Ledger;
use crate::token::Tokens;
use secrecy::SecretString;
use std::sync::Arc;

/// What every handler sees.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) ledger: Ledger,
    pub(crate) faults: Arc<Faults>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) imp_key: Arc<SecretString>,
    pub(crate) imp_secret: Arc<SecretString>,
}
