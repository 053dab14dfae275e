//! Processes that die at named points, each of which must be reached.

use super::hostile;
use crate::proxy::faults::{DirectionFaults, Faults, Gate};
use crate::storm::arena::{Arena, Fired};
use crate::storm::courier::Courier;
use crate::storm::links::Pair;
use crate::storm::nemesis::needs_publisher;
use crate::storm::node::{Node, ProcessKind};
use anyhow::{Context as _, Result};
use baton_courier::bus::Destination;
use baton_crash_point::Point;
use rand::RngExt as _;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A point that is not reached within this is not reached.
const REACHED_WITHIN: Duration = Duration::from_secs(40);

/// How often somebody looks.
const LOOK: Duration = Duration::from_millis(50);

/// How often what a point needs is done again.
const STIR_EVERY: Duration = Duration::from_secs(4);

/// From ready to at work.
const AT_WORK: Duration = Duration::from_secs(2);

/// What a point needs to be reached, beside load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stir {
    Nothing,
    /// Replies that do not get through, so that commands are sent again.
    LostReplies,
    /// Answers that ask to be repeated, so that sagas fall due.
    Unavailable,
    /// A message nobody can read.
    Garbage,
}

/// Each point in turn: arm, wait for the death, start again.
pub(super) async fn points(arena: &Arena, points: &[Point]) -> Result<Vec<Fired>> {
    let mut dice = arena.dice();
    let mut fired = Vec::new();
    for (turn, point) in points.iter().enumerate() {
        if arena.cluster.courier() == Courier::Grpc && needs_publisher(*point) {
            arena.note(format!("{} left out: without a broker nobody can publish what is quarantined", point.name()));
            continue;
        }
        let nodes = arena.cluster.of(kind_of(*point, turn));
        let node = nodes[dice.random_range(0..nodes.len())];
        let stir = stir_of(*point);
        let nth = if stir == Stir::Nothing { dice.random_range(1..=3) } else { 1 };
        let is_hit = one(arena, node, *point, nth, stir).await?;
        fired.push(Fired::new(point.name(), u64::from(is_hit)));
    }
    Ok(fired)
}

fn kind_of(point: Point, turn: usize) -> ProcessKind {
    let name = point.name();
    if name.starts_with("orchestrator") {
        ProcessKind::Orchestrator
    } else if name.starts_with("payment") {
        ProcessKind::Payment
    } else {
        ProcessKind::PARTICIPANTS[turn % ProcessKind::PARTICIPANTS.len()]
    }
}

fn stir_of(point: Point) -> Stir {
    match point {
        Point::ORCHESTRATOR_BEFORE_SEND_AGAIN | Point::ORCHESTRATOR_AFTER_SEND_AGAIN => Stir::LostReplies,
        Point::ORCHESTRATOR_BEFORE_WAKE | Point::ORCHESTRATOR_AFTER_WAKE => Stir::Unavailable,
        Point::ORCHESTRATOR_BEFORE_QUARANTINE
        | Point::ORCHESTRATOR_AFTER_QUARANTINE
        | Point::PARTICIPANT_BEFORE_QUARANTINE
        | Point::PARTICIPANT_AFTER_QUARANTINE => Stir::Garbage,
        _ => Stir::Nothing,
    }
}

async fn one(arena: &Arena, node: &Node, point: Point, nth: u32, stir: Stir) -> Result<bool> {
    arena.note(format!("{} armed at {}", point.name(), node.name));
    let line = format!("crash point {} hit", point.name());
    let before = lines(node, &line)?;
    node.arm(point, nth)?;
    let until = Instant::now() + REACHED_WITHIN;
    let process = node.process();
    if stir != Stir::Nothing {
        // It must be at work first; if it dies on the way there, so much the better.
        let _ = node.ready().await;
        // Ready means connected; the consumer is opened a moment later.
        sleep(AT_WORK).await;
    }
    let mut next_stir = Instant::now();
    let mut next_turn = Instant::now() + AT_WORK;
    while process.is_running() && Instant::now() < until {
        if stir != Stir::Nothing && Instant::now() >= next_stir {
            stirred(arena, node, stir).await?;
            next_stir = Instant::now() + STIR_EVERY;
        }
        if arena.cluster.courier() == Courier::Grpc && Instant::now() >= next_turn {
            // Its streams went to its neighbour when it was started anew.
            let links = arena.cluster.links.of(Pair::OrchestratorParticipant);
            links.filter(|link| link.to == node.kind.name()).for_each(|link| link.proxy.reset());
            next_turn = Instant::now() + STIR_EVERY;
        }
        sleep(LOOK).await;
    }
    calm(arena, stir).await?;
    // Another death would leave no such line.
    let is_hit = lines(node, &line)? > before;
    arena.note(format!("{} {}", point.name(), if is_hit { "hit" } else { "not reached" }));
    if !is_hit {
        node.kill()?;
    }
    node.start()?;
    Ok(is_hit)
}

fn lines(node: &Node, wanted: &str) -> Result<usize> {
    let log = std::fs::read_to_string(node.log()).with_context(|| format!("read the log of {}", node.name))?;
    Ok(log.lines().filter(|line| line.contains(wanted)).count())
}

/// Does what the point needs.
async fn stirred(arena: &Arena, node: &Node, stir: Stir) -> Result<()> {
    match stir {
        Stir::Nothing => {}
        Stir::LostReplies => {
            // Commands still arrive, replies do not get through.
            let held = DirectionFaults::gate(Gate::Hold);
            let (pair, held) = match arena.cluster.courier() {
                Courier::Rabbitmq => (Pair::ParticipantBroker, Faults { up: held, ..Faults::default() }),
                Courier::Grpc => (Pair::OrchestratorParticipant, Faults { down: held, ..Faults::default() }),
            };
            arena.cluster.links.of(pair).for_each(|link| link.proxy.set(held.clone()));
        }
        Stir::Unavailable => {
            // The last rule's time is over with its count; more than so many a stir would only pile up.
            let fault = json!({ "fault": "status", "value": 503, "operation": "lookup", "count": 20 });
            arena.shop.sandbox("faults", Some(&fault)).await?;
        }
        Stir::Garbage => {
            let destination = match node.kind {
                ProcessKind::Orchestrator => Destination::Replies,
                kind => Destination::Commands(kind.name().to_owned()),
            };
            // To both instances, whichever takes it.
            hostile::garbage(&arena.cluster, &destination, 4).await?;
        }
    }
    Ok(())
}

/// Ends what was done for the point.
async fn calm(arena: &Arena, stir: Stir) -> Result<()> {
    match stir {
        Stir::Nothing | Stir::Garbage => {}
        Stir::LostReplies => arena.cluster.links.heal(),
        Stir::Unavailable => {
            arena.shop.sandbox("faults", None).await?;
        }
    }
    Ok(())
}
