//! Every fault of the proxy does what it says, to the bytes and to the counts; without a fault it does nothing.

use baton_lab::proxy::Proxy;
use baton_lab::proxy::faults::{CommitCut, CommitFault, DirectionFaults, Faults, Flip, Gate};
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Longest wait for anything that must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that sends back what it hears, and remembers it.
struct Echo {
    address: std::net::SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Echo {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
        let ears = heard.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let ears = ears.clone();
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                        ears.lock().unwrap().extend_from_slice(&buffer[..length]);
                        if stream.write_all(&buffer[..length]).await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        Self { address, heard }
    }

    fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap().clone()
    }

    async fn hears(&self, what: &[u8]) {
        within(async {
            while !self.heard().ends_with(what) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("it must come")
}

async fn pair() -> (Echo, Proxy, TcpStream) {
    pair_with(Faults::default(), 1).await
}

async fn pair_with(faults: Faults, seed: u64) -> (Echo, Proxy, TcpStream) {
    let echo = Echo::start().await;
    let proxy = Proxy::start(0, vec![echo.address], seed).await.expect("a proxy");
    proxy.set(faults);
    let client = TcpStream::connect(proxy.address()).await.expect("it accepts");
    (echo, proxy, client)
}

async fn say(client: &mut TcpStream, what: &[u8]) {
    within(client.write_all(what)).await.expect("written");
}

async fn hear(client: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut answer = vec![0; length];
    within(client.read_exact(&mut answer)).await.expect("an answer");
    answer
}

/// The connection ends by a reset, not by an orderly end.
async fn is_reset(client: &mut TcpStream) -> Vec<u8> {
    let mut before = Vec::new();
    let error = within(client.read_to_end(&mut before)).await.expect_err("a reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    before
}

fn count(proxy: &Proxy, name: &str) -> u64 {
    proxy.counts().all().into_iter().find(|(known, _)| *known == name).expect("a count").1
}

#[tokio::test]
async fn without_a_fault_it_changes_nothing_and_counts_nothing() {
    let (_echo, proxy, mut client) = pair().await;
    let sent: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let (mut read, mut write) = client.split();
    let all = async {
        write.write_all(&sent).await.expect("written");
        write.shutdown().await.expect("closed");
    };
    let mut back = Vec::new();
    let (_, read) = within(async { tokio::join!(all, read.read_to_end(&mut back)) }).await;
    read.expect("an orderly end");
    assert_eq!(back, sent);
    assert_eq!(proxy.counts().faults(), 0);
    assert_eq!(count(&proxy, "accepted"), 1);
}

#[tokio::test]
async fn a_reset_is_a_reset() {
    let (_echo, proxy, mut client) = pair().await;
    say(&mut client, b"hello").await;
    assert_eq!(hear(&mut client, 5).await, b"hello");
    proxy.reset();
    is_reset(&mut client).await;
    assert_eq!(count(&proxy, "reset"), 1);
}

#[tokio::test]
async fn what_is_held_arrives_when_the_gate_opens() {
    let (echo, proxy, mut client) = pair().await;
    proxy.set(Faults::half_open());
    say(&mut client, b"one").await;
    within(async {
        while count(&proxy, "held") == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(echo.heard().is_empty());
    say(&mut client, b"two").await;
    proxy.heal();
    assert_eq!(hear(&mut client, 6).await, b"onetwo");
}

#[tokio::test]
async fn one_direction_can_be_held_alone() {
    let (echo, proxy, mut client) =
        pair_with(Faults { down: DirectionFaults::gate(Gate::Hold), ..Faults::default() }, 1).await;
    say(&mut client, b"heard").await;
    echo.hears(b"heard").await;
    within(async {
        while count(&proxy, "held") == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(client.try_read(&mut [0; 1]).is_err(), "the answer came through");
    proxy.heal();
    assert_eq!(hear(&mut client, 5).await, b"heard");
}

#[tokio::test]
async fn what_is_lost_never_comes_and_takes_the_connection_with_it() {
    let (echo, proxy, mut client) =
        pair_with(Faults { down: DirectionFaults::gate(Gate::Lose), ..Faults::default() }, 1).await;
    say(&mut client, b"confirmed").await;
    echo.hears(b"confirmed").await;
    within(async {
        while count(&proxy, "lost") < 9 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    proxy.heal();
    assert!(is_reset(&mut client).await.is_empty());
}

#[tokio::test]
async fn a_connection_is_cut_after_so_many_bytes() {
    let (echo, proxy, mut client) = pair_with(Faults { cut_after: NonZeroU64::new(10), ..Faults::default() }, 1).await;
    say(&mut client, b"12345").await;
    assert_eq!(hear(&mut client, 5).await, b"12345");
    say(&mut client, b"678901").await;
    is_reset(&mut client).await;
    assert_eq!(echo.heard(), b"12345");
    assert_eq!(count(&proxy, "cut"), 1);
}

#[tokio::test]
async fn the_same_seed_flips_the_same_bits_and_only_at_the_start() {
    let flip = Flip { one_in: NonZeroU32::new(4).expect("not zero"), first: 64 };
    let faults = Faults { up: DirectionFaults { flip: Some(flip), ..DirectionFaults::default() }, ..Faults::default() };
    let mut heard = Vec::new();
    for seed in [7, 7, 8] {
        let (echo, proxy, mut client) = pair_with(faults.clone(), seed).await;
        say(&mut client, &[0; 200]).await;
        hear(&mut client, 200).await;
        assert!(count(&proxy, "flipped") > 0);
        heard.push(echo.heard());
    }
    assert_eq!(heard[0], heard[1]);
    assert_ne!(heard[0], heard[2]);
    assert!(heard.iter().all(|bytes| bytes[64..].iter().all(|byte| *byte == 0)));
}

#[tokio::test]
async fn late_slow_and_throttled_bytes_are_the_same_bytes() {
    let sent: Vec<u8> = (0..30_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let rate = NonZeroU64::new(1_000_000).expect("not zero");
    for (faults, name) in [(Faults::latency(Duration::from_millis(4)), "delayed"), (Faults::rate(rate), "throttled")] {
        let (_echo, proxy, mut client) = pair_with(faults, 1).await;
        let (mut read, mut write) = client.split();
        let mut back = vec![0; sent.len()];
        let (written, read) = within(async { tokio::join!(write.write_all(&sent), read.read_exact(&mut back)) }).await;
        written.expect("written");
        read.expect("read");
        assert_eq!(back, sent, "{name}");
        assert!(count(&proxy, name) > 0, "{name}");
    }
}

#[tokio::test]
async fn connections_are_refused_and_ends_come_late() {
    let (_echo, proxy, mut client) = pair().await;
    say(&mut client, b"hi").await;
    assert_eq!(hear(&mut client, 2).await, b"hi");
    proxy.set(Faults { refuse: true, slow_close: Duration::from_millis(1), ..Faults::default() });
    let mut refused = TcpStream::connect(proxy.address()).await.expect("the kernel accepts");
    is_reset(&mut refused).await;
    within(client.shutdown()).await.expect("closed");
    within(client.read_to_end(&mut Vec::new())).await.expect("an orderly end");
    assert_eq!((count(&proxy, "refused"), count(&proxy, "closed_late")), (1, 2));
}

#[tokio::test]
async fn a_commit_is_cut_before_the_server_or_before_its_answer() {
    const COMMIT: &[u8] = b"\x07\x00\x00\x00\x03COMMIT";
    for (cut, arrives) in [(CommitCut::Before, false), (CommitCut::Unanswered, true)] {
        let commit = Some(CommitFault { cut, one_in: NonZeroU32::MIN });
        let (echo, proxy, mut client) = pair_with(Faults { commit, ..Faults::default() }, 1).await;
        let begin = b"\x06\x00\x00\x00\x03BEGIN";
        say(&mut client, begin).await;
        assert_eq!(hear(&mut client, begin.len()).await, begin);
        say(&mut client, COMMIT).await;
        assert!(is_reset(&mut client).await.is_empty(), "{cut:?}: an answer came");
        assert_eq!(echo.heard().ends_with(COMMIT), arrives, "{cut:?}");
        assert_eq!(count(&proxy, "cut_at_commit"), 1);
    }
}

#[tokio::test]
async fn the_next_target_is_taken_if_one_is_dead() {
    let dead = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let echo = Echo::start().await;
    let proxy = Proxy::start(0, vec![dead, echo.address], 1).await.expect("a proxy");
    for _ in 0..3 {
        let mut client = TcpStream::connect(proxy.address()).await.expect("it accepts");
        say(&mut client, b"hi").await;
        assert_eq!(hear(&mut client, 2).await, b"hi");
    }
}

/// What a server would hold for ever otherwise counts as a leak of whoever gave it up.
#[tokio::test]
async fn a_stranded_connection_that_its_client_gave_up_ends_at_the_server() {
    let server = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let proxy = Proxy::start(0, vec![server.local_addr().expect("bound")], 1).await.expect("a port");
    let mut client = TcpStream::connect(proxy.address()).await.expect("it accepts");
    let (mut served, _) = server.accept().await.expect("a connection");
    say(&mut client, b"hi").await;
    assert_eq!(hear(&mut served, 2).await, b"hi");
    proxy.strand();
    within(async {
        while count(&proxy, "stranded") == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(served.try_read(&mut [0; 1]).is_err(), "an end was told");
    drop(client);
    is_reset(&mut served).await;
}

#[tokio::test]
async fn a_stranded_connection_is_silent_and_new_ones_work() {
    let (echo, proxy, mut client) = pair().await;
    say(&mut client, b"hi").await;
    assert_eq!(hear(&mut client, 2).await, b"hi");
    proxy.strand();
    within(async {
        while count(&proxy, "stranded") == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    say(&mut client, b"lost").await;
    let mut other = TcpStream::connect(proxy.address()).await.expect("it accepts");
    say(&mut other, b"new").await;
    assert_eq!(hear(&mut other, 3).await, b"new");
    assert_eq!(echo.heard(), b"hinew");
    assert!(client.try_read(&mut [0; 1]).is_err(), "an end was told");
    proxy.reset();
    is_reset(&mut client).await;
}
