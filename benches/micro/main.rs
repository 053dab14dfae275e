//! Micro-benchmarks: the parts of one saga's path, each alone.
//!
//! `cargo bench -p baton-bench` measures; `cargo test` runs each once, so that they keep working. Nothing here asserts a
//! time.

mod bus;
mod codec;
mod commit;
mod machine;
mod rows;

use criterion::Criterion;
use std::time::Duration;

/// Of one benchmark: the fastest ones do a billion rounds in it, the slowest some hundred.
const MEASURED: Duration = Duration::from_secs(3);

fn main() {
    let mut criterion =
        Criterion::default().measurement_time(MEASURED).warm_up_time(Duration::from_secs(1)).configure_from_args();
    machine::all(&mut criterion);
    codec::all(&mut criterion);
    rows::all(&mut criterion);
    commit::all(&mut criterion);
    bus::all(&mut criterion);
    criterion.final_summary();
}
