//! The simulator: the real engine, workers, kit and handlers in one thread, in virtual time, over a simulated broker,
//! provider and clock, with everything going wrong that a seed says.
//!
//! | module | what it holds |
//! |---|---|
//! | [`rng`] | the simulator's own chance: a seed means the same run for ever |
//! | [`life`], [`stage`], `boot` | processes: a runtime with a paused clock each, killed by dropping it |
//! | `shelf` | databases in memory, used again by the next run |
//! | [`world`], [`broker`], [`bus`], [`link`], [`store`], [`provider`], [`gateway`], [`hints`] | what is outside the processes, behind the seams |
//! | [`adversary`], [`swarm`] | who decides what goes wrong |
//! | [`cast`] | the participants: the order saga's own, or stand-ins |
//! | [`workload`], [`client`], [`answer`] | what customers do, and what they were told |
//! | [`operators`], `kept` | what operators do, and where it is kept |
//! | [`trip`], `effects` | a stranger's saga beside the orders, and what its participants did |
//! | [`run`], [`campaign`], [`shrink`] | one seed, many, and a failing one made small |
//! | [`seen`], `messages`, [`finished_run`], [`verdict`], `operations` | what was seen at the seams, a run at rest, and every check |
//! | [`matrix`] | the crash matrix of any definition |
//! | [`plant`], `planted` | defects on purpose |
//! | [`report`] | tables and stories |

pub mod adversary;
pub mod answer;
mod boot;
pub mod broker;
pub mod bus;
pub mod campaign;
pub mod cast;
pub mod client;
mod effects;
pub mod finished_run;
pub mod gateway;
mod gathered;
pub mod hints;
mod kept;
pub mod life;
pub mod link;
pub mod matrix;
mod messages;
mod operations;
pub mod operators;
pub mod plant;
#[cfg(feature = "planted-bugs")]
pub mod planted;
pub mod provider;
pub mod report;
pub mod rng;
pub mod run;
pub mod seen;
mod shelf;
pub mod shrink;
pub mod stage;
pub mod store;
mod strike;
pub mod swarm;
pub mod trace;
pub mod trip;
pub mod verdict;
pub mod workload;
pub mod world;
