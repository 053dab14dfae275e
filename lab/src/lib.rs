//! What Baton promises, as programs: checkers, and the simulator and the storm that give them something to check.
//!
//! [`audit`] holds the promises up against what the services and the payment provider say. [`sim`] runs the whole of
//! Baton in one thread and virtual time, with faults drawn from a seed. [`proxy`] does to connections what networks do.
//! [`storm`] runs the real processes under load and faults. [`report`] draws what happened.

pub mod audit;
pub mod proxy;
pub mod report;
pub mod sim;
pub mod storm;
