//! `baton-supervisor` as a person uses it: everything up, what it says to type next works, a dead part is seen and comes back
//! where it was, everything down, nothing left.

use baton_supervisor::daemon::State;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What runs in the whole real shape.
const PARTS: [&str; 12] = [
    "chaos",
    "orchestrator-1",
    "orchestrator-2",
    "order",
    "payment",
    "stock",
    "sandbox-provider",
    "redis",
    "rabbitmq",
    "epmd",
    "mariadbd",
    "PROCESS",
];

/// A directory whose stack ends with the test, however that ends.
struct Place(tempfile::TempDir);

impl Place {
    fn supervisor(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton-supervisor"));
        command.args(args).arg("--dir").arg(self.0.path()).output().expect("it runs")
    }

    fn state(&self) -> State {
        State::load(self.0.path()).expect("state.json")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.supervisor(&["down"]);
    }
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("it exits"), text(&output.stdout), text(&output.stderr))
}

/// The binary of the same build, which belongs to another package.
fn baton() -> PathBuf {
    let baton = Path::new(env!("CARGO_BIN_EXE_baton-supervisor")).with_file_name("baton");
    assert!(baton.exists(), "{} is missing: cargo build --bin baton", baton.display());
    baton
}

/// The command lines under `Next:`.
fn next(out: &str) -> Vec<String> {
    let (_, next) = out.split_once("\nNext:\n").expect("what to type next");
    next.lines().map(|line| line.trim().to_owned()).collect()
}

fn shell(line: &str) -> (i32, String, String) {
    told(&Command::new("sh").args(["-c", line]).output().expect("a shell"))
}

#[test]
fn everything_comes_up_is_used_comes_back_and_goes_down() {
    let place = Place(tempfile::tempdir().expect("a directory"));
    baton();
    let (code, out, said) = told(&place.supervisor(&["up"]));
    assert_eq!(code, 0, "{said}");
    let listed: Vec<&str> =
        out.lines().take_while(|line| !line.is_empty()).filter_map(|it| it.split(' ').next()).collect();
    for part in PARTS {
        assert!(listed.contains(&part), "{part} is missing:\n{out}");
    }
    assert_eq!(listed.len(), PARTS.len(), "{out}");
    let [demo, sagas, down] = next(&out).try_into().expect("three lines");
    let (code, text, said) = shell(&format!("{demo} --orders 100"));
    assert_eq!(code, 0, "{text}{said}");
    let sagas = format!("{sagas} -o json");
    let (code, before, said) = shell(&sagas);
    assert!(code == 0 && before.contains("sagas/"), "{before}{said}");

    let first = place.state();
    let (code, out, said) = told(&place.supervisor(&["up"]));
    assert!(code == 0 && said.contains("already running") && out.contains("Next:"), "{out}{said}");
    assert_eq!(place.state(), first, "nothing was started again");

    let stock = first.daemons.iter().find(|daemon| daemon.name == "stock").expect("stock");
    stock.kill().expect("SIGKILL");
    let (code, out, _) = told(&place.supervisor(&["status"]));
    let line = out.lines().find(|line| line.starts_with("stock ")).expect("its line");
    assert!(code == 1 && line.contains(" ended "), "{out}");

    let (code, _, said) = told(&place.supervisor(&["up"]));
    assert_eq!(code, 0, "{said}");
    assert_eq!(place.state().endpoints, first.endpoints, "everything is where it was");
    assert_eq!(shell(&sagas).1, before, "the data stayed");
    assert_eq!(told(&place.supervisor(&["status"])).0, 0);

    let last = place.state();
    let (code, _, said) = shell(&down);
    assert!(code == 0 && said.contains("stopped 11 processes"), "{said}");
    assert!(first.daemons.iter().chain(&last.daemons).all(|daemon| !daemon.is_running()), "somebody is left");
    let (code, out, _) = told(&place.supervisor(&["status"]));
    assert!(code == 1 && out.contains("nothing runs from"), "{out}");
}

#[test]
fn what_cannot_start_is_named_and_leaves_nothing() {
    let place = Place(tempfile::tempdir().expect("a directory"));
    let (code, out, said) = told(&place.supervisor(&["up", "--baton", "/nowhere/baton"]));
    assert!(code == 1 && out.is_empty() && said.contains("/nowhere/baton"), "{out}{said}");
    assert!(place.state().daemons.is_empty());
}
