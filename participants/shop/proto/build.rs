//! Compiles the shop's .proto files with protox, so that no machine needs protoc.

use std::{env, error::Error, fs, path::PathBuf};

const FILES: [&str; 3] = ["shop/order/v1/order.proto", "shop/payment/v1/payment.proto", "shop/stock/v1/stock.proto"];

/// Where `baton/annotations/v1/` is, which says what must not be shown, and how calls are reached over HTTP.
const ENGINE: &str = "../../../proto/proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed={ENGINE}/baton/annotations");
    let mut compiler = protox::Compiler::new(["proto", ENGINE])?;
    compiler.include_imports(true).include_source_info(true).open_files(FILES)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // As the compiler has them: prost's own types know no options of ours, and what must not be shown depends on them.
    fs::write(out.join("shop_descriptor.bin"), compiler.encode_file_descriptor_set())?;
    // Each message knows its full name, by which its descriptor is found.
    let mut config = tonic_prost_build::Config::new();
    config.enable_type_names();
    tonic_prost_build::configure().bytes(".").compile_fds_with_config(compiler.file_descriptor_set(), config)?;
    Ok(())
}
