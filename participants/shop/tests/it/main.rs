//! The integration tests of `baton-shop`.

mod errors_doc;
mod saga;
