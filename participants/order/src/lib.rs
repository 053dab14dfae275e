//! The order participant: what a customer buys and how far that got.
//!
//! | module | what it holds |
//! |---|---|
//! | [`order`] | an order, and its row |
//! | [`command`] | the commands' payloads, parsed |
//! | [`decide`] | what a command does to an order: pure |
//! | [`participant`] | batches of commands in few statements |
//! | [`create`] | creating orders, many in one transaction |
//! | [`service`] | `shop.order.v1.OrderService` |

pub mod command;
pub mod create;
pub mod decide;
pub mod order;
pub mod participant;
pub mod service;
