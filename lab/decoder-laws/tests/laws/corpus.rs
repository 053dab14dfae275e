//! The corpus, and a law held against bytes.

use baton_decoder_laws::Law;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Where the corpora of all laws lie.
pub fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus")
}

/// The files of a law's corpus, by name, so that a run is the same everywhere.
pub fn files(law: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = corpus().join(law);
    let entries = std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// Panics with the bytes if they break the law.
pub fn hold(law: Law, bytes: &[u8], what: &str) {
    if catch_unwind(AssertUnwindSafe(|| law(bytes))).is_err() {
        panic!("{what} breaks its law; the bytes are b\"{}\"", bytes.escape_ascii());
    }
}
