//! The catalogue: every nemesis by name, and which of them make up a short and a full storm.

use super::links::Pair;
use super::node::ProcessKind;
use baton_crash_point::Point;

/// A server that is not Baton's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// MariaDB.
    Database,
    /// RabbitMQ.
    Broker,
    /// Redis.
    Hints,
}

impl Server {
    fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Broker => "broker",
            Self::Hints => "hints",
        }
    }
}

/// What a network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetFault {
    /// Late, and unevenly so.
    Latency,
    /// Few bytes a second.
    Rate,
    /// Connections reset every second.
    Reset,
    /// Nothing passes, nothing is told.
    HalfOpen,
    /// What the client says does not arrive.
    OneWayUp,
    /// What the server says does not arrive.
    OneWayDown,
    /// The server's answers are lost for good, and then the connection: deliveries, results.
    LostAnswers,
    /// New connections are refused and old ones reset.
    Refuse,
    /// Open connections are dead and nobody is told; new ones work.
    Strand,
    /// The end of a connection is told late.
    SlowClose,
    /// Connections end after some bytes.
    CutAfterBytes,
    /// Bits turn over in handshakes.
    BitFlip,
    /// Connections end before a COMMIT arrives.
    CommitUnsent,
    /// Connections end after a COMMIT, before its answer.
    CommitUnanswered,
}

impl NetFault {
    const ANY: [Self; 12] = [
        Self::Latency,
        Self::Rate,
        Self::Reset,
        Self::HalfOpen,
        Self::OneWayUp,
        Self::OneWayDown,
        Self::LostAnswers,
        Self::Refuse,
        Self::SlowClose,
        Self::CutAfterBytes,
        Self::BitFlip,
        Self::Strand,
    ];

    /// Those that make sense between a pair.
    #[must_use]
    pub fn between(pair: Pair) -> Vec<Self> {
        let commits = [Self::CommitUnsent, Self::CommitUnanswered].into_iter().filter(|_| pair.is_database());
        // HTTP/1 without TLS has no handshake: the first bytes are a request already, and a bit that turns over in it is
        // another question, honestly answered. That is what TLS is for.
        let any = Self::ANY.into_iter().filter(|fault| pair != Pair::PaymentProvider || *fault != Self::BitFlip);
        any.chain(commits).collect()
    }

    /// As in the names of nemeses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Rate => "rate",
            Self::Reset => "reset",
            Self::HalfOpen => "half-open",
            Self::OneWayUp => "one-way-up",
            Self::OneWayDown => "one-way-down",
            Self::LostAnswers => "lost-answers",
            Self::Refuse => "refuse",
            Self::Strand => "strand",
            Self::SlowClose => "slow-close",
            Self::CutAfterBytes => "cut-after-bytes",
            Self::BitFlip => "bit-flip",
            Self::CommitUnsent => "commit-unsent",
            Self::CommitUnanswered => "commit-unanswered",
        }
    }
}

/// What a nemesis does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// SIGKILL, again and again, one instance of a kind at a time.
    Kill(ProcessKind),
    /// SIGSTOP one instance, then SIGCONT.
    Freeze(ProcessKind),
    /// SIGTERM and start, one process after the other.
    Rolling,
    /// SIGKILL to everything at once, servers too.
    KillAll,
    /// SIGKILL to every instance of a participant; back at the end.
    Outage(ProcessKind),
    /// SIGKILL a server, again and again.
    KillServer(Server),
    /// SIGSTOP a server, then SIGCONT.
    FreezeServer(Server),
    /// RabbitMQ says it is short of memory.
    MemoryAlarm,
    /// RabbitMQ says it is short of disk.
    DiskAlarm,
    /// Command and reply queues are deleted.
    DeleteQueues,
    /// An administrator closes every connection.
    CloseConnections,
    /// RabbitMQ loses its disk.
    FreshBroker,
    /// FLUSHALL, and subscribers are thrown out.
    FlushHints,
    /// Somebody holds the lock on the hot item.
    LockHotItem,
    /// The database's disk is full.
    FullDisk,
    /// The payment provider is away.
    ProviderDown,
    /// The provider fails, and loses answers of refunds that were made.
    ProviderFaults,
    /// Every fault of a pair in turn.
    NetworkCycle(Pair),
    /// One fault between a pair.
    Network(NetFault, Pair),
    /// Processes die at named points.
    CrashPoints(Vec<Point>),
    /// Somebody publishes what should not be there.
    HostilePublisher,
    /// The second begins while the first is at it or just over.
    Both(Box<Act>, Box<Act>),
}

/// One nemesis.
#[derive(Clone, Debug)]
pub struct Nemesis {
    /// Its name.
    pub name: String,
    /// What it does.
    pub act: Act,
}

impl Nemesis {
    fn new(name: impl Into<String>, act: Act) -> Self {
        Self { name: name.into(), act }
    }

    /// In a sentence.
    #[must_use]
    pub fn what(&self) -> String {
        describe(&self.act)
    }

    /// Whether what it publishes or garbles may end in a dead-letter queue.
    #[must_use]
    pub fn may_quarantine(&self) -> bool {
        may_quarantine(&self.act)
    }

    /// Whether it publishes commands in the name of sagas that do not exist. Their answers stay in the ledgers, as they
    /// should, so that the cluster must not be used again.
    #[must_use]
    pub fn forges(&self) -> bool {
        self.act == Act::HostilePublisher
    }

    /// Whether it garbles what the database driver reads. The driver panics at some of that, in a task that is caught.
    #[must_use]
    pub fn garbles_database(&self) -> bool {
        match &self.act {
            Act::NetworkCycle(pair) | Act::Network(NetFault::BitFlip, pair) => pair.is_database(),
            _ => false,
        }
    }

    /// Whether the database must have a file system of its own.
    #[must_use]
    pub fn needs_tmpfs(&self) -> bool {
        self.act == Act::FullDisk
    }

    /// Whether the binary must have crash points.
    #[must_use]
    pub fn needs_crash_points(&self) -> bool {
        matches!(self.act, Act::CrashPoints(_))
    }
}

fn may_quarantine(act: &Act) -> bool {
    match act {
        Act::HostilePublisher => true,
        Act::CrashPoints(points) => points.iter().any(|point| point.name().contains("quarantine")),
        // A message that a killed process held is counted as delivered; fifty of those and the broker gives up on it.
        Act::Both(first, second) => may_quarantine(first) || may_quarantine(second),
        _ => false,
    }
}

fn describe(act: &Act) -> String {
    match act {
        Act::Kill(kind) => format!("SIGKILL to one {} after the other", kind.name()),
        Act::Freeze(kind) => format!("SIGSTOP of one {}", kind.name()),
        Act::Rolling => "SIGTERM and restart of every process in turn".to_owned(),
        Act::KillAll => "SIGKILL to every process and server at once".to_owned(),
        Act::Outage(kind) => format!("every {} dead for the whole time", kind.name()),
        Act::KillServer(server) => format!("SIGKILL to the {}", server.name()),
        Act::FreezeServer(server) => format!("SIGSTOP of the {}", server.name()),
        Act::MemoryAlarm => "memory alarm of the broker".to_owned(),
        Act::DiskAlarm => "disk alarm of the broker".to_owned(),
        Act::DeleteQueues => "command and reply queues deleted".to_owned(),
        Act::CloseConnections => "an administrator closes every broker connection".to_owned(),
        Act::FreshBroker => "the broker comes back empty".to_owned(),
        Act::FlushHints => "Redis flushed, subscribers thrown out".to_owned(),
        Act::LockHotItem => "the hot item's row is locked for seconds".to_owned(),
        Act::FullDisk => "the database's disk is full".to_owned(),
        Act::ProviderDown => "the payment provider is away".to_owned(),
        Act::ProviderFaults => "the provider fails and loses answers".to_owned(),
        Act::NetworkCycle(pair) => format!("every network fault between {}", pair.name()),
        Act::Network(fault, pair) => format!("{} between {}", fault.name(), pair.name()),
        Act::CrashPoints(points) => match points.as_slice() {
            [one] => format!("SIGKILL at {}", one.name()),
            many => format!("SIGKILL at {} named points", many.len()),
        },
        Act::HostilePublisher => "garbled, oversized, old, repeated and forged messages".to_owned(),
        Act::Both(first, second) => format!("{}, then {}", describe(first), describe(second)),
    }
}

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

/// The twelve of a short storm: what breaks most ways in least time.
pub const SHORT: [&str; 12] = [
    "kill-orchestrator",
    "kill-stock",
    "freeze-payment",
    "kill-database",
    "kill-broker",
    "fresh-broker",
    "kill-all",
    "provider-faults",
    "net:orchestrator-database",
    "net:participant-broker",
    "crash-participant",
    "hostile-publisher",
];

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
        assert!(SHORT.iter().all(|name| names.contains(name)));
        assert!(full().len() >= 25, "{}", full().len());
        assert!(SHORT.iter().all(|name| full().iter().any(|known| known == name)));
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
