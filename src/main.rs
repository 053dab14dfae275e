//! The `baton` binary.

use std::process::ExitCode;

/// Batches are thousands of small values made by one thread and dropped by another; the system's allocator spent a tenth of
/// the machine on them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    baton::run::main()
}
