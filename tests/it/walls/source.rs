//! The sources of the workspace, as far as walls are concerned: which file is which module of which crate, without its tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One crate of the workspace.
#[derive(Debug)]
pub struct Crate {
    /// Its folder, from the root of the repository; empty for the root package.
    pub folder: String,
    /// Its modules by path, `""` for the root, `a::b` for the rest.
    pub modules: BTreeMap<String, Module>,
}

impl Crate {
    /// Its folder, or that it is the root package.
    pub fn name(&self) -> &str {
        if self.folder.is_empty() { "(root)" } else { &self.folder }
    }
}

/// One file.
#[derive(Debug)]
pub struct Module {
    /// From the root of the repository.
    pub file: PathBuf,
    /// Its text up to its unit tests, without comments.
    pub code: String,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every crate of the workspace, as Cargo.toml lists them, and the root package.
pub fn crates() -> Vec<Crate> {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let members = manifest["workspace"]["members"].as_array().expect("members");
    let folders = members.iter().map(|member| member.as_str().expect("a path").to_owned());
    folders.chain([String::new()]).map(read).collect()
}

fn read(folder: String) -> Crate {
    let sources = root().join(&folder).join("src");
    let mut files = Vec::new();
    walk(&sources, &mut files);
    let modules = files.into_iter().map(|file| {
        let inside = file.strip_prefix(&sources).expect("inside").with_extension("");
        let mut path: Vec<_> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if path.last().is_some_and(|last| matches!(last.as_str(), "lib" | "main" | "mod")) {
            path.pop();
        }
        let text = std::fs::read_to_string(&file).expect("a source file");
        let file = file.strip_prefix(root()).expect("inside").to_owned();
        (path.join("::"), Module { file, code: code(&text) })
    });
    // A package's main.rs and lib.rs are both the root of something; the library's is the one others are in.
    let mut found = BTreeMap::new();
    for (path, module) in modules {
        if module.file.ends_with("main.rs") && path.is_empty() {
            found.entry(path).or_insert(module);
        } else {
            found.insert(path, module);
        }
    }
    Crate { folder, modules: found }
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
}

/// Up to the unit tests, which stand at the end of a file, and without lines that are comments.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}
