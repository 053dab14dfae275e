//! Compiles the .proto files with protox, so that no machine needs protoc.

use std::{env, error::Error, fs, path::PathBuf};

const FILES: [&str; 16] = [
    "baton/annotations/v1/annotations.proto",
    "baton/annotations/v1/http.proto",
    "baton/courier/v1/courier.proto",
    "baton/participant/v1/participant.proto",
    "baton/saga/v1/admin.proto",
    "baton/saga/v1/audit.proto",
    "baton/saga/v1/dead_letter.proto",
    "baton/saga/v1/definition.proto",
    "baton/saga/v1/hold.proto",
    "baton/saga/v1/job.proto",
    "baton/saga/v1/overview.proto",
    "baton/saga/v1/saga.proto",
    "baton/saga/v1/timeline.proto",
    "baton/saga/v1/verb.proto",
    "baton/store/v1/store.proto",
    "baton/dev/v1/chaos.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true).open_files(FILES)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // As the compiler has them: prost's own types know no options of ours, and what must not be shown depends on them.
    fs::write(out.join("baton_descriptor.bin"), compiler.encode_file_descriptor_set())?;
    // Each message knows its full name, by which its descriptor is found.
    let mut config = tonic_prost_build::Config::new();
    config.enable_type_names();
    // Payloads are passed on as bytes without being copied.
    tonic_prost_build::configure().bytes(".").compile_fds_with_config(compiler.file_descriptor_set(), config)?;
    Ok(())
}
