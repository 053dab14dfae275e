//! Every `baton-lab` command line of the pages is one.

use baton_lab::cli::Cli;
use clap::Parser as _;
use std::path::{Path, PathBuf};

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages = vec![root.join("README.md")];
    for folder in ["docs", "docs/operating"] {
        let entries = std::fs::read_dir(root.join(folder)).expect("a folder of pages");
        pages.extend(entries.map(|entry| entry.expect("an entry").path()));
    }
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages
}

/// Command lines of a page: lines of its code blocks, and code within its sentences.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, part) in text.split("```").enumerate() {
        if index % 2 == 1 {
            found.extend(part.lines().map(|line| line.split(" #").next().unwrap_or_default().trim().to_owned()));
        } else {
            found.extend(part.split('`').skip(1).step_by(2).map(|code| code.replace('\n', " ")));
        }
    }
    found.retain(|line| line.starts_with("baton-lab "));
    found
}

#[test]
fn commands_of_the_pages_are_commands() {
    let mut parsed = 0;
    for page in pages() {
        for line in commands(&std::fs::read_to_string(&page).expect("a page")) {
            // Only a build with planted bugs can be told to show them.
            let line = line.replace(" --planted", "").replace("SAGA", "order").replace("NAME", "kill-stock");
            let outcome = Cli::try_parse_from(line.split_whitespace());
            let told = outcome.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(told.is_empty(), "{}: {line}\n{told}", page.display());
            parsed += 1;
        }
    }
    assert!(parsed > 30, "only {parsed} commands were looked at");
}
