//! Participants are names: one line links another one in, and the configuration may name those that run elsewhere.

use crate::support::BATON;
use async_trait::async_trait;
use baton::config::layers::Layers;
use baton::embedded::{ChaosAccess, Directory, Embedded};
use baton::linked::{Linked, LinkedParticipant};
use baton::shop::config::{SECTIONS, ShopConfig};
use baton::wiring::made;
use baton_participant_kit::participant::{Answer, Command, Participant};
use baton_sql::database::Tx;
use baton_sql::error::SqlError;
use baton_sql::migration::Migration;
use std::path::Path;
use std::process::Output;
use tonic::service::Routes;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

const SERVICE: &str = "travel.v1.AgencyService";

/// Does whatever it is asked to.
#[derive(Debug)]
struct Agency;

#[async_trait]
impl Participant for Agency {
    type Prepared = ();

    const PREPARES: bool = false;

    fn name(&self) -> &'static str {
        "agency"
    }

    fn commands(&self) -> &'static [&'static str] {
        &["agency.book", "agency.cancel"]
    }

    fn migrations(&self) -> &'static [Migration] {
        &[]
    }

    async fn prepare(&self, commands: &[Command]) -> Vec<()> {
        vec![(); commands.len()]
    }

    async fn handle(&self, _tx: &mut Tx, batch: &[(Command, ())]) -> Result<Vec<Answer>, SqlError> {
        Ok(batch.iter().map(|_| Answer::done()).collect())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_line_links_another_participant_in() {
    baton::tls::install();
    let any = |key: &str| (key.to_owned(), "127.0.0.1:0".to_owned(), "--set".to_owned());
    let flags = [any("server.listen"), any("server.admin_listen")];
    let layers = Layers::stack(&[SECTIONS], None, [], &flags).expect("its keys exist");
    let mut linked = Linked::of(&ShopConfig::of(&layers).expect("sound"));
    linked
        .participants
        .push(LinkedParticipant::new("agency", |database| Ok(made(Agency, Routes::default(), &[SERVICE], database))));

    let dir = tempfile::tempdir().expect("a directory");
    let directory = Directory::lock(dir.path()).expect("it is ours");
    let config = layers.config().expect("sound");
    let embedded = Embedded::start(&config, &linked, directory, ChaosAccess::OnLoopback).await.expect("it starts");
    assert!(dir.path().join("agency.db").is_file(), "it has a database of its own");
    let endpoint = Endpoint::from_shared(format!("http://{}", embedded.address)).expect("an address");
    let mut client = HealthClient::new(endpoint.connect().await.expect("it listens"));
    let asked = client.check(HealthCheckRequest { service: SERVICE.to_owned() }).await.expect("it is known");
    assert_eq!(asked.into_inner().status(), ServingStatus::Serving);
    embedded.stop().await;
}

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
