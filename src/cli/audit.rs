//! `baton audit`.

use crate::cli::Page;
use clap::Subcommand;

/// `baton audit`.
#[derive(Clone, Debug, Subcommand)]
pub enum Audit {
    /// List what operators did, newest first; `baton verify --audit` checks that nobody has changed it since
    List {
        /// Only acts on this, for example sagas/018f...
        #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
        subject: String,
        /// Only acts of this person
        #[arg(long, value_name = "WHO", default_value = "", hide_default_value = true)]
        actor: String,
        /// How many.
        #[command(flatten)]
        page: Page,
    },
}
