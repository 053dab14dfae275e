//! Network faults, through the proxies of a pair.

use crate::proxy::faults::{CommitCut, CommitFault, DirectionFaults, Faults, Flip, Gate};
use crate::storm::arena::{Arena, Fired};
use crate::storm::links::{Link, Links, Pair};
use crate::storm::net_fault::NetFault;
use anyhow::Result;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Shortest time of one fault in a cycle: a step's retries begin after a fifth of it.
const SLICE: Duration = Duration::from_millis(2_500);

/// Longest time of a fault that lets nothing through.
const SILENCE: Duration = Duration::from_secs(15);

/// A fault that nothing has met yet is left on for so much longer.
const UNTIL_MET: Duration = Duration::from_secs(10);

/// Between two tries of an orderly end.
const CLOSE_EVERY: Duration = Duration::from_secs(4);

/// Between two faults of a cycle, at least: whoever works says something in that time.
const BETWEEN: Duration = Duration::from_secs(1);

/// Between two looks whether it works again.
const LOOK: Duration = Duration::from_millis(50);

/// Between two resets.
const RESET_EVERY: Duration = Duration::from_secs(1);

/// Every fault in turn, each healed before the next.
pub(super) async fn cycle(arena: &Arena, pair: Pair) -> Result<Vec<Fired>> {
    let faults = NetFault::between(pair);
    let slice = (arena.window / u32::try_from(faults.len()).unwrap_or(1)).max(SLICE);
    let busy = busy(&arena.cluster.links, pair).await;
    let mut fired = Vec::new();
    for fault in faults {
        if !fired.is_empty() {
            // The next fault needs somebody to strike. Who was reset again and again comes back only after a pause.
            back_at_work(&busy, pair).await;
        }
        fired.extend(one(&arena.part(slice, fault as u64), fault, pair).await?);
    }
    Ok(fired)
}

/// The links that carry something while all is well. Others are for what is seldom asked.
async fn busy(links: &Links, pair: Pair) -> Vec<&Link> {
    let before: Vec<(&Link, u64)> = links.of(pair).map(|link| (link, carried(link))).collect();
    sleep(BETWEEN).await;
    before.into_iter().filter(|(link, bytes)| carried(link) > *bytes).map(|(link, _)| link).collect()
}

/// Waits until each link has carried work again, or the time is over.
async fn back_at_work(busy: &[&Link], pair: Pair) {
    let before: Vec<u64> = busy.iter().map(|link| carried(link)).collect();
    let at_the_latest = Instant::now() + UNTIL_MET;
    sleep(BETWEEN).await;
    let is_back = || busy.iter().zip(&before).all(|(link, bytes)| carried(link) >= bytes + work(pair));
    while !is_back() && Instant::now() < at_the_latest {
        sleep(LOOK).await;
    }
}

fn carried(link: &Link) -> u64 {
    link.proxy.counts().bytes.load(Ordering::Relaxed)
}

/// One fault on every link of the pair.
pub(super) async fn one(arena: &Arena, fault: NetFault, pair: Pair) -> Result<Vec<Fired>> {
    let links = &arena.cluster.links;
    let name = format!("{} between {}", fault.name(), pair.name());
    arena.note(name.as_str());
    let before = links.faults(pair);
    let faults = faults_of(fault, pair);
    links.of(pair).for_each(|link| link.proxy.set(faults.clone()));
    let is_silent = matches!(
        fault,
        NetFault::HalfOpen | NetFault::OneWayUp | NetFault::OneWayDown | NetFault::LostAnswers | NetFault::Refuse
    );
    let lasts = if is_silent { arena.window.min(SILENCE) } else { arena.window };
    if fault == NetFault::Strand {
        links.of(pair).for_each(|link| link.proxy.strand());
    }
    let resets = matches!(fault, NetFault::Reset | NetFault::BitFlip);
    if fault == NetFault::Refuse {
        links.of(pair).for_each(|link| link.proxy.reset());
    }
    let mut next_close = Instant::now();
    let until = Instant::now() + lasts;
    let at_the_latest = until + UNTIL_MET;
    while Instant::now() < until || (links.faults(pair) == before && Instant::now() < at_the_latest) {
        if resets {
            links.of(pair).for_each(|link| link.proxy.reset());
        }
        if fault == NetFault::SlowClose && links.faults(pair) == before && Instant::now() >= next_close {
            close_in_order(arena, pair).await?;
            // Started again it must connect first, and get something to do.
            next_close = Instant::now() + CLOSE_EVERY;
        }
        sleep(RESET_EVERY.min(lasts / 2)).await;
    }
    let times = links.faults(pair) - before;
    links.of(pair).for_each(|link| link.proxy.heal());
    Ok(vec![Fired::new(name, times)])
}

/// Only an orderly end is passed on late, and a program that works makes none: one is told to stop, and started again.
async fn close_in_order(arena: &Arena, pair: Pair) -> Result<()> {
    let Some(link) = arena.cluster.links.of(pair).next() else { return Ok(()) };
    let ends = [&link.from, &link.to];
    let Some(node) = arena.cluster.nodes.iter().find(|node| ends.contains(&&node.name)) else { return Ok(()) };
    node.stop().await?;
    node.start()
}

/// The proxies' part of a fault.
fn faults_of(fault: NetFault, pair: Pair) -> Faults {
    let up = |side| Faults { up: side, ..Faults::default() };
    let down = |side| Faults { down: side, ..Faults::default() };
    match fault {
        NetFault::Latency => Faults::latency(latency(pair)),
        NetFault::Rate => Faults::rate(number(rate(pair))),
        NetFault::Reset | NetFault::Strand => Faults::default(),
        NetFault::HalfOpen => Faults::half_open(),
        NetFault::OneWayUp => up(DirectionFaults::gate(Gate::Hold)),
        NetFault::OneWayDown => down(DirectionFaults::gate(Gate::Hold)),
        NetFault::LostAnswers => down(DirectionFaults::gate(Gate::Lose)),
        NetFault::Refuse => Faults { refuse: true, ..Faults::default() },
        NetFault::SlowClose => Faults { slow_close: Duration::from_secs(2), ..Faults::default() },
        NetFault::CutAfterBytes => Faults { cut_after: Some(number(cut_after(pair))), ..Faults::default() },
        NetFault::BitFlip => {
            let flip = Flip { one_in: NonZeroU32::new(40).unwrap_or(NonZeroU32::MIN), first: handshake(pair) };
            Faults::both(DirectionFaults { flip: Some(flip), ..DirectionFaults::default() })
        }
        NetFault::CommitUnsent => commit(CommitCut::Before),
        NetFault::CommitUnanswered => commit(CommitCut::Unanswered),
    }
}

fn commit(cut: CommitCut) -> Faults {
    let one_in = NonZeroU32::new(10).unwrap_or(NonZeroU32::MIN);
    Faults { commit: Some(CommitFault { cut, one_in }), ..Faults::default() }
}

fn number(value: u64) -> NonZeroU64 {
    NonZeroU64::new(value).unwrap_or(NonZeroU64::MIN)
}

/// A transaction is many round trips to the database, a call is one.
fn latency(pair: Pair) -> Duration {
    Duration::from_millis(if pair.is_database() { 40 } else { 300 })
}

/// Less than a link carries at 30 orders a second, or two messages hardly ever meet and none waits for the other.
fn rate(pair: Pair) -> u64 {
    match pair {
        // Nothing but which sagas moved.
        Pair::OrchestratorHints => 500,
        // Of its commands and replies each instance has half.
        Pair::ParticipantBroker => 4_000,
        Pair::OrchestratorParticipant | Pair::PaymentProvider | Pair::ClientOrchestrator => 5_000,
        Pair::OrchestratorDatabase | Pair::OrchestratorBroker | Pair::ParticipantDatabase => 20_000,
    }
}

/// More than a handshake, so that some work gets done in between, and no more than a few seconds' work.
fn cut_after(pair: Pair) -> u64 {
    match pair {
        Pair::OrchestratorHints => 400,
        Pair::OrchestratorParticipant | Pair::PaymentProvider | Pair::ClientOrchestrator => 4_000,
        Pair::ParticipantBroker => 10_000,
        Pair::OrchestratorDatabase | Pair::OrchestratorBroker | Pair::ParticipantDatabase => 40_000,
    }
}

/// Bytes that a link which works again has carried, a greeting and somewhat more.
fn work(pair: Pair) -> u64 {
    cut_after(pair) / 4
}

/// Bytes that belong to a handshake for sure, and to no statement, message or request.
fn handshake(pair: Pair) -> u64 {
    match pair {
        // HTTP/2: preface and SETTINGS.
        Pair::OrchestratorParticipant | Pair::ClientOrchestrator => 40,
        _ => 80,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::Proxy;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::{TcpListener, TcpStream};

    /// Bytes of a command on its way.
    const COMMAND: usize = 400;

    /// Half of a participant's commands at 30 orders a second.
    const COMMANDS: Duration = Duration::from_millis(66);

    /// A fault that strikes once in a while is one day not met at all.
    #[tokio::test]
    async fn what_a_participant_is_sent_meets_every_limit_at_once() {
        for fault in [NetFault::Rate, NetFault::CutAfterBytes] {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            let proxy = Proxy::start(0, vec![address], 1).await.expect("a proxy");
            proxy.set(faults_of(fault, Pair::ParticipantBroker));
            let mut client = TcpStream::connect(proxy.address()).await.expect("it accepts");
            let (mut server, _) = listener.accept().await.expect("it connects");
            tokio::spawn(async move { tokio::io::copy(&mut server, &mut tokio::io::sink()).await });
            let mut ticks = tokio::time::interval(COMMANDS);
            let (slices, mut sent) = (2 * SLICE, Duration::ZERO);
            while proxy.counts().faults() == 0 {
                assert!(sent < slices, "{fault:?} met nothing in {slices:?}");
                ticks.tick().await;
                // Whoever was cut off cannot write.
                let _ = client.write_all(&[7; COMMAND]).await;
                sent += COMMANDS;
            }
        }
    }
}
