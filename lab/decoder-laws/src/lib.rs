//! What must hold of every decoder of bytes from outside, whatever the bytes. One law per decoder, run by the fuzzer and,
//! over the committed corpus and its mutations, by an ordinary test.
//!
//! | module | whose bytes |
//! |---|---|
//! | [`commands`], [`replies`] | messages of the broker, as participants and orchestrator read them |
//! | [`payloads`] | the business messages inside: saga inputs and commands' payloads |
//! | [`sagas`], [`journals`], [`ledgers`] | stored rows and blobs, which outlive builds and may be damaged |
//! | [`pages`], [`requests`] | what gRPC callers send |
//! | [`web`] | HTTP requests |
//! | [`configuration`] | files and environment |
//! | [`provider`], [`sandbox`] | HTTP answers of the payment provider, and requests to the sandbox |
//! | [`histories`], [`streams`] | what clients wrote down, hints from Redis, a client's words to MariaDB |
//!
//! A law panics where it is broken. [`LAWS`] lists them; `lab/fuzz/` has one target for each, under the same name.

pub mod commands;
pub mod configuration;
pub mod histories;
mod input;
pub mod journals;
pub mod ledgers;
pub mod pages;
pub mod payloads;
pub mod provider;
pub mod replies;
pub mod requests;
pub mod sagas;
pub mod sandbox;
pub mod streams;
pub mod web;

/// A law: panics if the bytes show that it is broken.
pub type Law = fn(&[u8]);

/// Every law by the name of its fuzz target and of its directory in `lab/fuzz/corpus`.
pub const LAWS: &[(&str, Law)] = &[
    ("commands", commands::check),
    ("configuration", configuration::check),
    ("histories", histories::check),
    ("journals", journals::check),
    ("ledgers", ledgers::check),
    ("pages", pages::check),
    ("payloads", payloads::check),
    ("provider", provider::check),
    ("replies", replies::check),
    ("requests", requests::check),
    ("sagas", sagas::check),
    ("sandbox", sandbox::check),
    ("streams", streams::check),
    ("web", web::check),
];
