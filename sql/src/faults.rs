//! A place for faults around a database's work: simulators strike here, production leaves it empty.

use crate::error::SqlError;
use futures_util::future::BoxFuture;
use std::fmt;

/// Where a fault can strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Before a read outside any transaction.
    Read,
    /// Before a transaction begins: an error here means that nothing was written, whatever it says.
    Begin,
    /// After a transaction has committed: an error here takes the place of its answer.
    Committed,
}

/// Decides about faults. A future that never ends is a process that died at this point.
pub trait Faults: Send + Sync + fmt::Debug + 'static {
    /// Asked at every point.
    fn at(&self, point: Point) -> BoxFuture<'static, Result<(), SqlError>>;
}
