//! exhaust.
