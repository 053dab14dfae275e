//! The last overview, kept for whoever asks next.

use baton_proto::baton::saga::v1 as wire;
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// The last answer. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Memo(pub(super) Arc<Mutex<Option<(Instant, wire::GetOverviewResponse)>>>);
