//! The messages and services of an installation with the shop.

use baton_rpc::descriptors::Descriptors;

/// The engine's and the shop's.
#[must_use]
pub fn descriptors() -> Descriptors {
    // The bytes are what the build wrote, and every test that shows a payload decodes them.
    Descriptors::engine().with(shop_proto::DESCRIPTORS).expect("descriptors that this build wrote")
}
