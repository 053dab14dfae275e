//! The integration tests of `baton-payment`: one binary, so that they link once and share their servers.

mod budget;
mod commands;
mod gateway;
mod not_yet;
mod reconcile;
mod secrets;
mod stage;
mod throttle;
