//! The stock participant: items, their prices and their stock.
//!
//! | module | what it holds |
//! |---|---|
//! | [`item`] | an item, and its row |
//! | [`reservation`] | stock held for an order, and its row |
//! | [`command`] | the commands' payloads, parsed |
//! | [`shelf`] | what commands do to the items of a batch: pure |
//! | [`participant`] | batches of commands, each touched item written once |
//! | [`catalogue`] | creating and restocking items |
//! | [`service`] | `shop.stock.v1.ItemService` |

pub mod catalogue;
pub mod command;
pub mod item;
pub mod participant;
pub mod reservation;
pub mod service;
pub mod shelf;
