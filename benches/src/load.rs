//! Closed loop: so many callers, each placing an order and waiting for its end, then the next.

use crate::prepare::{PRICE, Paid};
use anyhow::Result;
use baton_proto::shop::order::v1::order_placement_service_client::OrderPlacementServiceClient;
use baton_proto::shop::order::v1::{OrderLine, OrderState, PlaceOrderRequest};
use hdrhistogram::Histogram;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tonic::transport::Channel;
use uuid::Uuid;

/// What a run brought.
#[derive(Debug)]
pub struct Outcome {
    /// Orders that completed inside the measured time.
    pub completed: u64,
    /// The measured time.
    pub elapsed: Duration,
    /// Their latencies, in microseconds.
    pub latency: Histogram<u64>,
    /// Orders that ended any other way, or whose call failed. A run with one of these reports no figure.
    pub failed: Vec<String>,
}

impl Outcome {
    /// Sagas per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.completed as f64 / self.elapsed.as_secs_f64()
    }

    /// One line of a table.
    #[must_use]
    pub fn line(&self, name: &str) -> String {
        let ms = |micros: u64| micros as f64 / 1000.0;
        format!(
            "{name:<22} {:>9.0} sagas/s   mean {:>8.1} ms   p50 {:>8.1}   p99 {:>8.1}   p99.9 {:>8.1}   {} sagas",
            self.rate(),
            self.latency.mean() / 1000.0,
            ms(self.latency.value_at_quantile(0.5)),
            ms(self.latency.value_at_quantile(0.99)),
            ms(self.latency.value_at_quantile(0.999)),
            self.completed,
        )
    }
}

/// Runs `callers` callers over the orders for `warm_up` and then `measured`; each order is used once.
pub async fn closed_loop(
    channels: &[Channel],
    orders: Vec<Paid>,
    callers: u32,
    warm_up: Duration,
    measured: Duration,
) -> Result<Outcome> {
    let orders = Arc::new(orders);
    let next = Arc::new(AtomicUsize::new(0));
    let from = Instant::now() + warm_up;
    let until = from + measured;
    let mut tasks = Vec::new();
    for caller in 0..callers as usize {
        let client = OrderPlacementServiceClient::new(channels[caller % channels.len()].clone());
        tasks.push(tokio::spawn(one_caller(client, orders.clone(), next.clone(), from, until)));
    }
    let mut outcome = Outcome { completed: 0, elapsed: measured, latency: Histogram::new(3)?, failed: Vec::new() };
    let mut last = from;
    for task in tasks {
        let own = task.await?;
        outcome.completed += own.latencies.len() as u64;
        outcome.failed.extend(own.failed);
        last = last.max(own.last);
        for latency in own.latencies {
            outcome.latency.record(latency)?;
        }
    }
    // If the orders ran out before the time did, the time is up to the last of them.
    if last < until {
        outcome.elapsed = last.duration_since(from);
    }
    Ok(outcome)
}

struct Own {
    latencies: Vec<u64>,
    failed: Vec<String>,
    last: Instant,
}

async fn one_caller(
    mut client: OrderPlacementServiceClient<Channel>,
    orders: Arc<Vec<Paid>>,
    next: Arc<AtomicUsize>,
    from: Instant,
    until: Instant,
) -> Own {
    let mut own = Own { latencies: Vec::new(), failed: Vec::new(), last: from };
    while Instant::now() < until {
        let Some(order) = orders.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
        let begun = Instant::now();
        let answer = client.place_order(request(order)).await;
        let ended = Instant::now();
        match answer.map(|response| response.into_inner().progress.unwrap_or_default()) {
            Ok(progress) if progress.state == i32::from(OrderState::PaymentSuccess) => {
                if ended > from && ended <= until {
                    own.latencies.push(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
                    own.last = own.last.max(ended);
                }
            }
            Ok(progress) => own.failed.push(format!("{}: {} {}", order.number, progress.reason, progress.message)),
            Err(status) => own.failed.push(format!("{}: {status}", order.number)),
        }
    }
    own
}

fn request(order: &Paid) -> PlaceOrderRequest {
    PlaceOrderRequest {
        request_id: Uuid::now_v7().to_string(),
        order: format!("orders/{}", order.number),
        payment_id: order.payment.clone(),
        customer_id: "bench".to_owned(),
        currency_code: "KRW".to_owned(),
        lines: vec![OrderLine { item_id: order.item.clone(), quantity: 1, unit_price_minor_units: PRICE }],
        wait: true,
    }
}
