//! What Baton promises, as programs: checkers, and the storm that gives them something to check.
//!
//! [`audit`] holds the promises up against what the services and the payment provider say. [`proxy`] does to connections
//! what networks do. [`storm`] runs the real processes under load and faults. [`report`] draws what happened.

pub mod audit;
pub mod proxy;
pub mod report;
pub mod storm;
