//! A saga is one file and one line, a participant the same; trips then come to both of their ends.

use baton::config::layers::Layers;
use baton::embedded::{ChaosAccess, Directory, Embedded};
use baton::linked::{Linked, LinkedParticipant};
use baton::shop::config::{SECTIONS, ShopConfig};
use baton::wiring::made;
use baton_participant_kit::single::OneAtATime;
use baton_proto::baton::saga::v1 as wire;
use baton_proto::baton::saga::v1::saga_service_client::SagaServiceClient;
use baton_sql::database::{Database, DatabaseConfig};
use saga_testing::exhaust::{Bounds, exhaust};
use std::path::Path;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use trip::agency::Agency;
use trip::saga::{Trip, TripSaga};

const SERVICE: &str = "travel.v1.AgencyService";

/// Everything of `baton dev`, with trips.
async fn start(directory: &Path) -> (Embedded, Channel) {
    baton::tls::install();
    let any = |key: &str| (key.to_owned(), "127.0.0.1:0".to_owned(), "--set".to_owned());
    let flags = [any("server.listen"), any("server.admin_listen")];
    let layers = Layers::stack(&[SECTIONS], None, [], &flags).expect("its keys exist");
    let mut linked = Linked::of(&ShopConfig::of(&layers).expect("sound"));
    linked.sagas = linked.sagas.with(TripSaga::new());
    linked
        .participants
        .push(LinkedParticipant::new("agency", |db| Ok(made(OneAtATime(Agency), Routes::default(), &[SERVICE], db))));

    let config = layers.config().expect("sound");
    let directory = Directory::lock(directory).expect("it is ours");
    let embedded = Embedded::start(&config, &linked, directory, ChaosAccess::OnLoopback).await.expect("it starts");
    let endpoint = Endpoint::from_shared(format!("http://{}", embedded.address)).expect("an address");
    (embedded, endpoint.connect().await.expect("it listens"))
}

/// Starts a trip and watches it to its end.
async fn travel(channel: &Channel, trip: &Trip) -> wire::Saga {
    let mut sagas = SagaServiceClient::new(channel.clone());
    let request = wire::StartSagaRequest {
        request_id: uuid::Uuid::now_v7().to_string(),
        definition: "trip".to_owned(),
        input: serde_json::to_vec(trip).expect("JSON").into(),
    };
    let saga = sagas.start_saga(request).await.expect("started").into_inner().saga.expect("a saga");
    let request = wire::WatchSagaRequest { name: saga.name, ..wire::WatchSagaRequest::default() };
    let mut states = sagas.watch_saga(request).await.expect("watched").into_inner();
    let mut last = None;
    while let Some(state) = states.message().await.expect("the stream goes on") {
        last = state.saga;
    }
    last.expect("a saga")
}

fn trip(number: &str, seats: u32) -> Trip {
    Trip { number: number.to_owned(), nights: 2, seats }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saga_and_a_participant_are_linked_in_by_a_line_each() {
    let dir = tempfile::tempdir().expect("a directory");
    let (embedded, channel) = start(dir.path()).await;
    let mut health = HealthClient::new(channel.clone());
    let asked = health.check(HealthCheckRequest { service: SERVICE.to_owned() }).await.expect("it is known");
    assert_eq!(asked.into_inner().status(), ServingStatus::Serving);

    let gone = travel(&channel, &trip("T-1", 2)).await;
    assert_eq!((gone.state(), gone.business_key.as_str()), (wire::SagaState::Completed, "T-1"));
    let undone = travel(&channel, &trip("T-2", 10)).await;
    assert_eq!(undone.state(), wire::SagaState::Compensated);
    let status = SagaServiceClient::new(channel)
        .start_saga(wire::StartSagaRequest {
            request_id: uuid::Uuid::now_v7().to_string(),
            definition: "trip".to_owned(),
            input: r#"{"number": "T-3", "nights": 0, "seats": 1}"#.into(),
        })
        .await
        .expect_err("no night");
    assert!(status.message().contains("nights"), "{status}");
    embedded.stop().await;

    let file = DatabaseConfig::sqlite(dir.path().join("agency.db"));
    let database = Database::open(file).await.expect("its own database");
    let rows = database.query("SELECT trip FROM booking", Vec::new()).await.expect("bookings");
    let booked: Vec<String> = rows.iter().map(|row| row.text(0).expect("a number").to_owned()).collect();
    assert_eq!(booked, ["T-1"], "what was undone is taken back");
}

#[test]
fn no_path_of_a_trip_breaks_a_law() {
    use baton_orchestrator::sagas::SagaType as _;
    exhaust(TripSaga::new().definition(), Bounds::default()).expect("every state keeps every law");
}
