//! Wire contracts of Baton: the .proto files and the code generated from them.
//!
//! One module per proto package. [`DESCRIPTORS`] are the engine's own; whoever wires an installation adds those of its sagas
//! and participants.

#![allow(clippy::all, clippy::pedantic)]

/// `baton.*`: the engine's own contracts.
pub mod baton {
    /// `baton.annotations.v1`: what the .proto files declare of their fields and calls.
    pub mod annotations {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("baton.annotations.v1");
        }
    }
    /// `baton.courier.v1`: commands and replies over streams.
    pub mod courier {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("baton.courier.v1");
        }
    }
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

/// The encoded `FileDescriptorSet` of every file above.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/baton_descriptor.bin"));
