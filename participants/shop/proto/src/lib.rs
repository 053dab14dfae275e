//! Wire contracts of the shop: the order flow's services and payloads, and the code generated from them.
//!
//! One module per proto package. [`DESCRIPTORS`] is what an orchestrator with the order saga, and the shop's participants,
//! are handed so that they can show these messages and serve reflection.

#![allow(clippy::all, clippy::pedantic)]

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

/// The encoded `FileDescriptorSet` of every file above and of what they import.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/shop_descriptor.bin"));
