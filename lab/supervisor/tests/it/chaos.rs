//! `baton-supervisor chaos`: participants that outlive the command which started them are killed, revived and still stopped
//! at the end.
//!
//! The `baton` that is revived is this test once more, in a role: it listens where the participant's readiness is asked for.

use baton_proto::baton::dev::v1::chaos_service_client::ChaosServiceClient;
use baton_proto::baton::dev::v1::{KillTargetRequest, ListChaosTargetsRequest, ReviveTargetRequest};
use baton_supervisor::daemon::{Daemon, State};
use baton_supervisor::stack::{Endpoints, SHOP};
use baton_supervisor::{Lifetime, Probe, Process, port};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

const ROLE: &str = "BATON_TEST_LISTENS_AT";

/// Not a test on its own: a participant that is ready at once. Without the role it does nothing.
#[test]
fn the_participant() {
    let Ok(port) = std::env::var(ROLE) else { return };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.parse().unwrap())).unwrap();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        // Whoever asked may have gone.
        let _ = stream.read(&mut [0; 512]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
}

/// A stack of participants alone, as `up` would have left it.
struct Left {
    dir: tempfile::TempDir,
    baton: PathBuf,
    chaos: Process,
    port: u16,
}

impl Left {
    async fn behind() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ports = SHOP.map(|name| (name.to_owned(), (0, port::free().unwrap())));
        let baton = binary(dir.path(), &ports);
        let endpoints = Endpoints {
            mariadb: 0,
            rabbitmq: 0,
            rabbitmq_dist: 0,
            rabbitmq_mapper: 0,
            redis: 0,
            provider: 0,
            participants: ports.into_iter().collect(),
            orchestrators: Vec::new(),
            chaos: Some(port::free().unwrap()),
        };
        let port = endpoints.chaos.unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton-supervisor"));
        command.arg("chaos").arg("--dir").arg(dir.path()).arg("--baton").arg(&baton);
        command.args(["--port", &port.to_string()]);
        let chaos = Process::spawn(command, dir.path(), "chaos").unwrap();
        let mut daemons = vec![Daemon::of(&chaos).unwrap()];
        for name in SHOP {
            let mut command = Command::new(&baton);
            command.args(["--config", "none", "participant", name]);
            let process = Process::spawn_for(command, dir.path(), name, Lifetime::Detached).unwrap();
            daemons.push(Daemon::of(&process).unwrap());
        }
        State { endpoints: Some(endpoints), daemons }.save(dir.path()).unwrap();
        chaos.wait_ready(&Probe::tcp(port)).await.unwrap();
        Self { dir, baton, chaos, port }
    }

    async fn client(&self) -> ChaosServiceClient<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{}", self.port)).unwrap();
        ChaosServiceClient::new(endpoint.connect().await.unwrap())
    }

    fn daemon(&self, name: &str) -> Daemon {
        let state = State::load(self.dir.path()).unwrap();
        state.daemons.into_iter().find(|daemon| daemon.name == name).unwrap()
    }

    fn stop(&self) -> usize {
        State::load(self.dir.path()).unwrap().stop(self.dir.path()).unwrap()
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        // Also when a test failed: nobody else would end them.
        if let Ok(mut state) = State::load(self.dir.path()) {
            let _ = state.stop(self.dir.path());
        }
    }
}

/// What stands for `baton --config FILE participant NAME`.
fn binary(dir: &Path, ports: &[(String, (u16, u16))]) -> PathBuf {
    let cases: String = ports.iter().map(|(name, (_, port))| format!("{name}) port={port};;\n")).collect();
    let us = std::env::current_exe().unwrap();
    let path = dir.join("baton");
    let text = format!(
        "#!/bin/sh\ncase \"$4\" in\n{cases}esac\n{ROLE}=$port exec '{}' chaos::the_participant --exact\n",
        us.display()
    );
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

async fn alive(client: &mut ChaosServiceClient<Channel>) -> Vec<String> {
    let targets = client.list_chaos_targets(ListChaosTargetsRequest {}).await.unwrap().into_inner().targets;
    targets.into_iter().filter(|target| target.alive).map(|target| target.target).collect()
}

async fn kill(client: &mut ChaosServiceClient<Channel>, target: &str) -> bool {
    let request = KillTargetRequest { target: target.to_owned() };
    client.kill_target(request).await.unwrap().into_inner().target.unwrap().alive
}

async fn revive(client: &mut ChaosServiceClient<Channel>, target: &str) -> bool {
    let request = ReviveTargetRequest { target: target.to_owned() };
    client.revive_target(request).await.unwrap().into_inner().target.unwrap().alive
}

#[tokio::test]
async fn who_is_killed_and_revived_is_written_down_and_stopped_at_the_end() {
    let left = Left::behind().await;
    let mut client = left.client().await;
    let (first, neighbour) = (left.daemon("stock"), left.daemon("payment"));
    assert_eq!(alive(&mut client).await, SHOP);

    assert!(!kill(&mut client, "stock").await);
    assert!(!first.is_running() && neighbour.is_running(), "stock alone");
    assert_eq!(alive(&mut client).await, ["order", "payment"]);
    assert!(!kill(&mut client, "stock").await, "killing what is dead changes nothing");
    assert_eq!(left.daemon("stock"), first);

    assert!(revive(&mut client, "stock").await);
    let second = left.daemon("stock");
    assert!(second.is_running() && second.pid != first.pid);
    assert!(revive(&mut client, "stock").await, "reviving what is alive changes nothing");
    assert_eq!(left.daemon("stock"), second);

    // Now one of ours, and not of whoever came before.
    assert!(!kill(&mut client, "stock").await);
    assert!(!second.is_running());
    assert!(revive(&mut client, "stock").await);

    let last: Vec<Daemon> = SHOP.iter().map(|name| left.daemon(name)).collect();
    assert_eq!(left.stop(), 4, "chaos and three participants");
    assert!(last.iter().all(|daemon| !daemon.is_running()) && !left.chaos.is_running());
    assert!(State::load(left.dir.path()).unwrap().daemons.is_empty());
}

#[tokio::test]
async fn what_cannot_be_done_is_refused() {
    let left = Left::behind().await;
    let mut client = left.client().await;
    let unknown = client.kill_target(Request::new(KillTargetRequest { target: "redis".to_owned() })).await.unwrap_err();
    assert_eq!(unknown.message(), "target: must be one of order, payment, stock");
    assert_eq!(unknown.get_details_error_info().unwrap().reason, "TARGET_UNKNOWN");

    assert!(!kill(&mut client, "order").await);
    std::fs::write(&left.baton, "#!/bin/sh\necho the database is gone; exit 3\n").unwrap();
    let failed = client.revive_target(ReviveTargetRequest { target: "order".to_owned() }).await.unwrap_err();
    assert_eq!((failed.code(), failed.message()), (Code::Internal, "order was not revived; the log says why"));
    assert!(left.chaos.log_tail().contains("the database is gone"), "{}", left.chaos.log_tail());
    assert_eq!(alive(&mut client).await, ["payment", "stock"]);
}
