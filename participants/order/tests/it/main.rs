//! The integration tests of `baton-order`: one binary, so that they link once and share their servers.

mod commands;
mod service;
mod support;
