//! Messages published and taken over, on both buses: from the first publish to the last acknowledgement.

use baton_courier::bus::{CommandBus, Consumer, Destination, Message};
use baton_courier::local::{LocalBus, LocalConfig};
use baton_courier::rabbitmq::{RabbitBus, RabbitConfig};
use baton_supervisor::shared;
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput};
use tokio::runtime::Runtime;
use uuid::Uuid;

/// Messages under way at once.
const SIZES: [usize; 2] = [1, 64];

/// Bytes of a message: about thirty commands.
const BODY: usize = 4_096;

fn stock() -> Destination {
    Destination::Commands("stock".to_owned())
}

async fn round(bus: &dyn CommandBus, consumer: &mut dyn Consumer, count: usize, body: &Bytes) {
    let message = |_| Message { id: Uuid::now_v7(), destination: stock(), body: body.clone() };
    let messages: Vec<Message> = (0..count).map(message).collect();
    let taking = async {
        let mut taken = 0;
        while taken < count {
            for delivery in consumer.take(count).await.unwrap() {
                taken += 1;
                delivery.ack().await;
            }
        }
    };
    let (confirmed, ()) = tokio::join!(bus.publish(messages), taking);
    assert_eq!(confirmed.len(), count);
}

fn measure(criterion: &mut Criterion, runtime: &Runtime, name: &str, bus: &dyn CommandBus) {
    let mut consumer = runtime.block_on(bus.consume(stock())).unwrap();
    let body = Bytes::from(vec![9; BODY]);
    let mut group = criterion.benchmark_group(format!("bus, {name}"));
    for size in SIZES {
        group.throughput(Throughput::Elements(size as u64));
        group.bench_with_input(BenchmarkId::from_parameter(size), &size, |bencher, size| {
            bencher.iter(|| runtime.block_on(round(bus, &mut *consumer, *size, &body)));
        });
    }
    group.finish();
    runtime.block_on(bus.close());
}

pub fn all(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    measure(criterion, &runtime, "in process", &LocalBus::new(LocalConfig::default()));
    let rabbitmq = runtime.block_on(async {
        let url = shared::fresh_vhost(shared::rabbitmq().await).await;
        RabbitBus::start(&RabbitConfig::new(url)).unwrap()
    });
    measure(criterion, &runtime, "RabbitMQ", &rabbitmq);
}
