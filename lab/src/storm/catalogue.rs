//! The catalogue: every nemesis by name, and which of them make up a short and a full storm.

use super::courier::Courier;
use super::links::Pair;
use super::nemesis::{Act, Nemesis, Server};
use super::net_fault::NetFault;
use super::node::ProcessKind;
use baton_crash_point::Point;
use std::time::Duration;

/// Every nemesis there is.
#[must_use]
pub fn catalogue() -> Vec<Nemesis> {
    let mut all = Vec::new();
    for kind in ProcessKind::ALL {
        all.push(Nemesis::new(format!("kill-{}", kind.name()), Act::Kill(kind)));
        all.push(Nemesis::new(format!("freeze-{}", kind.name()), Act::Freeze(kind)));
    }
    for kind in ProcessKind::PARTICIPANTS {
        all.push(Nemesis::new(format!("outage-{}", kind.name()), Act::Outage(kind)));
    }
    all.push(Nemesis::new("rolling-restart", Act::Rolling));
    all.push(Nemesis::new("kill-all", Act::KillAll));
    for server in [Server::Database, Server::Broker, Server::Hints] {
        all.push(Nemesis::new(format!("kill-{}", server.name()), Act::KillServer(server)));
        all.push(Nemesis::new(format!("freeze-{}", server.name()), Act::FreezeServer(server)));
    }
    let plain = [
        ("memory-alarm", Act::MemoryAlarm),
        ("disk-alarm", Act::DiskAlarm),
        ("delete-queues", Act::DeleteQueues),
        ("close-connections", Act::CloseConnections),
        ("fresh-broker", Act::FreshBroker),
        ("stop-participant", Act::StopParticipant),
        ("courier-away", Act::CourierAway(Duration::from_secs(76))),
        ("courier-away-10m", Act::CourierAway(Duration::from_secs(600))),
        ("cut-courier", Act::CutCourier),
        ("purge-queues", Act::PurgeQueues),
        ("double-messages", Act::DoubleMessages),
        ("delay-replies", Act::DelayReplies),
        ("flush-hints", Act::FlushHints),
        ("lock-hot-item", Act::LockHotItem),
        ("full-disk", Act::FullDisk),
        ("provider-down", Act::ProviderDown),
        ("provider-faults", Act::ProviderFaults),
        ("hostile-publisher", Act::HostilePublisher),
    ];
    all.extend(plain.map(|(name, act)| Nemesis::new(name, act)));
    let is_of = |prefix: &'static str| points().filter(move |point| point.name().starts_with(prefix));
    all.push(Nemesis::new("crash-orchestrator", Act::CrashPoints(is_of("orchestrator").collect())));
    let participants = is_of("participant").chain(is_of("payment")).collect();
    all.push(Nemesis::new("crash-participant", Act::CrashPoints(participants)));
    all.extend(
        pairs()
            .into_iter()
            .map(|(name, first, second)| Nemesis::new(name, Act::Both(Box::new(first), Box::new(second)))),
    );
    for pair in Pair::ALL {
        all.push(Nemesis::new(format!("net:{}", pair.name()), Act::NetworkCycle(pair)));
    }
    for pair in Pair::ALL {
        for fault in NetFault::between(pair) {
            all.push(Nemesis::new(format!("net:{}:{}", pair.name(), fault.name()), Act::Network(fault, pair)));
        }
    }
    all.extend(points().map(|point| Nemesis::new(format!("crash:{}", point.name()), Act::CrashPoints(vec![point]))));
    all
}

/// Every point of the programs: the engine's, and the payment participant's own.
fn points() -> impl Iterator<Item = Point> {
    Point::ALL.iter().chain(baton_payment::crash_points::ALL).copied()
}

/// Faults find most while something else recovers.
fn pairs() -> [(&'static str, Act, Act); 5] {
    [
        (
            "kill-orchestrator-while-database-returns",
            Act::KillServer(Server::Database),
            Act::Kill(ProcessKind::Orchestrator),
        ),
        ("kill-stock-while-broker-returns", Act::KillServer(Server::Broker), Act::Kill(ProcessKind::Stock)),
        ("kill-database-while-broker-returns", Act::KillServer(Server::Broker), Act::KillServer(Server::Database)),
        ("kill-payment-while-provider-fails", Act::ProviderFaults, Act::Kill(ProcessKind::Payment)),
        (
            "kill-orchestrator-while-commits-are-unanswered",
            Act::Network(NetFault::CommitUnanswered, Pair::OrchestratorDatabase),
            Act::Kill(ProcessKind::Orchestrator),
        ),
    ]
}

/// Those of a short storm over each courier: what breaks most ways in least time. What has nothing to do with couriers is done
/// over one of them.
#[must_use]
pub fn short(courier: Courier) -> &'static [&'static str] {
    match courier {
        Courier::Rabbitmq => &[
            "stop-participant",
            "courier-away",
            "fresh-broker",
            "kill-all",
            "net:participant-broker",
            "crash-participant",
            "hostile-publisher",
        ],
        Courier::Grpc => &[
            "kill-orchestrator",
            "kill-database",
            "provider-faults",
            "net:orchestrator-database",
            "net:orchestrator-participant",
        ],
    }
}

/// Those of a full storm: every kind of act, every pair, every crash point, the combinations.
#[must_use]
pub fn full() -> Vec<String> {
    let is_single = |name: &str| name.starts_with("crash:") || name.matches(':').count() > 1;
    catalogue().into_iter().map(|nemesis| nemesis.name).filter(|name| !is_single(name)).collect()
}

/// The nemesis of that name.
#[must_use]
pub fn named(name: &str) -> Option<Nemesis> {
    catalogue().into_iter().find(|nemesis| nemesis.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_distinct_and_the_storms_are_made_of_them() {
        let all = catalogue();
        let names: BTreeSet<&str> = all.iter().map(|nemesis| nemesis.name.as_str()).collect();
        assert_eq!(names.len(), all.len());
        assert!(full().len() >= 25, "{}", full().len());
        for courier in [Courier::Rabbitmq, Courier::Grpc] {
            for name in short(courier) {
                assert!(full().iter().any(|known| known == name), "{name}");
                let nemesis = named(name).expect("known");
                assert!(!nemesis.cannot_run(courier).is_some_and(|why| why.contains("broker")), "{name} cannot be run");
            }
        }
    }

    /// Every point is in one of the groups, every pair has a cycle.
    #[test]
    fn a_full_storm_leaves_no_point_and_no_pair_out() {
        let acts: Vec<Act> = full().iter().filter_map(|name| named(name)).map(|nemesis| nemesis.act).collect();
        let points: BTreeSet<&str> = acts
            .iter()
            .filter_map(|act| if let Act::CrashPoints(points) = act { Some(points) } else { None })
            .flatten()
            .map(|point| point.name())
            .collect();
        assert_eq!(points.len(), super::points().count());
        assert!(Pair::ALL.iter().all(|pair| acts.contains(&Act::NetworkCycle(*pair))));
    }
}
