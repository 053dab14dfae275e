//! The payment participant and its payment gateway.
//!
//! | module | what it holds |
//! |---|---|
//! | [`gateway`] | the seam to a payment provider: look up, cancel |
//! | [`portone_v1`] | that seam over PortOne's (Iamport's) V1 REST API; [`wire`] reads its answers, `throttle` keeps the pause it asks for, `holdup` what a batch does meanwhile |
//! | [`command`] | the payloads of `payment.verify` and `payment.cancel` |
//! | [`participant`] | how these commands are answered: `verify` judges a payment, `desk` decides from both tables |
//! | [`refund`] | what `payment.cancel` does before its transaction: the only place that moves money |
//! | [`claim`] | which payment belongs to which order: rows and rules |
//! | [`watch`] | payments that were not there when they were needed: rows; `schedule`: when they are looked at again |
//! | [`reconcile`] | looks at them again, and sends back what turned up; `outcome`: what a look makes of a row |
//! | [`tally`], [`metrics`] | how many there are, and how much money waits for a person |
//! | [`crash_points`] | where it can be made to die on purpose |
//! | [`service`] | gRPC: get and list payments; `cases`: the watch list |
//! | [`money`], [`reason`] | amounts, and why a command was refused |

mod cases;
pub mod claim;
pub mod command;
pub mod crash_points;
mod desk;
pub mod gateway;
mod holdup;
pub mod metrics;
pub mod money;
mod outcome;
pub mod participant;
pub mod portone_v1;
pub mod reason;
pub mod reconcile;
pub mod refund;
mod retry_after;
mod schedule;
mod schema;
pub mod service;
pub mod tally;
mod throttle;
mod token;
mod verify;
pub mod watch;
pub mod wire;
