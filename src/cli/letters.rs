//! `baton dead-letters`.

use crate::cli::Page;
use clap::{Args, Subcommand, ValueEnum};
use uuid::Uuid;

/// A decision about one dead letter.
#[derive(Args, Clone, Debug)]
pub struct Decide {
    /// Its id
    pub letter: String,
    /// Why; kept in the audit
    #[arg(long, value_name = "WHY")]
    pub reason: String,
    /// Who; kept in the audit [default: your user name]
    #[arg(long, value_name = "WHO", env = "BATON_ACTOR")]
    pub actor: Option<String>,
    /// Makes a repetition harmless [default: a new one]
    #[arg(long)]
    pub request_id: Option<Uuid>,
}

/// What became of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LetterStateArg {
    /// Waits for an operator
    Waiting,
    /// Sent again
    Replayed,
    /// Given up
    Dropped,
}

/// `baton dead-letters`.
#[derive(Clone, Debug, Subcommand)]
pub enum DeadLetters {
    /// List dead letters, newest first
    List {
        /// Only those
        #[arg(long, value_enum)]
        state: Option<LetterStateArg>,
        /// How many.
        #[command(flatten)]
        page: Page,
    },
    /// Show one with what it says, secret and personal fields taken out
    Get {
        /// Its id
        letter: String,
    },
    /// Send one again, to where it was meant to go
    Replay(Decide),
    /// Give one up
    Drop(Decide),
}
