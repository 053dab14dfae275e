//! Checkers: what Baton promises, as programs.
//!
//! [`audit`] holds the promises up against what the services and the payment provider say.

pub mod audit;
