//! The integration tests of `baton-query`: one binary, so that they link once and share their servers.

mod acts;
mod compat;
mod doc;
mod explain;
mod explain_text;
mod failure;
mod filter;
mod filter_sql;
mod skips;
mod support;
mod timeline;
