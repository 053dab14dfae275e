//! `baton overview` and `baton definitions`.

use clap::Subcommand;
use std::path::PathBuf;

/// `baton definitions`.
#[derive(Clone, Debug, Subcommand)]
pub enum Definitions {
    /// List the versions there are, and how many sagas of each have not ended
    List,
    /// Show the steps of one version
    Get {
        /// Its name, for example `order`, for the newest version; or `order/2`
        definition: String,
    },
    /// Hold a new version against every saga under way: which could go on under it, which would break, and why
    Check {
        /// File with the definition as JSON, as `baton definitions get NAME -o json` prints it; `-` reads standard input
        file: PathBuf,
    },
}
