//! Requests that are no messages, over a real port: every error carries the `ErrorInfo` that docs/errors.md promises.

use baton_proto::baton::participant::v1 as wire;
use baton_proto::baton::participant::v1::participant_service_client::ParticipantServiceClient;
use baton_proto::baton::participant::v1::participant_service_server::{ParticipantService, ParticipantServiceServer};
use baton_rpc::descriptors::Descriptors;
use baton_rpc::errors::DOMAIN;
use baton_rpc::server::{serve, with_health_and_reflection};
use http_body_util::Full;
use std::future::poll_fn;
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;
use tower::Service as _;

const PROBE: &str = "/baton.participant.v1.ParticipantService/Probe";
const NO_METHOD: &str = "/baton.participant.v1.ParticipantService/No";
const NO_SERVICE: &str = "/nobody.v1.Nobody/No";
const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// Knows nothing; asked for one key it fails as this code base does, asked for two as a library would.
#[derive(Debug)]
struct Participant;

#[tonic::async_trait]
impl ParticipantService for Participant {
    async fn probe(&self, request: Request<wire::ProbeRequest>) -> Result<Response<wire::ProbeResponse>, Status> {
        match request.into_inner().keys.len() {
            1 => Err(baton_rpc::errors::status(Code::Internal, "INTERNAL", "internal error")),
            2 => Err(Status::internal("Error encoding: no room")),
            _ => Ok(Response::new(wire::ProbeResponse { knowledge: Vec::new() })),
        }
    }
}

async fn connect() -> Channel {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = Routes::new(ParticipantServiceServer::new(Participant));
    let (routes, _health) = with_health_and_reflection(routes, &[], &Descriptors::engine()).await;
    tokio::spawn(serve(listener, routes, std::future::pending()));
    Endpoint::from_shared(url).unwrap().connect().await.unwrap()
}

/// Sends one frame: a flag, a length, and what should be a message.
async fn send(mut channel: Channel, path: &str, encoding: &str, flag: u8, message: &[u8]) -> Status {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let frame: Vec<u8> = [&[flag], &length[..], message].concat();
    let request = http::Request::post(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-encoding", encoding)
        .body(Body::new(Full::new(frame.into())))
        .unwrap();
    poll_fn(|context| channel.poll_ready(context)).await.unwrap();
    let answer = channel.call(request).await.unwrap();
    Status::from_header_map(answer.headers()).expect("refused before anything was answered")
}

/// What it is, its path, encoding, flag and bytes; then the code and the reason it is refused with.
type Case = (&'static str, &'static str, &'static str, u8, &'static [u8], Code, &'static str);

#[tokio::test]
async fn a_request_that_cannot_be_read_is_the_callers_fault_and_says_so() {
    let channel = connect().await;
    let cases: [Case; 7] = [
        ("cut off", PROBE, "identity", 0, &[0x0a, 0x7f], Code::InvalidArgument, "MESSAGE_MALFORMED"),
        ("no field", PROBE, "identity", 0, &[0xff; 12], Code::InvalidArgument, "MESSAGE_MALFORMED"),
        ("not UTF-8", HEALTH, "identity", 0, &[0x0a, 1, 0xff], Code::InvalidArgument, "MESSAGE_MALFORMED"),
        ("a flag of none", PROBE, "identity", 9, &[], Code::InvalidArgument, "MESSAGE_MALFORMED"),
        ("compressed", PROBE, "gzip", 1, &[1, 2, 3], Code::Unimplemented, "COMPRESSION_UNSUPPORTED"),
        ("method", NO_METHOD, "identity", 0, &[], Code::Unimplemented, "UNKNOWN_METHOD"),
        ("service", NO_SERVICE, "identity", 0, &[], Code::Unimplemented, "UNKNOWN_METHOD"),
    ];
    for (what, path, encoding, flag, message, code, reason) in cases {
        let status = send(channel.clone(), path, encoding, flag, message).await;
        assert_eq!(status.code(), code, "{what}: {status:?}");
        let info = status.get_details_error_info().unwrap_or_else(|| panic!("{what}: {status:?}"));
        assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, DOMAIN), "{what}");
        assert!(!status.message().is_empty(), "{what}");
    }
}

#[tokio::test]
async fn a_defect_stays_one_and_health_speaks_for_itself() {
    let channel = connect().await;
    let key = wire::CommandKey { saga_id: vec![1; 16].into(), step: 0, direction: 1 };
    let probe = async |keys: usize| {
        let request = wire::ProbeRequest { keys: vec![key.clone(); keys] };
        ParticipantServiceClient::new(channel.clone()).probe(request).await
    };
    for (keys, message) in [(1, "internal error"), (2, "Error encoding: no room")] {
        let status = probe(keys).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Internal, message));
        assert_eq!(status.get_details_error_info().unwrap().reason, "INTERNAL", "{message}");
    }
    assert!(probe(0).await.is_ok());
    let unknown = HealthCheckRequest { service: "nobody".to_owned() };
    let status = HealthClient::new(channel.clone()).check(unknown).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert!(status.details().is_empty(), "as its own protocol has it: {status:?}");
}
