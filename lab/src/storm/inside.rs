//! The audit from inside: every journal, ledger and book of the cluster's databases against every law, at rest.

use super::cluster::Cluster;
use super::history::{CallOutcome, ClientOrder, Operation};
use super::node::ProcessKind;
use super::quiesce::queues;
use anyhow::Result;
use baton_courier::bus::CommandBus as _;
use baton_courier::rabbitmq::{RabbitBus, RabbitConfig};
use baton_shop::saga::registry;
use baton_verify::broker::held;
use baton_verify::coverage::Mode;
use baton_verify::databases::Databases;
use baton_verify::history as written;
use baton_verify::report::Finding;
use baton_verify::verify::{Extras, verify};
use shop_audit::databases::Shop;
use shop_audit::provider;

/// Everything that was ever ordered on this cluster, not only by this nemesis: a late effect on an older order counts.
///
/// # Errors
/// If anything cannot be read.
pub async fn findings(cluster: &Cluster, orders: &[ClientOrder], http: &reqwest::Client) -> Result<Vec<Finding>> {
    let databases = Databases {
        orchestrator: Some(cluster.schemas[ProcessKind::Orchestrator.name()].clone()),
        participants: ProcessKind::PARTICIPANTS
            .iter()
            .map(|kind| (kind.name().to_owned(), cluster.schemas[kind.name()].clone()))
            .collect(),
    };
    let shop = Shop::of(&databases, Some(provider::copy(http, &cluster.provider_url()).await?));
    let registry = registry();
    let mut extras = Extras { history: Some(calls(orders)), ..Extras::default() };
    if let Some(broker) = &cluster.rabbitmq {
        let bus = RabbitBus::start(&RabbitConfig::new(broker.amqp_url()))?;
        extras.dead_letters = Some(held(&bus, &registry.participants()).await?.letters);
        bus.close().await;
        extras.queues = Some(queues(cluster).await?);
    }
    let report = verify(&databases, &[&shop], &registry, Mode::AtRest, extras, &mut |_| {}).await?;
    // Logs are judged from outside, and a check that looked at nothing has found nothing.
    Ok(report.findings.into_iter().filter(|finding| finding.unchecked.is_none()).collect())
}

/// The answers that named a saga: one call for each saga that any answer to an order named.
pub fn promises(orders: &[ClientOrder]) -> Vec<written::Call> {
    let promised = orders.iter().filter_map(|order| Some((order, order.number.as_deref()?)));
    let calls = promised.flat_map(|(order, number)| {
        let told = order.told.map(|state| state.as_str_name());
        order.sagas.iter().map(move |saga| written::Call::started(&order.request_id, number, saga, told))
    });
    calls.collect()
}

/// The clients' history in the auditor's words. Each call has a place for its beginning and one for its end in one order
/// of time.
fn calls(orders: &[ClientOrder]) -> Vec<written::Call> {
    let placing = orders.iter().enumerate().flat_map(|(client, order)| {
        let number = order.number.clone().unwrap_or_default();
        let calls = order.calls.iter().filter(|call| call.operation == Operation::Place);
        calls.map(move |call| (client, order, number.clone(), call))
    });
    let mut calls: Vec<written::Call> = placing
        .map(|(client, order, number, call)| {
            // Two events of one millisecond: beginnings before ends, so that calls of one moment count as overlapping.
            let (begun, ended) = (call.invoked_ms * 2, call.ended_ms * 2 + 1);
            // The end is told by the last answer, and by no other.
            let last = order.calls.iter().rfind(|other| other.operation == Operation::Place);
            let is_last = last.is_some_and(|last| std::ptr::eq(last, call));
            let outcome = match &call.outcome {
                CallOutcome::Ok => written::Outcome::Ok {
                    saga: order.sagas.iter().next().map(|saga| saga.trim_start_matches("sagas/").to_owned()),
                    state: order
                        .told
                        .filter(|_| is_last)
                        .map(|state| state.as_str_name().trim_start_matches("ORDER_STATE_").to_owned()),
                    version: None,
                },
                CallOutcome::Fail(code) => written::Outcome::Fail { code: code.clone() },
                CallOutcome::Unknown(_) => written::Outcome::Unknown,
            };
            written::Call {
                kind: written::Kind::Place,
                client: client.to_string(),
                request: order.request_id.clone(),
                key: number,
                begun,
                ended: Some(ended),
                outcome,
            }
        })
        .collect();
    calls.sort_by_key(|call| call.begun);
    calls
}
