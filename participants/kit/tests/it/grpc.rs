//! The gRPC port as a caller sees it: Probe, health, reflection, stopping.

use crate::support;
use baton_participant_kit::codec::key_to_wire;
use baton_participant_kit::participant::{CommandDirection, CommandKey};
use baton_participant_kit::probe::{routes, service_names};
use baton_proto::baton::participant::v1 as wire;
use baton_proto::baton::participant::v1::participant_service_client::ParticipantServiceClient;
use baton_rpc::descriptors::Descriptors;
use baton_rpc::errors::DOMAIN;
use baton_rpc::server::{serve, with_health_and_reflection};
use baton_sql::database::{Database, DatabaseConfig};
use std::sync::Arc;
use std::time::Duration;
use support::batches;
use support::toy::{Mood, Toy, add, command};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::Code;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_types::StatusExt as _;

struct Port {
    url: String,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<Result<(), tonic::transport::Error>>,
}

async fn port(ledgers: Vec<Database>) -> Port {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = routes(Routes::default(), ledgers);
    let (routes, _health) = with_health_and_reflection(routes, &service_names(&[]), &Descriptors::engine()).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(serve(listener, routes, async move {
        let _ = stopped.await;
    }));
    Port { url, stop, served }
}

async fn channel(port: &Port) -> Channel {
    Endpoint::from_shared(port.url.clone()).unwrap().connect().await.unwrap()
}

async fn memory() -> Database {
    let database = Database::open(DatabaseConfig::SqliteMemory).await.unwrap();
    database.migrate(&baton_participant_kit::ledger::migrations(&Toy::default())).await.unwrap();
    database
}

#[tokio::test]
async fn probe_tells_what_any_of_the_ledgers_knows() {
    let (one, two) = (memory().await, memory().await);
    batches(&Arc::new(Toy::default()), &one).answer(&[add(1)]).await;
    batches(&Arc::new(Toy::default()), &two).answer(&[command(2, CommandDirection::Action, Mood::Reject)]).await;
    let port = port(vec![one, two]).await;
    let mut client = ParticipantServiceClient::new(channel(&port).await);
    let keys = [add(3).key, add(2).key, add(1).key].map(key_to_wire).to_vec();
    let known = client.probe(wire::ProbeRequest { keys: keys.clone() }).await.unwrap().into_inner().knowledge;
    let outcomes = known.iter().map(|one| one.answer.as_ref().and_then(|reply| reply.outcome.clone()));
    let outcomes = outcomes.collect::<Vec<_>>();
    assert_eq!(outcomes[0], None);
    assert!(matches!(&outcomes[1], Some(wire::reply::Outcome::Rejected(no)) if no.reason == "OUT_OF_STOCK"));
    assert!(matches!(&outcomes[2], Some(wire::reply::Outcome::Succeeded(yes)) if yes.output == "done"));
    assert_eq!(known.into_iter().filter_map(|one| one.key).collect::<Vec<_>>(), keys);
}

#[tokio::test]
async fn probe_refuses_bad_input_precisely() {
    let port = port(vec![memory().await]).await;
    let mut client = ParticipantServiceClient::new(channel(&port).await);
    let good = key_to_wire(CommandKey { saga: [1; 16], step: 0, direction: CommandDirection::Action });
    let short = wire::CommandKey { saga_id: vec![1; 15].into(), ..good.clone() };
    let far = wire::CommandKey { step: 64, ..good.clone() };
    let nowhere = wire::CommandKey { direction: 0, ..good.clone() };
    let unknown = wire::CommandKey { direction: 9, ..good.clone() };
    let table = [
        (vec![good.clone(); 257], "TOO_MANY_KEYS", "keys"),
        (vec![good.clone(), short], "COMMAND_KEY_INVALID", "keys[1]"),
        (vec![far], "COMMAND_KEY_INVALID", "keys[0]"),
        (vec![nowhere], "COMMAND_KEY_INVALID", "keys[0]"),
        (vec![unknown], "COMMAND_KEY_INVALID", "keys[0]"),
    ];
    for (keys, reason, field) in table {
        let status = client.probe(wire::ProbeRequest { keys }).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{reason}");
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, DOMAIN));
        assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, field);
    }
    let most = client.probe(wire::ProbeRequest { keys: vec![good; 256] }).await.unwrap();
    assert_eq!(most.into_inner().knowledge.len(), 256);
}

#[tokio::test]
async fn the_port_says_its_health_lists_its_services_and_stops() {
    let port = port(vec![memory().await]).await;
    let mut health = HealthClient::new(channel(&port).await);
    for service in ["", "baton.participant.v1.ParticipantService"] {
        let answer = health.check(HealthCheckRequest { service: service.to_owned() }).await.unwrap();
        assert_eq!(answer.into_inner().status, 1, "{service}");
    }
    let mut reflection = ServerReflectionClient::new(channel(&port).await);
    let ask = |what| ServerReflectionRequest { host: String::new(), message_request: Some(what) };
    let asks = vec![
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol("baton.participant.v1.ParticipantService".to_owned())),
    ];
    let mut answers = reflection.server_reflection_info(tokio_stream::iter(asks)).await.unwrap().into_inner();
    let listed = answers.message().await.unwrap().unwrap().message_response.unwrap();
    assert!(matches!(listed, MessageResponse::ListServicesResponse(list) if
        list.service.iter().any(|one| one.name == "baton.participant.v1.ParticipantService")));
    let file = answers.message().await.unwrap().unwrap().message_response.unwrap();
    assert!(matches!(file, MessageResponse::FileDescriptorResponse(_)));
    drop((answers, reflection, health));
    port.stop.send(()).unwrap();
    port.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_open_stream_does_not_hold_up_the_end() {
    let port = port(vec![memory().await]).await;
    let mut health = HealthClient::new(channel(&port).await);
    let watch = health.watch(HealthCheckRequest { service: String::new() }).await.unwrap();
    let mut stream = watch.into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap().status, 1);
    port.stop.send(()).unwrap();
    // The grace is 2 s; the rest is for a busy machine.
    tokio::time::timeout(Duration::from_secs(6), port.served).await.unwrap().unwrap().unwrap();
    drop(stream);
}
