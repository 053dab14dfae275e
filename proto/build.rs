//! Compiles the .proto files with protox, so that no machine needs protoc.

use prost::Message as _;
use std::{env, error::Error, fs, path::PathBuf};

const FILES: [&str; 7] = [
    "baton/participant/v1/participant.proto",
    "baton/saga/v1/admin.proto",
    "baton/saga/v1/saga.proto",
    "baton/store/v1/store.proto",
    "shop/order/v1/order.proto",
    "shop/payment/v1/payment.proto",
    "shop/stock/v1/stock.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("baton_descriptor.bin"), descriptors.encode_to_vec())?;
    // Payloads are passed on as bytes without being copied.
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
