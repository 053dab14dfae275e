//! How the installation is doing. Asked by every page that is open, so an answer serves all who ask within a second.

mod concerns;
mod gathered;
pub mod memo;

use crate::api::admin::overview::memo::Memo;
use crate::api::lookup::Lookup;
use baton_courier::bus::CommandBus;
use baton_engine::workers::probe::Probe;
use baton_operations::Operations;
use baton_proto::baton::saga::v1 as wire;
use std::time::Duration;
use tokio::time::Instant;
use tonic::Status;

/// How long an answer is good enough.
const FRESH: Duration = Duration::from_secs(1);

/// How the installation is doing.
pub struct Overview<'a> {
    pub(in crate::api) lookup: Lookup<'a>,
    pub(in crate::api) operations: Option<&'a Operations>,
    pub(in crate::api) bus: &'a dyn CommandBus,
    pub(in crate::api) probe: &'a dyn Probe,
    pub(in crate::api) memo: &'a Memo,
}

impl Overview<'_> {
    pub(super) async fn overview(
        &self,
        _request: &wire::GetOverviewRequest,
    ) -> Result<wire::GetOverviewResponse, Status> {
        // Whoever comes while it is made waits for it instead of making another.
        let mut last = self.memo.0.lock().await;
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
