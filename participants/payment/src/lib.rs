//! The payment participant and its payment gateway.
//!
//! | module | what it holds |
//! |---|---|
//! | [`gateway`] | the seam to a payment provider: look up, cancel |
//! | [`portone_v1`] | that seam over PortOne's (Iamport's) V1 REST API; [`wire`] reads its answers, `throttle` keeps the pause it asks for, `holdup` what a batch does meanwhile |
//! | [`command`] | the payloads of `payment.verify` and `payment.cancel` |
//! | [`participant`] | how these commands are answered |
//! | [`refund`] | what `payment.cancel` does before its transaction: the only place that moves money |
//! | [`claim`] | which payment belongs to which order: rows and rules |
//! | [`crash_points`] | where it can be made to die on purpose |
//! | [`service`] | gRPC: get and list payments |
//! | [`money`], [`reason`] | amounts, and why a command was refused |

pub mod claim;
pub mod command;
pub mod crash_points;
pub mod gateway;
mod holdup;
pub mod money;
pub mod participant;
pub mod portone_v1;
pub mod reason;
pub mod refund;
mod retry_after;
mod schema;
pub mod service;
mod throttle;
mod token;
pub mod wire;
