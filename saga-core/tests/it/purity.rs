//! The core does nothing: what clippy.toml forbids by name, this forbids by word, so that neither alone is trusted.

#![allow(clippy::disallowed_methods)] // The test reads the sources; the core reads nothing.

use std::path::{Path, PathBuf};

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in directory.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn no_clock_no_chance_no_io() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 12, "the sources were not found");
    let forbidden = [
        "SystemTime",
        "Instant",
        "HashMap",
        "HashSet",
        "async ",
        ".await",
        "std::thread",
        "std::net",
        "std::sync",
        "std::process",
        "rand::",
        "unsafe",
        "std::fs",
        "std::env",
        "println!",
    ];
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        for word in forbidden {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
        assert!(text.starts_with("//! "), "{}: the first line says what the file is for", path.display());
    }
}

#[test]
fn the_table_has_no_wildcard_arm() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/machine");
    let mut files = Vec::new();
    sources(&root, &mut files);
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim_start();
            assert!(!line.starts_with("_ =>") && !line.starts_with("_ if"), "{}:{number}: {line}", path.display());
        }
    }
}

#[test]
fn dependencies_are_two() {
    let manifest = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let (_, rest) = manifest.split_once("[dependencies]\n").unwrap();
    let (dependencies, _) = rest.split_once("\n\n").unwrap();
    assert_eq!(dependencies, "bytes.workspace = true\nthiserror.workspace = true");
}
