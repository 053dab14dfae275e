//! One connection: two pumps, and every way it can be cut short.

use super::Shared;
use super::counts::Counts;
use super::faults::{Faults, Gate};
use super::flags::ConnectionFlags;
use super::pump::{Direction, Pump};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// A server on this machine that does not accept within this is frozen.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How long after the client has given a stranded connection up the server's keep-alive finds out. Real servers are asked
/// for less patience than their kernel's two hours, or pile such connections up.
const FOUND_OUT_AFTER: Duration = Duration::from_secs(20);

/// How the forwarding of a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ConnectionEnd {
    /// Both sides have closed.
    Orderly,
    /// Both sides are to be reset.
    Cut,
    /// Nothing passes any more, and nobody is told.
    Stranded,
}

/// Forwards one connection to its end.
pub(super) async fn run(shared: Arc<Shared>, mut client: TcpStream, serial: u64) {
    let Some(mut server) = connect(&shared).await else {
        let _ = client.set_zero_linger();
        return;
    };
    // Both ends are servers and clients that batch on their own.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let flags = ConnectionFlags::default();
    let end = {
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let pump = |direction, salt: u64| Pump {
            shared: &shared,
            flags: &flags,
            faults: shared.faults.subscribe(),
            direction,
            dice: StdRng::seed_from_u64(shared.seed ^ serial.rotate_left(17) ^ salt),
        };
        let (up, down) = (pump(Direction::Up, 0x5570), pump(Direction::Down, 0xd0_1170));
        // The first direction that fails cuts the other off; an orderly end of one leaves the other open.
        let both = async {
            tokio::try_join!(up.run(&mut from_client, &mut to_server), down.run(&mut from_server, &mut to_client))
        };
        tokio::select! {
            ended = both => if ended.is_err() { ConnectionEnd::Cut } else { ConnectionEnd::Orderly },
            () = asked_to_reset(&shared) => ConnectionEnd::Cut,
            () = beyond_repair(&shared, &flags) => ConnectionEnd::Cut,
            () = asked_to_strand(&shared) => ConnectionEnd::Stranded,
        }
    };
    if end == ConnectionEnd::Stranded {
        tokio::select! {
            () = asked_to_reset(&shared) => {}
            () = forsaken(&mut client) => {}
        }
    }
    if end != ConnectionEnd::Orderly {
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

/// The next target in turn that accepts.
async fn connect(shared: &Shared) -> Option<TcpStream> {
    let first = shared.next.fetch_add(1, Ordering::Relaxed);
    for turn in 0..shared.targets.len() {
        let target: SocketAddr = shared.targets[first.wrapping_add(turn) % shared.targets.len()];
        if let Ok(Ok(stream)) = timeout(CONNECT_WITHIN, TcpStream::connect(target)).await {
            return Some(stream);
        }
    }
    None
}

async fn asked_to_reset(shared: &Shared) {
    let mut resets = shared.resets.subscribe();
    // It ends only with the proxy, and then the connection ends as well.
    let _ = resets.changed().await;
    Counts::add(&shared.counts.reset, 1);
}

async fn asked_to_strand(shared: &Shared) {
    let mut strandings = shared.strandings.subscribe();
    let _ = strandings.changed().await;
    Counts::add(&shared.counts.stranded, 1);
}

/// Completes some time after the client is gone. What it says until then goes nowhere.
async fn forsaken(client: &mut TcpStream) {
    let mut nowhere = [0; 4096];
    while client.read(&mut nowhere).await.is_ok_and(|length| length > 0) {}
    sleep(FOUND_OUT_AFTER).await;
}

/// Completes when bytes were lost and the gate is open again.
async fn beyond_repair(shared: &Shared, flags: &ConnectionFlags) {
    let mut faults = shared.faults.subscribe();
    let loses = |faults: &Faults| faults.up.gate == Gate::Lose || faults.down.gate == Gate::Lose;
    loop {
        if flags.damaged.load(Ordering::Relaxed) && !loses(&faults.borrow_and_update()) {
            return;
        }
        if faults.changed().await.is_err() {
            return;
        }
    }
}
