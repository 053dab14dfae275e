//! Which shape is meant. What the configuration names says nothing about a `baton dev`, which keeps files of its own: to
//! call its databases and its broker away would be untrue.

use super::finding::Finding;
use super::within;
use crate::client::endpoint;
use crate::config::Config;
use crate::wiring::ORCHESTRATOR_SERVICES;
use baton_proto::baton::participant::v1::participant_service_server::SERVICE_NAME;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

const PART: &str = "installation";

/// Who answers where client commands go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A `baton dev`: one port for the orchestrator and for participants.
    Embedded,
    /// An orchestrator, or something else that is no `baton dev`.
    Separate,
    /// Nobody.
    Nobody,
}

/// Asks.
pub async fn look(config: &Config) -> Shape {
    let asked = async {
        let channel = endpoint(&config.client.server).map_err(|error| error.to_string())?.connect().await;
        let mut health = HealthClient::new(channel.map_err(|error| error.to_string())?);
        for service in [ORCHESTRATOR_SERVICES[0], SERVICE_NAME] {
            let request = HealthCheckRequest { service: service.to_owned() };
            match health.check(request).await {
                Ok(_) => {}
                Err(status) if status.code() == Code::NotFound => return Ok(Shape::Separate),
                Err(status) => return Err(status.message().to_owned()),
            }
        }
        Ok(Shape::Embedded)
    };
    within(asked).await.unwrap_or(Shape::Nobody)
}

/// What is said first of a `baton dev`, and instead of what the configuration names.
pub fn embedded(config: &Config) -> Finding {
    let found = format!("{} is a `baton dev`; what the configuration names was not looked at", config.client.server);
    let mend = "run `baton doctor --data-dir DIR` with the directory that `baton dev` was given (baton-data unless told \
                otherwise), or mend client.server";
    Finding::bad(PART, "shape", found, mend)
}

/// What is said first where there is neither an orchestrator nor its database.
pub fn nobody(config: &Config) -> Finding {
    let found = format!("neither the orchestrator's store nor {} answers", config.client.server);
    Finding::note(PART, "shape", found, "if this is `baton dev`, run `baton doctor --data-dir DIR`")
}
