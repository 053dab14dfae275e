//! Public names stay: whoever wrote one down must find it in the next build. `docs/public-names.txt` lists all of them; a name that
//! is gone fails the test, and so does one that is not listed yet. `BATON_REWRITE=1` adds what is new and takes nothing
//! out: for a name to go, its line becomes `gone NAME (decision NNNN)` by hand, and the decision says why.

use crate::cli_deploy::served_metrics;
use baton::cli::Cli;
use baton::config::layers::Layers;
use baton::linked::Linked;
use baton::shop::config::{SECTIONS, ShopConfig};
use clap::CommandFactory as _;
use prost_reflect::{DescriptorPool, Kind};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(file(name)).expect(name)
}

/// Messages, fields with number and type, enum values, methods: what is on the wire, and what HTTP and the command line show
/// as JSON.
fn descriptors(pool: &DescriptorPool, names: &mut BTreeSet<String>) {
    let is_ours = |name: &str| !name.starts_with("google.");
    for message in pool.all_messages().filter(|message| is_ours(message.full_name())) {
        for field in message.fields() {
            let kind = match field.kind() {
                Kind::Message(of) => of.full_name().to_owned(),
                Kind::Enum(of) => of.full_name().to_owned(),
                scalar => format!("{scalar:?}").to_lowercase(),
            };
            let many = if field.is_list() { "repeated " } else { "" };
            names.insert(format!("field {} = {} {many}{kind}", field.full_name(), field.number()));
        }
        names.insert(format!("message {}", message.full_name()));
    }
    for of in pool.all_enums().filter(|of| is_ours(of.full_name())) {
        names
            .extend(of.values().map(|value| format!("value {}.{} = {}", of.full_name(), value.name(), value.number())));
    }
    for service in pool.services().filter(|service| is_ours(service.full_name())) {
        names.extend(service.methods().map(|method| {
            let (takes, gives) = (method.input(), method.output());
            let stream = if method.is_server_streaming() { "stream of " } else { "" };
            format!("rpc {} ({}) {stream}{}", method.full_name(), takes.full_name(), gives.full_name())
        }));
    }
}

/// Paths with their methods and parameters.
fn http(names: &mut BTreeSet<String>) {
    let document: serde_json::Value = serde_json::from_str(&read("docs/openapi.json")).expect("JSON");
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let route = format!("http {} {path}", method.to_uppercase());
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            names.extend(parameters.filter_map(|it| Some(format!("{route} ?{}", it["name"].as_str()?))));
            names.insert(route);
        }
    }
}

fn commands(path: &str, command: &clap::Command, names: &mut BTreeSet<String>) {
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        let path = format!("{path} {}", inner.get_name());
        for argument in
            inner.get_arguments().filter(|argument| argument.get_id() != "help" && !argument.is_global_set())
        {
            let name = argument
                .get_long()
                .map_or_else(|| argument.get_id().to_string().to_uppercase(), |long| format!("--{long}"));
            names.insert(format!("cli {path} {name}"));
            let values = argument.get_possible_values();
            names.extend(values.iter().map(|value| format!("cli {path} {name} {}", value.get_name())));
        }
        names.insert(format!("cli {path}"));
        commands(&path, inner, names);
    }
}

/// JSON that is not a message of the wire: its keys, by the file that prints them.
fn printed(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            printed(&path, names);
            continue;
        }
        let text = fs::read_to_string(&path).expect("a text");
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        let shown = path.strip_prefix(file("src")).expect("in src").display().to_string();
        for call in product.split("json!(").skip(1) {
            let object = call.trim_start().strip_prefix('{').and_then(|rest| rest.split('}').next());
            let keys = object
                .into_iter()
                .flat_map(|object| object.split('"').skip(1).step_by(2).zip(object.split('"').skip(2).step_by(2)));
            let keys = keys.filter(|(_, after)| after.trim_start().starts_with(':'));
            names.extend(keys.map(|(key, _)| format!("json {shown} {key}")));
        }
        for pair in product.split("(\"").skip(1) {
            let Some((key, after)) = pair.split_once('"') else { continue };
            if after.starts_with(", json!(") {
                names.insert(format!("json {shown} {key}"));
            }
        }
    }
}

/// All public names of this build.
fn built() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let layers = Layers::of_texts(&[SECTIONS], None, [], &[]).expect("the defaults");
    let linked = Linked::of(&ShopConfig::of(&layers).expect("sound defaults"));
    descriptors(linked.descriptors.pool(), &mut names);
    http(&mut names);
    let mut root = Cli::command();
    root.build();
    let global = root.get_arguments().filter(|argument| argument.is_global_set());
    names.extend(global.filter_map(|argument| Some(format!("cli baton --{}", argument.get_long()?))));
    commands("baton", &root, &mut names);
    printed(&file("src"), &mut names);
    names.extend(layers.shown().into_iter().map(|(key, ..)| format!("config {key}")));
    names.extend(served_metrics().into_iter().map(|metric| format!("metric {metric}")));
    let errors = read("docs/errors.md");
    let rows = errors.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next());
    let is_reason = |word: &&str| {
        word.len() > 2 && word.bytes().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_')
    };
    names.extend(rows.filter(is_reason).map(|reason| format!("reason {reason}")));
    names
}

/// What is listed: names that are there, and those that went by a decision.
fn listed(text: &str) -> (BTreeSet<String>, BTreeMap<String, String>) {
    let (mut there, mut gone) = (BTreeSet::new(), BTreeMap::new());
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        match line.strip_prefix("gone ").and_then(|line| line.rsplit_once(" (decision ")) {
            Some((name, decision)) => {
                gone.insert(name.to_owned(), decision.trim_end_matches(')').to_owned());
            }
            None => {
                there.insert(line.to_owned());
            }
        }
    }
    (there, gone)
}

/// What is wrong: names that went without a decision, names that nobody listed.
fn differences(there: &BTreeSet<String>, built: &BTreeSet<String>) -> String {
    let mut told = String::new();
    for name in there - built {
        // Writing to a String cannot fail.
        let _ = writeln!(told, "gone, and somebody may have written it down: {name}");
    }
    for name in built - there {
        let _ = writeln!(told, "not listed yet (BATON_REWRITE=1 adds it): {name}");
    }
    told
}

#[test]
fn no_public_name_goes_unsaid() {
    let (built, text) = (built(), read("docs/public-names.txt"));
    for kind in ["rpc", "message", "field", "value", "http", "cli", "json", "config", "metric", "reason"] {
        let count = built.iter().filter(|name| name.starts_with(&format!("{kind} "))).count();
        assert!(count >= 10, "only {count} names of kind {kind} were found");
    }
    let (mut there, gone) = listed(&text);
    for (name, decision) in &gone {
        assert!(!built.contains(name), "{name} is listed as gone and is there");
        let decisions = fs::read_dir(file("docs/decisions")).expect("decisions");
        let names = decisions.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        assert!(
            names.into_iter().any(|name| name.starts_with(decision)),
            "{name} went by decision {decision}: there is none"
        );
    }
    if std::env::var_os("BATON_REWRITE").is_some_and(|value| value == "1") {
        there.extend(built.iter().cloned());
        let head: String = text.lines().filter(|line| line.starts_with('#')).map(|line| format!("{line}\n")).collect();
        let gone = gone.iter().map(|(name, decision)| format!("gone {name} (decision {decision})\n"));
        let lines: String = there.iter().map(|name| format!("{name}\n")).chain(gone).collect();
        fs::write(file("docs/public-names.txt"), format!("{head}{lines}")).expect("written");
    }
    let told = differences(&there, &built);
    assert!(told.is_empty(), "docs/public-names.txt lists the names that stay:\n{told}");
}

#[test]
fn a_name_that_goes_or_comes_is_told() {
    let built = built();
    let mut there = built.clone();
    assert_eq!(differences(&there, &built), "");
    there.insert("config store.colour".to_owned());
    assert!(differences(&there, &built).contains("gone, and somebody may have written it down: config store.colour"));
    there = built.iter().skip(1).cloned().collect();
    assert!(differences(&there, &built).contains("not listed yet"));
}
