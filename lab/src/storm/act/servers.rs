//! MariaDB, RabbitMQ, Redis and the payment provider: killed, frozen, full, emptied, interfered with.

use crate::storm::arena::{Arena, Fired, pause};
use crate::storm::nemesis::Server;
use anyhow::{Context as _, Result};
use baton_sql::database::Verdict;
use baton_supervisor::Process;
use baton_supervisor::process::loopback;
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// Longest time a server is frozen.
const FROZEN: Duration = Duration::from_secs(30);

/// Longest time the provider is away.
const AWAY: Duration = Duration::from_secs(60);

/// Longest time of an alarm.
const ALARM: Duration = Duration::from_secs(20);

/// Longest time the disk is full.
const FULL: Duration = Duration::from_secs(20);

/// The share of physical memory that is RabbitMQ's default, and the free disk of our configuration.
const MEMORY: &str = "0.4";
const FREE_DISK: &str = "50MB";

fn process(arena: &Arena, server: Server) -> Result<&Process> {
    Ok(match server {
        Server::Database => arena.cluster.mariadb.process(),
        Server::Broker => arena.cluster.broker()?.process(),
        Server::Hints => arena.cluster.redis.process(),
    })
}

async fn restart(arena: &Arena, server: Server) -> Result<()> {
    match server {
        Server::Database => arena.cluster.mariadb.restart().await,
        Server::Broker => arena.cluster.broker()?.restart().await,
        Server::Hints => arena.cluster.redis.restart().await,
    }
}

/// SIGKILL, a moment, back, until the time is over.
pub(super) async fn kill(arena: &Arena, server: Server) -> Result<Vec<Fired>> {
    let mut dice = arena.dice();
    let until = Instant::now() + arena.window;
    let mut times = 0;
    while times == 0 || Instant::now() < until {
        arena.note(format!("SIGKILL {server:?}"));
        process(arena, server)?.kill()?;
        pause(&mut dice, 500, 4_000).await;
        restart(arena, server).await?;
        arena.over(format!("{server:?} is back"));
        times += 1;
        pause(&mut dice, 3_000, 6_000).await;
    }
    Ok(vec![Fired::new(format!("SIGKILL {server:?}"), times)])
}

/// SIGSTOP, then SIGCONT.
pub(super) async fn freeze(arena: &Arena, server: Server) -> Result<Vec<Fired>> {
    arena.note(format!("SIGSTOP {server:?}"));
    process(arena, server)?.pause()?;
    sleep(arena.share(1.0, FROZEN)).await;
    process(arena, server)?.resume()?;
    arena.note(format!("SIGCONT {server:?}"));
    Ok(vec![Fired::new(format!("SIGSTOP {server:?}"), 1)])
}

/// Publishers are blocked until the watermark is back.
pub(super) async fn memory_alarm(arena: &Arena) -> Result<Vec<Fired>> {
    let broker = arena.cluster.broker()?;
    broker.ctl(&["set_vm_memory_high_watermark", "0.000001"]).await?;
    alarm(arena, "memory").await?;
    broker.ctl(&["set_vm_memory_high_watermark", MEMORY]).await?;
    arena.note("memory alarm over");
    Ok(vec![Fired::new("memory alarm", 1)])
}

/// The same for the disk.
pub(super) async fn disk_alarm(arena: &Arena) -> Result<Vec<Fired>> {
    let broker = arena.cluster.broker()?;
    broker.ctl(&["set_disk_free_limit", "1000000000000000"]).await?;
    alarm(arena, "disk").await?;
    broker.ctl(&["set_disk_free_limit", FREE_DISK]).await?;
    arena.note("disk alarm over");
    Ok(vec![Fired::new("disk alarm", 1)])
}

/// An alarm that was asked for and did not go off is a nemesis that did not fire.
async fn alarm(arena: &Arena, which: &str) -> Result<()> {
    let broker = arena.cluster.broker()?;
    let mut alarms = String::new();
    for _ in 0..15 {
        alarms = broker.ctl(&["eval", "rabbit_alarm:get_alarms()."]).await?;
        if alarms.contains(which) {
            arena.note(format!("{which} alarm"));
            sleep(arena.share(0.8, ALARM)).await;
            return Ok(());
        }
        sleep(Duration::from_millis(500)).await;
    }
    anyhow::bail!("no {which} alarm went off: {}", alarms.trim())
}

/// Each queue in turn, under load.
pub(super) async fn delete_queues(arena: &Arena) -> Result<Vec<Fired>> {
    let queues = ["saga.cmd.order.v2", "saga.cmd.payment.v2", "saga.cmd.stock.v2", "saga.reply.v2"];
    let gap = arena.window / 4;
    for queue in queues {
        arena.cluster.broker()?.ctl(&["delete_queue", queue]).await?;
        arena.over(format!("{queue} deleted"));
        sleep(gap.min(Duration::from_secs(5))).await;
    }
    Ok(vec![Fired::new("queue deleted", queues.len() as u64)])
}

/// As an administrator would.
pub(super) async fn close_connections(arena: &Arena) -> Result<Vec<Fired>> {
    let until = Instant::now() + arena.window;
    let mut times = 0;
    while times == 0 || Instant::now() < until {
        arena.cluster.broker()?.ctl(&["close_all_connections", "storm"]).await?;
        arena.over("connections closed");
        times += 1;
        sleep(Duration::from_secs(3)).await;
    }
    Ok(vec![Fired::new("connections closed", times)])
}

/// Killed, and its data directory gone: every message in flight is lost, confirmed or not.
pub(super) async fn fresh_broker(arena: &Arena) -> Result<Vec<Fired>> {
    let cluster = &arena.cluster;
    let broker = cluster.broker()?;
    arena.note("broker wiped");
    broker.kill()?;
    std::fs::remove_dir_all(cluster.dir.join("rabbitmq/mnesia")).context("wipe the broker")?;
    broker.restart().await?;
    arena.over("an empty broker is there");
    sleep(arena.share(0.5, Duration::from_secs(10))).await;
    Ok(vec![Fired::new("broker wiped", 1)])
}

/// Everything in it, and everybody who listens.
pub(super) async fn flush_hints(arena: &Arena) -> Result<Vec<Fired>> {
    let until = Instant::now() + arena.window;
    let mut times = 0;
    while times == 0 || Instant::now() < until {
        let mut stream = TcpStream::connect(loopback(arena.cluster.redis.port())).await?;
        stream.write_all(b"FLUSHALL\r\nCLIENT KILL TYPE pubsub\r\n").await?;
        let mut answer = [0; 64];
        let length = stream.read(&mut answer).await?;
        times += u64::from(answer[..length].starts_with(b"+OK"));
        arena.over("FLUSHALL");
        sleep(Duration::from_secs(2)).await;
    }
    Ok(vec![Fired::new("FLUSHALL", times)])
}

/// Somebody holds the row lock of the hot item for seconds, again and again.
pub(super) async fn lock_hot_item(arena: &Arena) -> Result<Vec<Fired>> {
    let until = Instant::now() + arena.window;
    let mut times = 0;
    while times == 0 || Instant::now() < until {
        let item = arena.hot_item.clone();
        arena.note("hot item locked");
        let locked = arena.cluster.stock.transaction(move |tx| {
            let item = item.clone();
            Box::pin(async move {
                let rows = tx
                    .query("SELECT available FROM item WHERE item_id = ? FOR UPDATE", vec![item.as_str().into()])
                    .await?;
                tx.query("SELECT SLEEP(4)", Vec::new()).await?;
                Ok(Verdict::Rollback(rows.len()))
            })
        });
        // It may lose against the load, which is what the load is there for.
        times += locked.await.unwrap_or(0) as u64;
        sleep(Duration::from_millis(500)).await;
    }
    Ok(vec![Fired::new("row lock held for 4 s", times)])
}

/// Not a byte left for the database.
pub(super) async fn full_disk(arena: &Arena) -> Result<Vec<Fired>> {
    let tmpfs = arena.cluster.tmpfs().context("the database has no file system of its own")?;
    let bytes = tmpfs.fill()?;
    arena.note(format!("disk full after {} KiB", bytes / 1024));
    let database = &arena.cluster.stock;
    let until = Instant::now() + arena.share(1.0, FULL);
    let mut refused = 0;
    // The database has some room in its own files; it is full once it says so.
    while Instant::now() < until || (refused == 0 && Instant::now() < until + FULL) {
        let grown = database.transaction(|tx| {
            Box::pin(async move {
                tx.execute("CREATE TABLE IF NOT EXISTS storm_ballast (body LONGBLOB NOT NULL)", Vec::new()).await?;
                tx.execute("INSERT INTO storm_ballast (body) VALUES (REPEAT('x', 1000000))", Vec::new()).await?;
                Ok(Verdict::Commit(()))
            })
        });
        refused += u64::from(grown.await.is_err());
        sleep(Duration::from_millis(300)).await;
    }
    tmpfs.empty()?;
    arena.over("disk has room again");
    Ok(vec![Fired::new("write refused for want of disk", refused)])
}

/// Nobody there.
pub(super) async fn provider_down(arena: &Arena) -> Result<Vec<Fired>> {
    arena.note("provider away");
    arena.cluster.provider.kill()?;
    sleep(arena.share(1.0, AWAY)).await;
    arena.cluster.provider.start()?;
    arena.note("provider back");
    Ok(vec![Fired::new("provider away", 1)])
}

/// One call in five fails, one in five has its effect and loses its answer, refunds are late, some are refused and some denied.
pub(super) async fn provider_faults(arena: &Arena) -> Result<Vec<Fired>> {
    let faults = [
        json!({ "fault": "status", "value": 500, "rate": 0.2 }),
        json!({ "fault": "cut_after_effect", "rate": 0.2 }),
        json!({ "fault": "cut_before_effect", "rate": 0.1 }),
        json!({ "fault": "latency_ms", "value": 400, "rate": 0.2 }),
        json!({ "fault": "expired_token", "rate": 0.05 }),
        // Only of refunds: a provider that denies a payment when it is verified lies, which nobody is promised to survive.
        json!({ "fault": "cancel_refused", "rate": 0.05 }),
        json!({ "fault": "unknown_id", "operation": "cancel", "rate": 0.05 }),
    ];
    for fault in &faults {
        let answer = arena.shop.sandbox("faults", Some(fault)).await?;
        anyhow::ensure!(answer["code"] == 0, "the sandbox refuses a fault: {}", answer["message"]);
    }
    arena.note("provider fails");
    sleep(arena.window).await;
    arena.shop.sandbox("faults", None).await?;
    arena.note("provider works");
    Ok(vec![Fired::new("provider faults switched on", faults.len() as u64)])
}
