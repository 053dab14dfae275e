//! Redis, the orchestrator and the participants: do they answer?

#[cfg(feature = "redis")]
use super::PATIENCE;
use super::finding::Finding;
use super::within;
use crate::client::endpoint;
use crate::config::{Config, CoordKind};
#[cfg(feature = "redis")]
use secrecy::ExposeSecret as _;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// Everything that is neither database nor broker.
pub async fn look(config: &Config) -> Vec<Finding> {
    let mut findings = vec![hints(config).await, orchestrator(config).await];
    for (name, participant) in &config.participants {
        let mend = format!(
            "sagas wait at its steps: start it (`baton participant {name}`, if it is this binary's), or mend \
             participants.{name}.endpoint"
        );
        findings.push(grpc(name, &participant.endpoint, &mend).await);
    }
    findings
}

/// The orchestrator that client commands go to.
pub async fn orchestrator(config: &Config) -> Finding {
    let mend = "nothing is driven by this one: start `baton orchestrator`, or mend client.server";
    grpc("orchestrator", &config.client.server, mend).await
}

async fn hints(config: &Config) -> Finding {
    if config.coord.kind == CoordKind::Local {
        let mend = "with more than one orchestrator, callers hear of an end up to a second late";
        return Finding::note("hints", "kind", "local", mend);
    }
    match redis_version(config).await {
        Ok(version) => Finding::ok("hints", "reachable", format!("Redis {version}")),
        Err(found) => {
            let mend = "nothing is lost without it; callers hear of an end up to a second late";
            Finding::note("hints", "reachable", found, mend)
        }
    }
}

#[cfg(feature = "redis")]
async fn redis_version(config: &Config) -> Result<String, String> {
    let url = config.coord.url.expose_secret();
    baton_orchestrator::coord::redis::version(url, PATIENCE).await
}

#[cfg(not(feature = "redis"))]
async fn redis_version(_config: &Config) -> Result<String, String> {
    Err("this build was made without the feature `redis`".to_owned())
}

async fn grpc(part: &str, address: &str, mend: &str) -> Finding {
    let asked = async {
        let channel = endpoint(address).map_err(|error| error.to_string())?.connect().await.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            format!("{error}{}", cause.map(|cause| format!(": {cause}")).unwrap_or_default())
        })?;
        let request = HealthCheckRequest { service: String::new() };
        HealthClient::new(channel).check(request).await.map_err(|status| status.message().to_owned())
    };
    match within(asked).await.map(|answer| answer.into_inner().status()) {
        Ok(ServingStatus::Serving) => Finding::ok(part, "healthy", format!("serving at {address}")),
        Ok(other) => Finding::bad(part, "healthy", format!("{address} says {}", other.as_str_name()), mend),
        Err(found) => Finding::bad(part, "healthy", format!("{address}: {found}"), mend),
    }
}
