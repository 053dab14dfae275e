//! Redis, the orchestrator, the participants and the payment provider: do they answer, and what time is it there?

use super::finding::Finding;
use super::{PATIENCE, within};
use crate::client::endpoint;
use crate::config::{Config, CoordKind, key};
use baton_orchestrator::coord::redis;
use secrecy::ExposeSecret as _;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// Everything that is neither database nor broker.
pub async fn look(config: &Config) -> Vec<Finding> {
    let participants = &config.participants;
    let mut findings = vec![hints(config).await];
    findings.push(orchestrator(config).await);
    for (name, section) in
        [("order", &participants.order), ("payment", &participants.payment), ("stock", &participants.stock)]
    {
        let mend = format!("sagas wait at its steps: start `baton participant {name}`, or mend its endpoint");
        findings.push(grpc(name, &section.endpoint, &mend).await);
    }
    findings.push(provider(&config.provider.base_url).await);
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
    match redis::version(config.coord.url.expose_secret(), PATIENCE).await {
        Ok(version) => Finding::ok("hints", "reachable", format!("Redis {version}")),
        Err(found) => {
            let mend = "nothing is lost without it; callers hear of an end up to a second late";
            Finding::note("hints", "reachable", found, mend)
        }
    }
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

/// Any answer will do: what its addresses mean is between it and the payment participant.
async fn provider(url: &str) -> Finding {
    let client = match reqwest::Client::builder().timeout(PATIENCE).build() {
        Ok(client) => client,
        Err(error) => return Finding::bad("provider", "reachable", error.to_string(), ""),
    };
    let shown = key::masked("provider.base_url", url);
    match within(client.get(url).send()).await {
        Ok(answer) => Finding::ok("provider", "reachable", format!("{shown} answers {}", answer.status().as_u16())),
        Err(_) => {
            let found = format!("nobody answers at {shown}");
            let mend = "payments can be neither looked up nor refunded: mend provider.base_url or the network";
            Finding::bad("provider", "reachable", found, mend)
        }
    }
}
