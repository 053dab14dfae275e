//! What every gRPC port of Baton shares, the orchestrator's and the participants' alike.
//!
//! | module | what it holds |
//! |---|---|
//! | [`chaos`] | killing and reviving on purpose, over whatever can be killed |
//! | [`errors`], [`reason`] | how a call is refused: code, stable reason, fields at fault |
//! | [`explain`] | the same shape for what tonic refuses by itself; the time a call may take |
//! | [`page`] | page sizes and page tokens |
//! | [`gather`] | group commit for a service's own writes |
//! | [`server`] | one port: bounds, health, reflection, shutdown |
//! | [`shop`] | what the shop's services accept |

pub mod chaos;
pub mod errors;
pub mod explain;
pub mod gather;
pub mod page;
pub mod reason;
pub mod server;
pub mod shop;
