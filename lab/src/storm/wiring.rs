//! Where each node finds the others: a proxy before everything it connects to.

use super::links::{Links, Pair};
use super::node::ProcessKind;
use anyhow::Result;

/// What one node is told about its surroundings.
pub(super) struct Wiring<'a> {
    pub(super) kind: ProcessKind,
    pub(super) name: String,
    pub(super) ports: (u16, u16),
    pub(super) mariadb: u16,
    /// `None` if there is no broker.
    pub(super) rabbitmq: Option<u16>,
    pub(super) redis: u16,
    pub(super) provider: u16,
    pub(super) database_password: &'a str,
    pub(super) seed: u64,
}

impl Wiring<'_> {
    /// Puts a proxy before everything it connects to, and names the proxies in its environment.
    pub(super) async fn environment(
        &self,
        links: &mut Links,
        grpc_of: &impl Fn(ProcessKind) -> Vec<u16>,
    ) -> Result<Vec<(String, String)>> {
        let is_orchestrator = self.kind == ProcessKind::Orchestrator;
        let (to_database, to_broker) = if is_orchestrator {
            (Pair::OrchestratorDatabase, Pair::OrchestratorBroker)
        } else {
            (Pair::ParticipantDatabase, Pair::ParticipantBroker)
        };
        let database = links.add(to_database, &self.name, "mariadb", &[self.mariadb], self.seed).await?;
        let schema = format!("baton_{}", self.kind.name());
        let store = format!("mysql://{schema}:{}@127.0.0.1:{database}/{schema}", self.database_password);
        let (grpc, admin) = self.ports;
        let section = if is_orchestrator {
            "SERVER".to_owned()
        } else {
            format!("PARTICIPANTS__{}", self.kind.name().to_uppercase())
        };
        let mut pairs = vec![
            (format!("BATON_{section}__LISTEN"), format!("127.0.0.1:{grpc}")),
            (format!("BATON_{section}__ADMIN_LISTEN"), format!("127.0.0.1:{admin}")),
        ];
        if let Some(port) = self.rabbitmq {
            let broker = links.add(to_broker, &self.name, "rabbitmq", &[port], self.seed).await?;
            pairs.push(("BATON_BUS__URL".to_owned(), format!("amqp://guest:guest@127.0.0.1:{broker}/%2f")));
        }
        if is_orchestrator {
            pairs.push(("BATON_STORE__URL".to_owned(), store));
            let hints = links.add(Pair::OrchestratorHints, &self.name, "redis", &[self.redis], self.seed).await?;
            pairs.push(("BATON_COORD__URL".to_owned(), format!("redis://127.0.0.1:{hints}")));
            for kind in ProcessKind::PARTICIPANTS {
                let pair = Pair::OrchestratorParticipant;
                let link = links.add(pair, &self.name, kind.name(), &grpc_of(kind), self.seed).await?;
                let key = format!("BATON_PARTICIPANTS__{}__ENDPOINT", kind.name().to_uppercase());
                pairs.push((key, format!("127.0.0.1:{link}")));
            }
        } else {
            pairs.push((format!("BATON_{section}__STORE__URL"), store));
        }
        if self.kind == ProcessKind::Payment {
            let link = links.add(Pair::PaymentProvider, &self.name, "provider", &[self.provider], self.seed).await?;
            pairs.push(("BATON_PROVIDER__BASE_URL".to_owned(), format!("http://127.0.0.1:{link}")));
        }
        Ok(pairs)
    }
}
