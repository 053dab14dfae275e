//! The integration tests of `baton-console`: one binary, so that they link once and share their servers.

mod errors_doc;
mod made_up;
mod openapi;
mod page;
mod routes;
mod support;
mod transcode;
mod users_own;
