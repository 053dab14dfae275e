//! The configuration as a user meets it: origins, masked secrets, mistyped keys.

use std::process::{Command, Output};

fn baton(args: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
    command.args(args).env_clear().envs(environment.iter().copied());
    command.output().expect("the binary runs")
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const SECRETS: [(&str, &str); 3] = [
    ("BATON_STORE__URL", "mysql://user:canary-one@127.0.0.1:3306/s"),
    ("BATON_BUS__URL", "amqp://user:canary-two@127.0.0.1:5672/%2f"),
    ("BATON_PROVIDER__SECRET", "canary-three"),
];

#[test]
fn print_config_masks_secrets_and_names_origins() {
    for format in ["table", "json"] {
        let printed = stdout(&baton(&["--print-config", "-o", format, "--set", "engine.max_batch=7"], &SECRETS));
        assert!(!printed.contains("canary"), "{printed}");
        assert!(printed.contains("mysql://user:***@127.0.0.1:3306/s"), "{printed}");
        for origin in ["environment BATON_STORE__URL", "environment BATON_PROVIDER__SECRET", "flag --set", "default"] {
            assert!(printed.contains(origin), "{origin} is missing in {printed}");
        }
    }
}

#[test]
fn print_config_can_be_read_again() {
    let printed = stdout(&baton(&["--print-config"], &[]));
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("printed.toml");
    std::fs::write(&file, &printed).expect("a file");
    let again = stdout(&baton(&["--print-config", "--config", file.to_str().expect("UTF-8")], &[]));
    let values = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split("  #").next().unwrap_or_default().trim().to_owned()).collect()
    };
    // The provider's secret is printed as ***, and so is read as that.
    assert_eq!(values(&printed), values(&again));
}

#[test]
fn a_secret_file_beats_nothing_and_is_masked() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("secret");
    std::fs::write(&file, "canary-four\n").expect("a file");
    let environment = [("BATON_PROVIDER__SECRET_FILE", file.to_str().expect("UTF-8"))];
    let printed = stdout(&baton(&["--print-config"], &environment));
    assert!(printed.contains("file named by BATON_PROVIDER__SECRET_FILE") && !printed.contains("canary"), "{printed}");
}

#[test]
fn unknown_keys_name_the_nearest() {
    let said = |output: &Output| {
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let from_environment = said(&baton(&["config", "check"], &[("BATON_ENGINE__MAX_BACH", "1")]));
    assert!(from_environment.contains("did you mean `engine.max_batch`?"), "{from_environment}");
    let from_flag = said(&baton(&["config", "check", "--set", "server.admin_listn=x"], &[]));
    assert!(from_flag.contains("did you mean `server.admin_listen`?"), "{from_flag}");
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("baton.toml");
    std::fs::write(&file, "[sever]\nlisten = \"127.0.0.1:1\"\n").expect("a file");
    let from_file = said(&baton(&["config", "check", "--config", file.to_str().expect("UTF-8")], &[]));
    assert!(from_file.contains("baton.toml") && from_file.contains("did you mean `server.listen`?"), "{from_file}");
}

#[test]
fn a_variable_without_section_is_pointed_out() {
    let output = baton(&["config", "check"], &[("BATON_STORE_URL", "mysql://u:canary@h/s")]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("BATON_STORE_URL") && !said.contains("canary"), "{said}");
}

#[test]
fn wrong_values_do_not_leak_secrets() {
    let output = baton(&["config", "check"], &[("BATON_STORE__URL", "canary://u:canary@h")]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("store.url") && !said.contains("canary"), "{said}");
}
