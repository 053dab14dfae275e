//! How the installation is doing. Asked by every page that is open, so an answer serves all who ask within a second.

mod gathered;
pub mod memo;

use crate::api::Api;
use baton_proto::baton::saga::v1 as wire;
use std::time::Duration;
use tokio::time::Instant;
use tonic::Status;

/// How long an answer is good enough.
const FRESH: Duration = Duration::from_secs(1);

impl Api {
    pub(super) async fn overview(
        &self,
        _request: &wire::GetOverviewRequest,
    ) -> Result<wire::GetOverviewResponse, Status> {
        // Whoever comes while it is made waits for it instead of making another.
        let mut last = self.overview.0.lock().await;
        if let Some((at, answer)) = last.as_ref()
            && at.elapsed() < FRESH
        {
            return Ok(answer.clone());
        }
        let answer = self.gathered().await;
        *last = Some((Instant::now(), answer.clone()));
        Ok(answer)
    }
}
