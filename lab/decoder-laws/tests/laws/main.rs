//! The fuzzer's committed corpus on the stable toolchain: every file against its law, then mutations of the files, so that a
//! law that is broken nearby is noticed without a fuzzer.

mod corpus;
mod mutations;
mod planted;

use baton_decoder_laws::LAWS;
use corpus::{corpus, files, hold};
use mutations::Mutations;
use std::collections::BTreeSet;
use std::path::Path;

/// Mutations of each corpus by default: all laws together take a few seconds without optimisation.
const MUTATIONS: u64 = 2_000;

#[test]
fn every_law_has_a_corpus_and_a_target_and_nothing_else_has() {
    let laws: BTreeSet<String> = LAWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let names = |directory: &Path| -> BTreeSet<String> {
        let entries = std::fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&corpus()), laws);
    assert_eq!(names(&corpus().join("../fuzz_targets")), laws);
    let bytes: usize = laws.iter().flat_map(|law| files(law)).map(|(_, bytes)| bytes.len()).sum();
    assert!(bytes < 512 * 1024, "the corpus has {bytes} bytes: minimise it");
}

#[test]
fn every_file_of_the_corpus_keeps_its_law() {
    for (name, law) in LAWS {
        let files = files(name);
        assert!(files.len() > 5, "{name} has hardly a corpus");
        for (path, bytes) in files {
            hold(*law, &bytes, &path.display().to_string());
        }
    }
}

/// The same mutations every time, unless `BATON_SEED` names others; `BATON_MUTATIONS` says how many.
#[test]
fn mutations_of_the_corpus_keep_the_laws() {
    let number =
        |name: &str, default: u64| std::env::var(name).map_or(default, |value| value.parse().expect("a whole number"));
    let (seed, count) = (number("BATON_SEED", 1), number("BATON_MUTATIONS", MUTATIONS));
    for (name, law) in LAWS {
        let files: Vec<Vec<u8>> = files(name).into_iter().map(|(_, bytes)| bytes).collect();
        for (n, mutated) in Mutations::new(seed, &files).take(usize::try_from(count).unwrap()).enumerate() {
            hold(*law, &mutated, &format!("mutation {n} of {name} under BATON_SEED={seed}"));
        }
    }
}
