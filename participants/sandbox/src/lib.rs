//! A sandbox payment provider: an independent HTTP server that speaks the PortOne (Iamport) V1 REST API over a ledger of
//! its own, with faults on request. It contains no code and no marks of PortOne.
//!
//! - [`server`]: start it on a listener, or take its router.
//! - `api`: the calls of the real API; `control`: what the real API does not have, all under `/_sandbox`;
//!   `lists`: those calls that answer with pages; `guard`: no page of another site does it.
//! - [`ledger`]: payments, cancellations and append-only entries; every change is one durable transaction, so a killed
//!   provider comes back with everything it ever answered for.
//! - [`search`]: payments by number, status and time, in an order.
//! - [`faults`]: what goes wrong on request.
//! - [`amount`], [`envelope`], [`fields`], [`payment`], `query`: the API's notation.

pub mod amount;
mod api;
mod app;
mod control;
pub mod envelope;
mod fault;
pub mod faults;
pub mod fields;
mod guard;
pub mod ledger;
mod line;
mod lists;
pub mod payment;
mod query;
mod record;
mod refund;
mod row;
mod schema;
pub mod search;
pub mod server;
mod token;
