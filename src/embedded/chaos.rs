//! Killing and reviving, and the shared Probe, of the embedded shape: who is alive, and who is not.

use crate::embedded::restartable::Restartable;
use baton_orchestrator::operations::reason::SagaReason;
use baton_participant_kit::probe::ProbeService;
use baton_proto::baton::dev::v1 as wire;
use baton_proto::baton::participant::v1::participant_service_server::{ParticipantService, ParticipantServiceServer};
use baton_proto::baton::participant::v1::{ProbeRequest, ProbeResponse};
use baton_rpc::chaos::Mortals;
use baton_rpc::server::Health;
use std::sync::{Arc, OnceLock};
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService as _;
use tonic::{Request, Response, Status};

/// Everybody in this process who can be killed.
#[derive(Clone, Debug)]
pub struct Cast {
    /// By name.
    pub participants: Vec<Arc<Restartable>>,
    port: Arc<OnceLock<(Health, CancellationToken)>>,
}

impl Cast {
    /// Of these.
    #[must_use]
    pub fn new(participants: Vec<Arc<Restartable>>) -> Self {
        Self { participants, port: Arc::default() }
    }

    /// From now on the port's health says who is alive, until the port is told to `stop`. It is known only once all services
    /// of the port are; the first one stays.
    pub fn report_to(&self, health: Health, stop: CancellationToken) {
        self.port.get_or_init(|| (health, stop));
    }

    /// A participant's services take calls while it is alive, Probe while all are.
    async fn tell(&self) {
        let Some((health, _)) = self.port.get().filter(|(_, stop)| !stop.is_cancelled()) else { return };
        for participant in &self.participants {
            for service in participant.services {
                health.set_service(service, participant.alive()).await;
            }
        }
        let all = self.participants.iter().all(|participant| participant.alive());
        health.set_service(ParticipantServiceServer::<Self>::NAME, all).await;
    }

    fn find(&self, name: &str) -> Result<&Arc<Restartable>, String> {
        self.participants
            .iter()
            .find(|participant| participant.name == name)
            .ok_or_else(|| format!("there is no {name}"))
    }
}

#[tonic::async_trait]
impl Mortals for Cast {
    fn list(&self) -> Result<Vec<wire::ChaosTarget>, String> {
        let told = |it: &Arc<Restartable>| wire::ChaosTarget { target: it.name.to_owned(), alive: it.alive() };
        Ok(self.participants.iter().map(told).collect())
    }

    async fn kill(&self, name: &str) -> Result<(), String> {
        self.find(name)?.kill().await;
        self.tell().await;
        Ok(())
    }

    async fn revive(&self, name: &str) -> Result<(), String> {
        let revived = self.find(name)?.revive().await;
        self.tell().await;
        revived.map_err(|error| error.to_string())
    }
}

/// Probe over all ledgers. While one of them cannot be asked, "unknown" would be a lie about its commands.
#[tonic::async_trait]
impl ParticipantService for Cast {
    async fn probe(&self, request: Request<ProbeRequest>) -> Result<Response<ProbeResponse>, Status> {
        let ledgers: Option<Vec<_>> = self.participants.iter().map(|participant| participant.ledger()).collect();
        match ledgers {
            Some(ledgers) => ProbeService::new(ledgers).probe(request).await,
            None => Err(SagaReason::ParticipantUnavailable.status("a participant of this process is killed")),
        }
    }
}
