//! How fast what was killed moves again.

use super::cluster::Cluster;
use super::voice::Voice;
use crate::report::model::Figure;
use anyhow::Result;
use std::sync::Arc;

/// Measures.
///
/// # Errors
/// x
pub async fn measure(_cluster: &Arc<Cluster>, _seed: u64, _voice: Voice) -> Result<Vec<Figure>> {
    Ok(Vec::new())
}
