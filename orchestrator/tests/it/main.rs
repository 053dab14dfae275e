//! The integration tests of `baton-orchestrator`: one binary, so that they link once and share their servers.

mod acts;
mod admin;
mod attributes;
mod coord;
mod engine;
mod errors_doc;
mod events;
mod holds;
mod in_doubt;
mod incidents;
mod jobs;
mod known;
mod letters;
mod operations_conformance;
mod overview;
mod payloads;
mod planted;
mod redact;
mod refused;
mod retention;
mod store_conformance;
mod store_golden;
mod store_model;
mod store_relay;
mod support;
mod waker;
