//! One direction of a connection: read, do harm, wait, write.

use super::Shared;
use super::commit::CommitSpotter;
use super::counts::Counts;
use super::faults::{CommitCut, DirectionFaults, Faults, Gate};
use super::flags::ConnectionFlags;
use rand::RngExt as _;
use rand::rngs::StdRng;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// Bytes read at once.
const CHUNK: usize = 16 * 1024;
/// Chunks on their way; with a latency of a second this is still 4 MiB/s.
const ON_THE_WAY: usize = 256;

/// The connection must be reset on both sides.
#[derive(Debug)]
pub(super) struct Cut;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Down,
}

pub(super) struct Pump<'a> {
    pub shared: &'a Shared,
    pub flags: &'a ConnectionFlags,
    pub faults: watch::Receiver<Faults>,
    pub direction: Direction,
    pub dice: StdRng,
}

/// A chunk and when it is due.
type Parcel = (Instant, Vec<u8>);

impl Pump<'_> {
    /// Ends with the source's stream, which is passed on.
    pub(super) async fn run(self, from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>) -> Result<(), Cut> {
        let (parcels, waiting) = mpsc::channel(ON_THE_WAY);
        let deliver = deliver(self.shared, self.faults.clone(), self.direction, waiting, to);
        tokio::try_join!(self.read(from, parcels), deliver).map(|_| ())
    }

    async fn read(mut self, from: &mut ReadHalf<'_>, parcels: mpsc::Sender<Parcel>) -> Result<(), Cut> {
        let mut buffer = vec![0; CHUNK];
        let mut spotter = CommitSpotter::default();
        let mut passed = 0_u64;
        let mut cut_at = None;
        let mut last_due = Instant::now();
        loop {
            let length = from.read(&mut buffer).await.map_err(|_| Cut)?;
            if length == 0 {
                let late = self.faults.borrow().slow_close;
                if !late.is_zero() {
                    Counts::add(&self.shared.counts.closed_late, 1);
                    sleep(late).await;
                }
                return Ok(());
            }
            let mut chunk = buffer[..length].to_vec();
            let is_new = self.faults.has_changed().unwrap_or(false);
            let faults = self.faults.borrow_and_update().clone();
            let side = side(&faults, self.direction);
            if is_new || cut_at.is_none() {
                cut_at = faults.cut_after.map(|more| passed.saturating_add(more.get()));
            }
            if side.gate == Gate::Lose {
                Counts::add(&self.shared.counts.lost, length as u64);
                self.flags.damaged.store(true, Ordering::Relaxed);
                continue;
            }
            self.flip(side, passed, &mut chunk);
            passed += length as u64;
            self.around_commit(&faults, &mut spotter, &chunk)?;
            if cut_at.is_some_and(|end| passed > end) {
                Counts::add(&self.shared.counts.cut, 1);
                return Err(Cut);
            }
            let due = last_due.max(Instant::now() + self.lateness(side));
            last_due = due;
            // The other end fails only with the whole connection.
            parcels.send((due, chunk)).await.map_err(|_| Cut)?;
        }
    }

    fn lateness(&mut self, side: &DirectionFaults) -> Duration {
        if side.latency.is_zero() && side.jitter.is_zero() {
            return Duration::ZERO;
        }
        Counts::add(&self.shared.counts.delayed, 1);
        side.latency + side.jitter.mul_f64(self.dice.random::<f64>())
    }

    fn flip(&mut self, side: &DirectionFaults, passed: u64, chunk: &mut [u8]) {
        let Some(flip) = side.flip else { return };
        for (offset, byte) in (passed..flip.first).zip(chunk.iter_mut()) {
            debug_assert!(offset < flip.first);
            if self.dice.random_range(0..flip.one_in.get()) == 0 {
                *byte ^= 1 << self.dice.random_range(0..8);
                Counts::add(&self.shared.counts.flipped, 1);
            }
        }
    }

    /// The client's COMMIT marks the connection, or ends it; the server's answer to a marked one ends it.
    fn around_commit(&mut self, faults: &Faults, spotter: &mut CommitSpotter, chunk: &[u8]) -> Result<(), Cut> {
        if self.direction == Direction::Down {
            if self.flags.swallow_answer.load(Ordering::Relaxed) {
                Counts::add(&self.shared.counts.cut_at_commit, 1);
                return Err(Cut);
            }
            return Ok(());
        }
        // Fed always, so that the fault can begin in the middle of a connection.
        let is_commit = spotter.feed(chunk);
        let Some(fault) = faults.commit.filter(|_| is_commit) else { return Ok(()) };
        if self.dice.random_range(0..fault.one_in.get()) != 0 {
            return Ok(());
        }
        match fault.cut {
            CommitCut::Before => {
                Counts::add(&self.shared.counts.cut_at_commit, 1);
                Err(Cut)
            }
            CommitCut::Unanswered => {
                self.flags.swallow_answer.store(true, Ordering::Relaxed);
                Ok(())
            }
        }
    }
}

/// Writes each chunk when it is due, the gate is open and the rate allows it; then passes the end on.
async fn deliver(
    shared: &Shared,
    mut faults: watch::Receiver<Faults>,
    direction: Direction,
    mut waiting: mpsc::Receiver<Parcel>,
    to: &mut WriteHalf<'_>,
) -> Result<(), Cut> {
    let mut free_at = Instant::now();
    while let Some((due, chunk)) = waiting.recv().await {
        if due > Instant::now() {
            sleep_until(due).await;
        }
        if side(&faults.borrow_and_update(), direction).gate == Gate::Hold {
            Counts::add(&shared.counts.held, 1);
            faults.wait_for(|faults| side(faults, direction).gate != Gate::Hold).await.map_err(|_| Cut)?;
        }
        let rate = side(&faults.borrow_and_update(), direction).rate;
        match rate {
            None => {
                to.write_all(&chunk).await.map_err(|_| Cut)?;
                free_at = Instant::now();
            }
            Some(rate) => {
                // In tenths of a second's worth, so that a large chunk arrives as a trickle.
                let piece = usize::try_from(rate.get() / 10).unwrap_or(CHUNK).max(1);
                for part in chunk.chunks(piece) {
                    if free_at > Instant::now() {
                        Counts::add(&shared.counts.throttled, 1);
                        sleep_until(free_at).await;
                    }
                    to.write_all(part).await.map_err(|_| Cut)?;
                    let micros = part.len() as u64 * 1_000_000 / rate.get();
                    free_at = free_at.max(Instant::now()) + Duration::from_micros(micros);
                    if side(&faults.borrow(), direction).rate != Some(rate) {
                        free_at = Instant::now();
                    }
                }
            }
        }
        Counts::add(&shared.counts.bytes, chunk.len() as u64);
    }
    // The other side may be gone already.
    let _ = to.shutdown().await;
    Ok(())
}

fn side(faults: &Faults, direction: Direction) -> &DirectionFaults {
    match direction {
        Direction::Up => &faults.up,
        Direction::Down => &faults.down,
    }
}
