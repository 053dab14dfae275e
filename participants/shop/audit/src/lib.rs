//! The shop's part of the audit: orders, payments, stock and money, as a domain beside the engine's own promises.
//!
//! [`evidence`] is what it looks at, [`laws`] its promises. [`databases`] reads the tables of its services and the
//! provider's ledger, [`provider`] copies that ledger over HTTP, [`outside`] asks as any client can.

mod at_large;
pub mod databases;
pub mod evidence;
pub mod laws;
pub mod outside;
pub mod provider;
mod tables;

/// The participant whose table `orders` is read.
pub const ORDER: &str = "order";
/// The participant whose tables `payment` and `payment_closed` are read.
pub const PAYMENT: &str = "payment";
/// The participant whose tables `item`, `reservation` and `restock` are read.
pub const STOCK: &str = "stock";
