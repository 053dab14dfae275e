//! The `baton-lab` binary: what proves Baton.

use std::process::ExitCode;

/// The allocator of the product: a simulation makes and drops the same batches.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    baton_lab::cli::main()
}
