//! Participants are names: one list has those that are linked in, and the configuration may name those that run elsewhere.
//! That a line each links a saga and a participant in is shown by `examples/trip`.

use crate::support::BATON;
use std::path::Path;
use std::process::Output;

const SERVICE: &str = "travel.v1.AgencyService";

fn baton(config: &Path, args: &[&str]) -> Output {
    let mut command = std::process::Command::new(BATON);
    command.arg("--config").arg(config).args(args).env_clear().output().expect("the binary runs")
}

#[test]
fn a_participant_that_runs_elsewhere_is_configured_and_not_run() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("baton.toml");
    let text = format!("[participants.agency]\nendpoint = \"127.0.0.1:7440\"\nservice = \"{SERVICE}\"\n");
    std::fs::write(&file, text).expect("a file");
    assert!(baton(&file, &["config", "check"]).status.success());
    let printed = baton(&file, &["--print-config"]);
    let printed = String::from_utf8_lossy(&printed.stdout);
    assert!(printed.contains("[participants.agency]") && printed.contains("baton.toml"), "{printed}");

    for args in [&["participant", "agency"][..], &["migrate", "up", "agency"], &["migrate", "status", "agency"]] {
        let output = baton(&file, args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains("agency") && said.contains("order, payment, stock"), "{args:?}: {said}");
    }
}

/// Where the shop's participants may be named: its own folder, the list of what is linked in, and the main wiring.
const MAY_NAME: [&str; 2] = ["shop/", "linked.rs"];

#[test]
fn the_shops_participants_are_named_in_one_list() {
    let words = ["\"order\"", "\"payment\"", "\"stock\"", "baton_order", "baton_payment", "baton_stock"];
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut seen) = (vec![source.clone()], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&source).expect("below it").to_str().expect("UTF-8").to_owned();
            let text = std::fs::read_to_string(&path).expect("a file");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            if MAY_NAME.iter().any(|allowed| name.starts_with(allowed)) {
                seen += usize::from(words.iter().any(|word| code.contains(word)));
                continue;
            }
            let found: Vec<_> = words.iter().filter(|word| code.contains(*word)).collect();
            assert!(found.is_empty(), "src/{name} names {found:?}: see src/linked.rs");
        }
    }
    assert!(seen >= 2, "the list is where it is said to be");
}
