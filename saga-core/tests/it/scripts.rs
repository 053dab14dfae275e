//! Runs every script of `tests/scripts`. `BATON_REWRITE=1` writes what is into them; read the difference then.

use saga_testing::script::{CheckError, check, run};
use std::path::{Path, PathBuf};

#[test]
fn every_script_holds() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut scripts: Vec<PathBuf> = directory.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    scripts.sort();
    assert!(scripts.len() >= 9, "only {} scripts in {}", scripts.len(), directory.display());
    let failures: Vec<String> =
        scripts.iter().filter_map(|path| check(path, &[]).err()).map(|error| error.to_string()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn a_wrong_expectation_is_reported() {
    let script = "define one/1\n  pivot go someone\n----\none/1: 2 steps, pivot go\n";
    let actual = run(script, &[]).unwrap();
    assert_eq!(actual, "define one/1\n  pivot go someone\n----\none/1: 1 steps, pivot go\n");
}

#[test]
fn what_cannot_be_read_is_named() {
    for (script, why) in [
        ("start\n----\n", "line 1: no definition yet: define or use one"),
        ("use order/1\n----\n", "line 1: the test knows no definition order/1"),
        ("define one/1\n  pivot go someone\n\nstart\n----\n\nreply g succeeded\n", "line 7: no step is called \"g\""),
        (
            "define one/1\n  pivot go someone\n\nstart\nreply go succeeded atempt=1\n",
            "line 5: \"atempt\" has no meaning here",
        ),
        ("define one/1\n  pivot go someone\n\nstart\npause me \"open\n", "line 5: a quote is not closed"),
        ("define one/1\n  pivot go someone\n\nstart\ndance me why\n", "line 5: \"dance\" is no command"),
        ("define one/1\n  pivot go someone\n", "line 2: the last commands lack a line ----"),
        ("define one/1\n  pivit go someone\n----\n", "line 1: \"pivit\" is no kind of step"),
    ] {
        assert_eq!(run(script, &[]).map_err(|error| error.to_string()), Err(why.to_owned()), "{script}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let missing = Path::new("no/such/script.txt");
    assert!(matches!(check(missing, &[]), Err(CheckError::File { .. })));
}
