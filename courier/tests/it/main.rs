//! The integration tests of `baton-courier`: one binary, so that they link once and share their servers.

mod grpc;
mod local;
mod rabbitmq;
