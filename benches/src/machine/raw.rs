//! The machine's own figures, taken in the run that they are compared with: disk, database and broker without Baton.

use anyhow::{Context as _, Result, ensure};
use baton_supervisor::{MariaDb, RabbitMq};
use futures_util::StreamExt as _;
use hdrhistogram::Histogram;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use serde::Serialize;
use sqlx::mysql::{MySqlPool, MySqlPoolOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long each figure is measured: long enough to be steady, short enough to be taken in every run.
const MEASURED: Duration = Duration::from_secs(1);

/// One write of a log.
const PAGE: [u8; 4096] = [0xa5; 4096];

/// Size of a row and of a message, about those of a saga.
const BODY: [u8; 200] = [0x5a; 200];

/// Connections of the group commit: where one-row commits level off on two cores.
const CONNECTIONS: u32 = 8;

const SCHEMA: &str = "bench_raw";

/// `delivery_mode` of a message that outlives the broker.
const PERSISTENT: u8 = 2;

/// What the machine can do.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Raw {
    /// Median of appending 4 KiB and fdatasync, in milliseconds.
    pub fdatasync_ms: f64,
    /// One-row inserts on one connection, each its own durable transaction, per second.
    pub commits_alone: f64,
    /// The same on eight connections.
    pub commits_grouped: f64,
    /// Median from publishing a persistent message to a quorum queue until it is delivered, one at a time, in milliseconds.
    pub broker_ms: f64,
    /// The same until its confirm.
    pub confirm_ms: f64,
}

impl Raw {
    /// Takes all of them.
    pub async fn measure(dir: &Path, mariadb: &MariaDb, broker: &RabbitMq) -> Result<Self> {
        let fdatasync_ms = disk(dir)?;
        mariadb.create_schema(SCHEMA)?;
        let options = MySqlPoolOptions::new().max_connections(CONNECTIONS);
        let pool = options.connect(&mariadb.root_url(SCHEMA)).await.context("connect to MariaDB")?;
        let table = "CREATE TABLE IF NOT EXISTS t (id BIGINT AUTO_INCREMENT PRIMARY KEY, body VARBINARY(255) NOT NULL)";
        sqlx::query(table).execute(&pool).await?;
        let commits_alone = commits(&pool, 1).await?;
        let commits_grouped = commits(&pool, CONNECTIONS).await?;
        sqlx::query("DROP TABLE t").execute(&pool).await?;
        pool.close().await;
        let (broker_ms, confirm_ms) = round_trip(broker).await?;
        Ok(Self { fdatasync_ms, commits_alone, commits_grouped, broker_ms, confirm_ms })
    }

    /// One line for people.
    #[must_use]
    pub fn line(&self) -> String {
        format!(
            "raw: fdatasync {:.2} ms, commits {:.0}/s alone and {:.0}/s on {CONNECTIONS} connections, broker round trip \
             {:.2} ms, confirm {:.2} ms",
            self.fdatasync_ms, self.commits_alone, self.commits_grouped, self.broker_ms, self.confirm_ms
        )
    }
}

/// Blocks its thread, which is the point: nothing else is to run meanwhile.
fn disk(dir: &Path) -> Result<f64> {
    let path = dir.join("fdatasync");
    let mut file = std::fs::File::create(&path)?;
    let mut latency = Histogram::<u64>::new(3)?;
    let begun = Instant::now();
    while begun.elapsed() < MEASURED {
        let one = Instant::now();
        file.write_all(&PAGE)?;
        file.sync_data()?;
        latency.record(u64::try_from(one.elapsed().as_micros())?)?;
    }
    drop(file);
    std::fs::remove_file(path)?;
    Ok(median_ms(&latency))
}

async fn commits(pool: &MySqlPool, connections: u32) -> Result<f64> {
    let until = Instant::now() + MEASURED;
    let tasks: Vec<_> = (0..connections)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let mut connection = pool.acquire().await?;
                let mut done = 0_u32;
                while Instant::now() < until {
                    sqlx::query("INSERT INTO t (body) VALUES (?)").bind(&BODY[..]).execute(&mut *connection).await?;
                    done += 1;
                }
                anyhow::Ok(done)
            })
        })
        .collect();
    let mut all = 0.0;
    for task in tasks {
        all += f64::from(task.await??);
    }
    Ok(all / MEASURED.as_secs_f64())
}

async fn round_trip(broker: &RabbitMq) -> Result<(f64, f64)> {
    let connection = Connection::connect(&broker.amqp_url(), ConnectionProperties::default()).await?;
    let (publisher, consumer) = (connection.create_channel().await?, connection.create_channel().await?);
    publisher.confirm_select(ConfirmSelectOptions::default()).await?;
    let queue = "bench.raw";
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    publisher.queue_declare(queue.into(), options, arguments).await?;
    let consume = BasicConsumeOptions::default();
    let mut deliveries = consumer.basic_consume(queue.into(), "raw".into(), consume, FieldTable::default()).await?;
    let (mut delivered, mut confirmed) = (Histogram::<u64>::new(3)?, Histogram::<u64>::new(3)?);
    let begun = Instant::now();
    while begun.elapsed() < MEASURED {
        let one = Instant::now();
        let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
        let confirm =
            publisher.basic_publish("".into(), queue.into(), BasicPublishOptions::default(), &BODY, properties).await?;
        let (delivery, confirm) =
            tokio::join!(async { (deliveries.next().await, one.elapsed()) }, async { (confirm.await, one.elapsed()) });
        ensure!(confirm.0?.is_ack(), "the broker refused a message");
        delivery.0.context("the broker ended the consumer")??.ack(BasicAckOptions::default()).await?;
        delivered.record(u64::try_from(delivery.1.as_micros())?)?;
        confirmed.record(u64::try_from(confirm.1.as_micros())?)?;
    }
    publisher.queue_delete(queue.into(), QueueDeleteOptions::default()).await?;
    connection.close(200, "done".into()).await?;
    Ok((median_ms(&delivered), median_ms(&confirmed)))
}

fn median_ms(latency: &Histogram<u64>) -> f64 {
    latency.value_at_quantile(0.5) as f64 / 1000.0
}
