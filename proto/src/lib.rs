//! Wire contracts of Baton: the .proto files and the code generated from them.
//!
//! One module per proto package. [`DESCRIPTORS`] is what gRPC reflection serves.

#![allow(clippy::all, clippy::pedantic)]

/// `baton.*`: the engine's own contracts.
pub mod baton {
    /// `baton.dev.v1`: breaking things on purpose.
    pub mod dev {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("baton.dev.v1");
        }
    }
    /// `baton.participant.v1`: commands, replies, Probe.
    pub mod participant {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("baton.participant.v1");
        }
    }
    /// `baton.saga.v1`: sagas as callers and operators see them.
    pub mod saga {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("baton.saga.v1");
        }
    }
    /// `baton.store.v1`: how stored blobs are encoded. Not a wire contract.
    pub mod store {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("baton.store.v1");
        }
    }
}

/// `shop.*`: the order flow's services and payloads.
pub mod shop {
    /// `shop.order.v1`.
    pub mod order {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("shop.order.v1");
        }
    }
    /// `shop.payment.v1`.
    pub mod payment {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("shop.payment.v1");
        }
    }
    /// `shop.stock.v1`.
    pub mod stock {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("shop.stock.v1");
        }
    }
}

/// The encoded `FileDescriptorSet` of every file above.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/baton_descriptor.bin"));
