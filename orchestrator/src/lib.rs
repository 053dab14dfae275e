//! The shell around saga-core: engine, stores, workers, gRPC services.

pub mod store;
