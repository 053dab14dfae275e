//! What every gRPC port of Baton shares, the orchestrator's and the participants' alike.
//!
//! | module | what it holds |
//! |---|---|
//! | [`chaos`] | killing and reviving on purpose, over whatever can be killed |
//! | [`errors`], [`reason`] | how a call is refused: code, stable reason, fields at fault |
//! | [`descriptors`] | the messages and services that an installation knows |
//! | [`error_details`] | the same shape for what tonic refuses by itself; the time a call may take |
//! | [`name`], [`request_id`] | resource names, and the ids of requests |
//! | [`page`] | page sizes and page tokens |
//! | [`gather`] | group commit for a service's own writes |
//! | [`http1`] | HTTP/1 for a router: bounds on connections and heads |
//! | [`server`] | one port: bounds, health, reflection, shutdown |

pub mod chaos;
pub mod descriptors;
pub mod error_details;
pub mod errors;
pub mod gather;
pub mod http1;
pub mod name;
pub mod page;
pub mod reason;
pub mod request_id;
pub mod server;
