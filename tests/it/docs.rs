//! What the pages tell people to do can be done: links lead somewhere, and every `baton` command line is one, those that the
//! operators' page shows beside its forms too.

use baton::cli::Cli;
use baton::config::layers::Layers;
use baton::shop::config::{SECTIONS, ShopConfig};
use baton_console::command_hints::{CommandHint, Given, Which};
use baton_console::verb_names::{CONTROLS, VERBS};
use baton_query::filter::Preset;
use clap::Parser as _;
use std::path::{Path, PathBuf};
use std::process::Command;

fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md")];
    for folder in ["docs", "docs/operating", "docs/decisions"] {
        let entries = std::fs::read_dir(root.join(folder)).expect("a folder of pages");
        pages.extend(entries.map(|entry| entry.expect("an entry").path()));
    }
    let mut pages: Vec<_> = pages
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| (path.clone(), std::fs::read_to_string(path).expect("a page")))
        .collect();
    pages.sort();
    pages
}

/// The text between `before` and `after`, every time.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split(after).next()).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut links = 0;
    for (page, text) in pages() {
        for link in between(&text, "](", ")") {
            if link.contains("://") || link.starts_with('#') {
                continue;
            }
            let path = link.split('#').next().expect("a path");
            let target = page.parent().expect("a folder").join(path);
            assert!(target.exists(), "{} links to {link}, which is not there", page.display());
            links += 1;
        }
    }
    assert!(links > 50, "only {links} links were looked at");
}

/// Splits as a shell does, as far as the pages need it: words, single quotes, and no more.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for character in line.chars() {
        match character {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            other => words.last_mut().expect("a word").push(other),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Command lines of a page: lines of code blocks, and code within sentences, that begin with `baton`.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, part) in text.split("```").enumerate() {
        if index % 2 == 1 {
            found.extend(part.lines().map(str::to_owned));
        } else {
            found.extend(between(part, "`", "`").into_iter().step_by(2).map(|code| code.replace('\n', " ")));
        }
    }
    let known = |line: &String| line.starts_with("baton ") && !line.contains("| ") && !line.contains("...");
    found.retain(known);
    found
}

/// A command without its comment and with something in place of its names.
fn filled(line: &str) -> Vec<String> {
    let line = line.split(" #").next().expect("a line").split("    ").next().expect("a command").replace('`', "");
    let id = "01a22071-4a04-774d-a44b-a4bca86a5165";
    words(&line)
        .into_iter()
        .map(|word| match word.as_str() {
            "SAGA" | "JOB" | "LETTER" | "NUMBER" | "ORDER_NUMBER" | "IMP_UID" => id.to_owned(),
            "HASH" => "0".repeat(64),
            "ADDRESS" => "127.0.0.1:7400".to_owned(),
            "URL" => "http://127.0.0.1:7480".to_owned(),
            "…" => "why".to_owned(),
            "NAME" => "participants/stock".to_owned(),
            _ => word,
        })
        .collect()
}

#[test]
fn the_sandbox_of_the_pages_is_where_one_listens() {
    let defaults = Layers::stack(&[SECTIONS], None, None, &[]).expect("the defaults");
    let listen = ShopConfig::of(&defaults).expect("sound").provider.listen;
    let lines: Vec<String> = pages()
        .iter()
        .flat_map(|(_, text)| {
            text.lines().filter_map(|line| line.strip_prefix("SANDBOX=http://").map(str::to_owned)).collect::<Vec<_>>()
        })
        .collect();
    assert!(!lines.is_empty());
    assert!(lines.iter().all(|line| *line == listen.to_string()), "{lines:?}, not {listen}");
}

#[test]
fn commands_of_the_operators_pages_are_commands() {
    let mut parsed = 0;
    for (page, text) in pages() {
        if !page.components().any(|part| part.as_os_str() == "operating") && !page.ends_with("operating.md") {
            continue;
        }
        for line in commands(&text) {
            let words = filled(&line);
            // A group of commands, named as such in a sentence.
            if words.len() < 2 || line == "baton dev" {
                continue;
            }
            let outcome = Cli::try_parse_from(&words);
            assert!(
                outcome.is_ok(),
                "{}: {line}\n{}",
                page.display(),
                outcome.err().map(|e| e.to_string()).unwrap_or_default()
            );
            parsed += 1;
        }
    }
    assert!(parsed > 40, "only {parsed} commands were looked at");
}

/// What the page may know of the one who gives an order: nothing yet, or everything, some of it hostile.
const GIVENS: [Given<'static>; 2] = [
    Given { reason: "", actor: "", request_id: "" },
    Given { reason: "-it's \"back\" $(x)", actor: "-ada", request_id: "01a22071-4a04-774d-a44b-a4bca86a5165" },
];

/// Every hint there is, with every word and with as much said of it as can be.
fn hints() -> Vec<CommandHint<'static>> {
    let (saga, job, letter) = ("sagas/01a22071", "jobs/01a22071", "deadLetters/01a22071");
    let filter = "state = stuck AND age > 1h";
    let presets = Preset::ALL.map(|preset| Which { filter: "-step:stock", preset: preset.name() });
    let whiches: Vec<_> = presets.into_iter().chain([Which::default(), Which { filter, preset: "" }]).collect();
    let mut hints = vec![
        CommandHint::Get("sagas/-x"),
        CommandHint::Get(saga),
        CommandHint::Explain(saga),
        CommandHint::Events(saga),
        CommandHint::Watch(saga),
    ];
    for which in whiches.iter().copied() {
        hints.push(CommandHint::Count(which));
        hints.extend(["", "update_time desc"].map(|order_by| CommandHint::Search { which, order_by }));
    }
    for given in GIVENS {
        for (verb, _) in VERBS {
            hints.extend([0, 7].map(|version| CommandHint::Act { saga, verb, version, given }));
            hints.push(CommandHint::Act { saga: "sagas/-x", verb, version: 7, given });
            for which in whiches.iter().copied() {
                let (max_rate, validate_only) = (if given.reason.is_empty() { 0 } else { 7 }, given.reason.is_empty());
                hints.push(CommandHint::CreateJob { which, verb, max_rate, validate_only, given });
            }
        }
        hints.extend(CONTROLS.map(|(control, _)| CommandHint::ControlJob { job, control, given }));
        for hold in ["holds/definitions/order", "holds/participants/stock"] {
            hints.extend([CommandHint::CreateHold { hold, given }, CommandHint::ReleaseHold { hold, given }]);
        }
        hints.extend([CommandHint::ReplayDeadLetter { letter, given }, CommandHint::DropDeadLetter { letter, given }]);
    }
    hints
}

/// The kind of a hint; one that is new does not compile here until it is among [`hints`].
fn kind(hint: &CommandHint<'_>) -> usize {
    match hint {
        CommandHint::Search { .. } => 0,
        CommandHint::Count(_) => 1,
        CommandHint::Get(_) => 2,
        CommandHint::Explain(_) => 3,
        CommandHint::Events(_) => 4,
        CommandHint::Watch(_) => 5,
        CommandHint::Act { .. } => 6,
        CommandHint::CreateJob { .. } => 7,
        CommandHint::ControlJob { .. } => 8,
        CommandHint::CreateHold { .. } => 9,
        CommandHint::ReleaseHold { .. } => 10,
        CommandHint::ReplayDeadLetter { .. } => 11,
        CommandHint::DropDeadLetter { .. } => 12,
    }
}

#[test]
fn commands_beside_the_forms_of_the_page_are_commands() {
    let hints = hints();
    for expected in 0..=12 {
        assert!(hints.iter().any(|hint| kind(hint) == expected), "no hint of kind {expected}");
    }
    // One shell takes all lines apart, as it would those that are pasted into it; each ends with an empty word.
    let script: String = hints.iter().map(|hint| format!("printf '%s\\0' {} ''\n", hint.command())).collect();
    let taken_apart = Command::new("sh").args(["-c", &script]).output().expect("a shell");
    assert!(taken_apart.status.success(), "{}", String::from_utf8_lossy(&taken_apart.stderr));
    let words = String::from_utf8(taken_apart.stdout).expect("UTF-8");
    let lines: Vec<_> = words.split_terminator("\0\0").collect();
    assert_eq!(lines.len(), hints.len(), "a line lost its end");
    for (hint, line) in hints.iter().zip(lines) {
        let outcome = Cli::try_parse_from(line.split('\0'));
        assert!(
            outcome.is_ok(),
            "{}\n{}",
            hint.command(),
            outcome.err().map(|error| error.to_string()).unwrap_or_default()
        );
    }
}
