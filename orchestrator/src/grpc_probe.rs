//! Probes over gRPC; the seam is [`baton_engine::workers::probe`].

use async_trait::async_trait;
use baton_engine::workers::inbox::reply_of;
use baton_engine::workers::probe::{MAX_KEYS, Probe};
use baton_proto::baton::participant::v1 as wire;
use baton_proto::baton::participant::v1::participant_service_client::ParticipantServiceClient;
use bytes::Bytes;
use saga_core::event::Reply;
use saga_core::saga::{CommandId, Direction, SagaId};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;
use tonic::Code;
use tonic::body;
use tonic::client::GrpcService;
use tonic::codegen::{Body, StdError};
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// A probe is a shortcut: if it takes longer than this the command is simply repeated.
const PATIENCE: Duration = Duration::from_millis(500);

/// How a participant is reached.
#[derive(Clone, Debug)]
pub struct Reached<T = Channel> {
    /// A router in this process is a channel too.
    pub channel: T,
    /// Its own gRPC service: in one process with others, its health is the participant's. Empty if it has none.
    pub service: String,
}

/// Probes over gRPC.
#[derive(Clone, Debug, Default)]
pub struct GrpcProbe<T = Channel> {
    participants: BTreeMap<String, Reached<T>>,
}

impl<T> GrpcProbe<T> {
    /// A probe over channels by participant name.
    #[must_use]
    pub fn new(participants: BTreeMap<String, Reached<T>>) -> Self {
        Self { participants }
    }
}

#[async_trait]
impl<T> Probe for GrpcProbe<T>
where
    T: GrpcService<body::Body, ResponseBody: Send + 'static> + Clone + fmt::Debug + Send + Sync + 'static,
    T::Error: Into<StdError>,
    T::Future: Send,
    T::ResponseBody: Body<Data = Bytes>,
    <T::ResponseBody as Body>::Error: Into<StdError> + Send,
{
    async fn ask(&self, participant: &str, commands: &[CommandId]) -> Option<Vec<(SagaId, Reply)>> {
        let channel = &self.participants.get(participant)?.channel;
        let keys = commands.iter().take(MAX_KEYS).map(key_of).collect();
        let mut client = ParticipantServiceClient::new(channel.clone());
        let request = wire::ProbeRequest { keys };
        match tokio::time::timeout(PATIENCE, client.probe(request)).await {
            Ok(Ok(response)) => {
                let knowledge = response.into_inner().knowledge;
                Some(knowledge.into_iter().filter_map(|known| known.answer).filter_map(reply_of).collect())
            }
            Ok(Err(status)) => {
                tracing::debug!(participant, code = ?status.code(), "probe refused");
                None
            }
            Err(_) => {
                tracing::debug!(participant, "probe timed out");
                None
            }
        }
    }

    async fn healthy(&self, participant: &str) -> Result<(), String> {
        let Reached { channel, service } =
            self.participants.get(participant).ok_or("no endpoint is configured for it")?;
        let mut client = HealthClient::new(channel.clone());
        let service = service.clone();
        match client.check(HealthCheckRequest { service }).await.map(|answer| answer.into_inner().status()) {
            Ok(ServingStatus::Serving) => Ok(()),
            Ok(other) => Err(format!("it says {}", other.as_str_name())),
            Err(status) if status.code() == Code::Unavailable => Err("it cannot be reached".to_owned()),
            Err(status) => Err(format!("its health cannot be told: {:?}", status.code())),
        }
    }
}

fn key_of(command: &CommandId) -> wire::CommandKey {
    let direction = match command.direction {
        Direction::Action => wire::Direction::Action,
        Direction::Undo => wire::Direction::Undo,
    };
    wire::CommandKey {
        saga_id: Bytes::copy_from_slice(&command.saga.0),
        step: u32::from(command.step),
        direction: direction.into(),
    }
}
