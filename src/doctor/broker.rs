//! RabbitMQ: version, whether the queues are what Baton makes them, and what they hold.

use super::finding::Finding;
use super::within;
use crate::config::participants::CourierKind;
use crate::config::{BusKind, Config};
use crate::wiring;
use baton_courier::bus::{CommandBus as _, Destination};
use baton_courier::rabbitmq::RabbitBus;
use baton_orchestrator::sagas::Registry;
use secrecy::ExposeSecret as _;

const PART: &str = "broker";

/// The oldest version that Baton is tested with.
const OLDEST: (u32, u32) = (3, 10);

/// A queue that holds more is not being worked on.
const BACKLOG: u32 = 10_000;

/// Everything about the broker.
pub async fn look(config: &Config, sagas: &Registry) -> Vec<Finding> {
    if config.bus.kind != BusKind::Rabbitmq {
        return vec![Finding::note(PART, "kind", "local", "only `baton dev` and `baton demo` run without a broker")];
    }
    let streams = config.participants.values().filter(|participant| participant.courier == CourierKind::Grpc).count();
    if streams > 0 && streams == config.participants.len() {
        return vec![Finding::note(PART, "kind", "none", "every participant has `courier = \"grpc\"`")];
    }
    let bus = match wiring::rabbitmq(&config.bus, "baton-doctor") {
        Ok(bus) => bus,
        Err(error) => return vec![Finding::bad(PART, "reachable", error.to_string(), "mend bus.url")],
    };
    let mut findings = vec![version(config).await];
    let destinations = sagas.participants().into_iter().map(Destination::Commands).chain([Destination::Replies]);
    for destination in destinations {
        match within(bus.depths(&destination)).await {
            Ok(depths) => findings.extend(queues(&bus, &destination, depths).await),
            Err(found) => {
                let mend = "check the address, the user, its rights on the virtual host, and whether the broker runs";
                findings.push(Finding::bad(PART, "reachable", found, mend));
                break;
            }
        }
    }
    bus.close().await;
    findings
}

async fn version(config: &Config) -> Finding {
    let told = within(baton_courier::rabbitmq::greeting::broker_version(config.bus.url.expose_secret())).await;
    match told {
        Ok(Some(version)) if is_supported(&version) => Finding::ok(PART, "version", format!("RabbitMQ {version}")),
        Ok(Some(version)) => {
            let mend = "RabbitMQ 3.10 or newer: Baton is not tested with older ones";
            Finding::bad(PART, "version", format!("RabbitMQ {version}"), mend)
        }
        Ok(None) => Finding::ok(PART, "version", "not told before TLS"),
        Err(found) => Finding::bad(PART, "version", found, "the broker must greet"),
    }
}

fn is_supported(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= OLDEST
}

/// The queue of a destination and the one of its dead letters.
async fn queues(bus: &RabbitBus, destination: &Destination, depths: [(String, Option<u32>); 2]) -> Vec<Finding> {
    let [(queue, waiting), (letters, dead)] = depths;
    let Some(waiting) = waiting else {
        let found = format!("{queue} is not there");
        return vec![Finding::note(PART, "queue", found, "the first process that uses it makes it")];
    };
    let mut findings = vec![match within(bus.declare(destination)).await {
        Ok(()) if waiting > BACKLOG => {
            let found = format!("{queue} holds {waiting} messages");
            Finding::note(PART, "queue", found, "its consumers are away or too slow: look at them first")
        }
        Ok(()) => Finding::ok(PART, "queue", format!("{queue}: as it must be, {waiting} messages")),
        Err(why) => {
            let found = format!("{queue}: {why}");
            let mend =
                "the queue was made otherwise, or the user may not: let its processes drain it, delete it, start again";
            Finding::bad(PART, "queue", found, mend)
        }
    }];
    if let Some(dead @ 1..) = dead {
        let found = format!("{letters} holds {dead} dead letters");
        findings.push(Finding::note(PART, "dead letters", found, "`baton dead-letters list` says which and why"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::is_supported;

    #[test]
    fn versions() {
        assert!(is_supported("3.10.8") && is_supported("3.13.1") && is_supported("4.0.0"));
        assert!(!is_supported("3.9.29") && !is_supported("nonsense"));
    }
}
