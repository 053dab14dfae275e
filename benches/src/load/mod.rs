//! Load on a door: one call and its outcome, closed and open loops, and what they count.

pub mod call;
pub mod closed;
pub mod open;
pub mod tally;
