//! What operators do beside single sagas, from one table through gRPC, the command line and HTTP alike: jobs, holds,
//! definitions, overview, audit. Each way gives the same answers.

use crate::support;
use bytes::{Buf as _, BufMut as _, Bytes};
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::{Value, json};
use std::process::Command;
use support::{BATON, Dev, PATIENCE};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

/// One thing to do, as each way says it: the same fields, the same answer.
struct Step {
    /// The gRPC method, and its request as proto3 JSON.
    rpc: (&'static str, Value),
    /// The command line behind `baton -o json`.
    cli: Vec<String>,
    /// HTTP method, path and query, body.
    http: (&'static str, String, Value),
}

/// One way to operate.
enum Way {
    Grpc(Channel),
    Cli(String),
    Http(String),
}

impl Way {
    fn name(&self) -> &'static str {
        match self {
            Self::Grpc(_) => "gRPC",
            Self::Cli(_) => "command line",
            Self::Http(_) => "HTTP",
        }
    }

    /// The answer, or the reason of the refusal.
    async fn take(&self, step: &Step) -> Result<Value, String> {
        match self {
            Self::Grpc(channel) => called(channel.clone(), step.rpc.0, &step.rpc.1).await,
            Self::Cli(server) => {
                let mut command = Command::new(BATON);
                command.env_clear().args(["--server", server, "-o", "json", "--quiet"]).args(&step.cli);
                let done = command.output().expect("it runs");
                let said = String::from_utf8_lossy(&done.stderr).into_owned();
                if done.status.success() {
                    return Ok(serde_json::from_slice(&done.stdout).unwrap_or_else(|error| panic!("{error}: {said}")));
                }
                let reason = said.trim_start_matches("error: ").split(':').next().unwrap_or_default();
                Err(reason.to_owned())
            }
            Self::Http(base) => {
                let client = reqwest::Client::new();
                let (method, path, body) = &step.http;
                let url = format!("{base}/api/v1/{path}");
                let request = match *method {
                    "GET" => client.get(url),
                    _ => client.post(url).json(body),
                };
                let answer = request.send().await.expect("an answer");
                let is_well = answer.status().is_success();
                let answer: Value = answer.json().await.expect("JSON");
                if is_well { Ok(answer) } else { Err(answer["reason"].as_str().unwrap_or_default().to_owned()) }
            }
        }
    }
}

/// Passes messages on as bytes: what they say is told by the descriptors that the server has too.
#[derive(Clone, Copy, Debug, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;
    fn encoder(&mut self) -> Self {
        Self
    }
    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;
    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;
    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

async fn called(channel: Channel, method: &str, request: &Value) -> Result<Value, String> {
    let pool = DescriptorPool::decode(baton_proto::DESCRIPTORS).expect("descriptors");
    let service = pool.get_service_by_name("baton.saga.v1.SagaAdminService").expect("the service");
    let found = service.methods().find(|it| it.name() == method).unwrap_or_else(|| panic!("no {method}"));
    let message = DynamicMessage::deserialize(found.input(), request).expect("a request");
    let path = format!("/baton.saga.v1.SagaAdminService/{method}").parse().expect("a path");
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.expect("ready");
    let answer = client.unary(Request::new(Bytes::from(message.encode_to_vec())), path, Raw).await;
    let answer =
        answer.map_err(|status| status.get_details_error_info().map(|info| info.reason).unwrap_or_default())?;
    Ok(shown(found.output(), answer.into_inner()))
}

fn shown(descriptor: MessageDescriptor, bytes: Bytes) -> Value {
    let message = DynamicMessage::decode(descriptor, bytes).expect("an answer");
    serde_json::to_value(message).expect("JSON")
}

/// The elements of a list; proto3 JSON may leave out what is empty.
fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn words(line: &str) -> Vec<String> {
    line.split('|').map(|word| word.trim().to_owned()).collect()
}

fn create_job(verb: &str, wire: &str, filter: &str, dry_run: bool) -> Step {
    let body = json!({
        "filter": filter, "verb": wire, "reason": "practice", "actor": "ada", "maxRate": 1000, "validateOnly": dry_run,
    });
    let line = format!(
        "jobs|create|--verb|{verb}|--filter|{filter}|--reason|practice|--actor|ada|--max-rate|1000{}",
        if dry_run { "|--dry-run" } else { "|--yes" }
    );
    Step { rpc: ("CreateJob", body.clone()), cli: words(&line), http: ("POST", "jobs".to_owned(), body) }
}

fn get(rpc: &'static str, field: &str, name: &str, cli: &str, path: &str) -> Step {
    Step { rpc: (rpc, json!({ field: name })), cli: words(cli), http: ("GET", path.to_owned(), Value::Null) }
}

fn plain(rpc: &'static str, cli: &str, path: &str) -> Step {
    Step { rpc: (rpc, json!({})), cli: words(cli), http: ("GET", path.to_owned(), Value::Null) }
}

fn hold(rpc: &'static str, verb: &str, name: &str) -> Step {
    let why = json!({ "reason": "practice", "actor": "ada" });
    let body = json!({ "name": name, "reason": "practice", "actor": "ada" });
    let http = match rpc {
        "CreateHold" => ("POST", "holds".to_owned(), body.clone()),
        _ => ("POST", format!("{name}:release"), why),
    };
    let cli = words(&format!("holds|{verb}|{name}|--reason|practice|--actor|ada"));
    Step { rpc: (rpc, body), cli, http }
}

async fn ways(dev: &Dev) -> [Way; 3] {
    baton::tls::install();
    let endpoint = Endpoint::from_shared(format!("http://{}", dev.address())).expect("an address");
    let channel = endpoint.connect().await.expect("it connects");
    [Way::Grpc(channel), Way::Cli(dev.address()), Way::Http(format!("http://127.0.0.1:{}", dev.admin))]
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_counted_run_followed_and_refused_alike() {
    let dir = tempfile::tempdir().expect("a directory");
    let dev = Dev::start(dir.path()).await;
    let demo = support::Demo::start(dir.path(), "orders", &dev.address(), &dev.provider_url(), 150, 50);
    demo.expect_clean("before operators come").await;
    for way in ways(&dev).await {
        let named = way.name();
        let take = async |step: Step| way.take(&step).await;
        let counted = take(create_job("cancel", "SAGA_VERB_CANCEL", "state = completed", true)).await.expect(named);
        let matched = counted["job"]["matched"].clone();
        let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
        let completed = number(&matched).unwrap_or_else(|| panic!("{named}: {counted}"));
        assert!(completed > 0, "{named}: {counted}");

        let created = take(create_job("cancel", "SAGA_VERB_CANCEL", "state = completed", false)).await.expect(named);
        let job = created["job"]["name"].as_str().expect("a name").to_owned();
        let patience = tokio::time::Instant::now() + PATIENCE;
        let done = loop {
            let found = take(get("GetJob", "name", &job, &format!("jobs|get|{job}"), &job)).await.expect(named);
            let state = found["job"]["state"].as_str().unwrap_or_default().to_owned();
            if state.ends_with("DONE") {
                break found;
            }
            assert!(tokio::time::Instant::now() < patience, "{named}: {found}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        };
        // Proto3 JSON leaves out what is zero.
        assert_eq!(number(&done["job"]["done"]).unwrap_or(0), 0, "{named}: what has ended refuses");
        assert_eq!(number(&done["job"]["failed"]), Some(completed), "{named}");
        let cli = format!("jobs|failures|{job}");
        let failures =
            take(get("ListJobFailures", "parent", &job, &cli, &format!("{job}/failures"))).await.expect(named);
        let failures = list(&failures["failures"]);
        assert_eq!(failures.len() as u64, completed, "{named}");
        assert!(failures.iter().all(|failure| failure["rule"] == "ENDED"), "{named}: {failures:?}");

        for (filter, reason) in [("stat = stuck", "FILTER_INVALID"), ("", "FIELD_REQUIRED")] {
            let refused = take(create_job("cancel", "SAGA_VERB_CANCEL", filter, true)).await.expect_err(named);
            assert_eq!(refused, reason, "{named}: {filter:?}");
        }
        let unknown = "jobs/00000000-0000-0000-0000-000000000000";
        let refused =
            take(get("GetJob", "name", unknown, &format!("jobs|get|{unknown}"), unknown)).await.expect_err(named);
        assert_eq!(refused, "JOB_NOT_FOUND", "{named}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_definitions_overview_and_audit_are_told_alike() {
    let dir = tempfile::tempdir().expect("a directory");
    let dev = Dev::start(dir.path()).await;
    let (mut acts, mut told) = (0, Vec::new());
    for way in ways(&dev).await {
        let named = way.name();
        let take = async |step: Step| way.take(&step).await;
        let name = "holds/participants/stock";
        let held = take(hold("CreateHold", "create", name)).await.expect(named);
        assert_eq!(held["hold"]["name"], name, "{named}");
        let holds = take(plain("ListHolds", "holds|list", "holds")).await.expect(named);
        assert_eq!(list(&holds["holds"]).len(), 1, "{named}: {holds}");
        take(hold("ReleaseHold", "release", name)).await.expect(named);
        let patience = tokio::time::Instant::now() + PATIENCE;
        while !list(&take(plain("ListHolds", "holds|list", "holds")).await.expect(named)["holds"]).is_empty() {
            assert!(tokio::time::Instant::now() < patience, "{named}: the hold stays");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let refused = take(hold("ReleaseHold", "release", name)).await.expect_err(named);
        assert_eq!(refused, "HOLD_NOT_FOUND", "{named}");

        acts += 2;
        let audit = take(plain("ListAuditEntries", "audit|list", "auditEntries")).await.expect(named);
        let entries = list(&audit["entries"]);
        assert_eq!(entries.len(), acts, "{named}: {audit}");
        assert_eq!((&entries[0]["act"], &entries[1]["act"]), (&json!("release"), &json!("hold")), "{named}");
        assert!(entries.iter().all(|entry| entry["subject"] == name && entry["actor"] == "ada"), "{named}");

        let all = take(plain("ListDefinitions", "definitions|list", "definitions")).await.expect(named);
        assert_eq!(all["definitions"][0]["name"], "definitions/order/versions/1", "{named}: {all}");
        let overview = take(plain("GetOverview", "overview", "overview")).await.expect(named);
        assert_eq!(overview["states"].as_array().map(Vec::len), Some(6), "{named}: {overview}");
        let components = overview["components"].as_array().expect("components");
        assert!(components.iter().all(|component| component["healthy"] == true), "{named}: {overview}");
        assert!(components.len() >= 4, "{named}: three participants and an orchestrator");
        told.push(all);
    }
    let [_, cli, http] = told.try_into().expect("three ways");
    assert_eq!(cli, http, "the command line prints what HTTP prints, empty fields too");
}
