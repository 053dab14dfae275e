//! What a nemesis is: what it does, in a sentence, and what it needs.

use super::courier::Courier;
use super::links::Pair;
use super::net_fault::NetFault;
use super::node::ProcessKind;
use super::tmpfs::Tmpfs;
use baton_crash_point::Point;
use std::time::Duration;

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
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Broker => "broker",
            Self::Hints => "hints",
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
    /// SIGSTOP every process of a participant in turn for a moment: what is in flight is sent again once at most.
    StopParticipant,
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
    /// What carries commands is away for so long.
    CourierAway(Duration),
    /// Every connection that carries commands is cut every second.
    CutCourier,
    /// Command and reply queues are purged.
    PurgeQueues,
    /// Every message comes twice.
    DoubleMessages,
    /// Replies come half a minute late.
    DelayReplies,
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
    pub(super) fn new(name: impl Into<String>, act: Act) -> Self {
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

    /// Whether orders may be cancelled because a participant did not answer in time.
    #[must_use]
    pub fn may_cancel(&self) -> bool {
        let spares = matches!(
            self.act,
            Act::StopParticipant
                | Act::CourierAway(_)
                | Act::FreshBroker
                | Act::PurgeQueues
                | Act::DoubleMessages
                | Act::DelayReplies
        );
        !spares
    }

    /// Whether the database must have a file system of its own.
    #[must_use]
    pub fn needs_tmpfs(&self) -> bool {
        self.act == Act::FullDisk
    }

    /// Whether the binary under test must have been built with its crash points.
    #[must_use]
    pub fn needs_crash_points(&self) -> bool {
        matches!(self.act, Act::CrashPoints(_))
    }

    /// Why it cannot be run here over this courier, if so.
    #[must_use]
    pub fn cannot_run(&self, courier: Courier) -> Option<&'static str> {
        if courier == Courier::Grpc && needs_broker(&self.act) {
            return Some("it needs a broker, and over gRPC there is none");
        }
        if self.needs_tmpfs() && !Tmpfs::is_allowed() {
            return Some("this user may not mount a small file system");
        }
        None
    }
}

fn may_quarantine(act: &Act) -> bool {
    match act {
        Act::HostilePublisher => true,
        Act::CrashPoints(points) => points.iter().any(|point| needs_publisher(*point)),
        // A message that a killed process held is counted as delivered; fifty of those and the broker gives up on it.
        Act::Both(first, second) => may_quarantine(first) || may_quarantine(second),
        _ => false,
    }
}

/// Whether a point is reached only by messages that nobody but a publisher at the broker sends.
pub(super) fn needs_publisher(point: Point) -> bool {
    point.name().contains("quarantine")
}

fn needs_broker(act: &Act) -> bool {
    match act {
        Act::KillServer(server) | Act::FreezeServer(server) => *server == Server::Broker,
        Act::MemoryAlarm
        | Act::DiskAlarm
        | Act::DeleteQueues
        | Act::CloseConnections
        | Act::FreshBroker
        | Act::PurgeQueues
        | Act::DoubleMessages
        | Act::DelayReplies
        | Act::HostilePublisher => true,
        Act::NetworkCycle(pair) | Act::Network(_, pair) => pair.is_broker(),
        Act::CrashPoints(points) => points.iter().all(|point| needs_publisher(*point)),
        Act::Both(first, second) => needs_broker(first) || needs_broker(second),
        _ => false,
    }
}

fn describe(act: &Act) -> String {
    match act {
        Act::Kill(kind) => format!("SIGKILL to one {} after the other", kind.name()),
        Act::Freeze(kind) => format!("SIGSTOP of one {}", kind.name()),
        Act::StopParticipant => "SIGSTOP of one process of a participant after the other, 2 s each".to_owned(),
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
        Act::CourierAway(lasts) => format!("what carries commands is away for {} s", lasts.as_secs()),
        Act::CutCourier => "every connection that carries commands is cut every second".to_owned(),
        Act::PurgeQueues => "command and reply queues purged".to_owned(),
        Act::DoubleMessages => "every command and reply comes twice".to_owned(),
        Act::DelayReplies => "replies come 30 s late".to_owned(),
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
