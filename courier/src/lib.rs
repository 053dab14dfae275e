//! CommandBus: durable commands and replies over RabbitMQ or in process.

pub mod bus;
pub mod conformance;
pub mod error;
pub mod local;
pub mod rabbitmq;
pub mod topology;
