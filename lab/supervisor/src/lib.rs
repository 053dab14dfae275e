//! Private MariaDB, RabbitMQ and Redis instances, and Baton processes, started and killed by us.
//!
//! Everything listens on loopback, keeps its data under a directory of the caller's and runs in a process group of its
//! own. An owned instance dies with the process that started it, whatever that process dies of; see [`process`].

pub mod binary;
pub mod chaos;
pub mod daemon;
pub mod hangup;
pub mod mariadb;
pub mod port;
pub mod process;
pub mod rabbitmq;
pub mod redis;
pub mod shared;
pub mod stack;

pub use mariadb::MariaDb;
pub use process::{Lifetime, Probe, Process};
pub use rabbitmq::RabbitMq;
pub use redis::Redis;
