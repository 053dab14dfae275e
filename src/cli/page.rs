//! How much of a list.

use clap::Args;

/// A page of a list.
#[derive(Args, Clone, Debug)]
pub struct Page {
    /// At most this many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
}
