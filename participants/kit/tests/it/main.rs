//! The integration tests of `baton-participant-kit`: one binary, so that they link once and share their servers.

mod grpc;
mod laws;
mod planted;
mod support;
mod under_way;
mod wire_doc;
mod worker;
