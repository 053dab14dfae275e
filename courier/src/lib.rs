//! CommandBus: commands and replies over RabbitMQ, over gRPC streams, or in process. Couriers may lose what they carry; whoever
//! sends knows how to send it again.

pub mod bus;
pub mod conformance;
pub mod couriers;
pub mod error;
pub mod grpc;
pub mod local;
mod merged;
pub mod rabbitmq;
pub mod topology;
