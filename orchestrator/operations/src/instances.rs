//! Which orchestrators there are, and what they did lately: each beats into the database, and any can tell of all. One that
//! stops in order leaves; one that was killed leaves nothing behind once another start has taken its place.

use async_trait::async_trait;
use baton_engine::stats::Beat;
use baton_engine::store::StoreError;
use saga_core::time::Micros;
use std::fmt;
use std::time::Duration;
use uuid::Uuid;

/// How long a sample is kept.
pub const SAMPLES_KEPT: Duration = Duration::from_secs(5 * 60);

/// How long an orchestrator that is not heard of, and whose place nobody takes, stays listed.
pub const INSTANCES_KEPT: Duration = Duration::from_secs(10 * 60);

/// How long an earlier start at the same address must be silent to have been replaced: longer than the pause between two of
/// its beats, and shorter than what makes it look like a failure, so that a restart never does.
pub(super) const REPLACED: Duration = Duration::from_secs(7);

/// Bytes of an address that are kept.
const MAX_ADDRESS: usize = 255;

/// Rows that are read at most: five minutes of a hundred orchestrators.
pub(super) const MOST: u32 = 10_000;

/// The orchestrator that beats, as it tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// Made anew at each start.
    pub id: Uuid,
    /// Its place, which only one process has at a time: whoever has it next has replaced this one. Empty if that is not known;
    /// beyond 255 bytes it is cut.
    pub address: String,
    /// Its build.
    pub version: &'static str,
}

impl Own {
    /// What is kept of its address.
    #[must_use]
    pub fn kept_address(&self) -> &str {
        &self.address[..self.address.floor_char_boundary(MAX_ADDRESS)]
    }
}

/// An orchestrator that was heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Made anew at each start.
    pub id: Uuid,
    /// When it was last heard of.
    pub seen_at: Micros,
    /// Its build.
    pub version: String,
}

/// What one orchestrator did during one stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Where the stretch begins: a multiple of its length, so that those of several orchestrators fall together.
    pub at: Micros,
    /// What it counted.
    pub beat: Beat,
    /// Sagas under way in the store, as it last counted them.
    pub under_way: u64,
}

/// Orchestrators and their samples. Nothing depends on them but pictures.
#[async_trait]
pub trait InstanceStore: Send + Sync + fmt::Debug + 'static {
    /// Notes that an orchestrator lives and what it did, and forgets what is too old. A crash leaves it listed until it is
    /// old or replaced; a beat that is lost leaves a gap in the picture.
    async fn beat(&self, own: &Own, sample: Sample) -> Result<(), StoreError>;

    /// Notes that an orchestrator stopped in order. What it did stays in the picture.
    async fn leave(&self, id: Uuid) -> Result<(), StoreError>;

    /// Orchestrators that were heard of lately, by id.
    async fn instances(&self) -> Result<Vec<Instance>, StoreError>;

    /// What all of them did lately, oldest first.
    async fn samples(&self) -> Result<Vec<Sample>, StoreError>;
}
