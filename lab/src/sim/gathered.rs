//! The evidence of a run for the shared audit: read straight from the databases in memory and the provider's ledger.

use super::client::Answered as Told;
use super::provider::Payment;
use super::stage::Stage;
use super::verdict::Ground;
use baton_orchestrator::store::Record;
use baton_order::order::{Order, SELECT_ORDER};
use baton_proto::baton::saga::v1::SagaState;
use baton_rpc::name::of_saga;
use baton_shop::saga;
use baton_sql::value::Row;
use baton_stock::item::{Item, SELECT_ITEM};
use baton_verify::evidence::{
    Acknowledged, Evidence, ItemRecord, LedgerPayment, OrderRecord, ReservationRecord, SagaRecord,
};
use futures_util::FutureExt as _;
use saga_core::saga::State;
use std::collections::{BTreeMap, BTreeSet};

/// What the shared audit looks at, read from the databases and the provider.
pub fn evidence(ground: &Ground<'_>) -> Result<Evidence, String> {
    let placed: BTreeSet<&str> = ground.records.iter().map(|record| record.business_key.as_str()).collect();
    let acknowledged: Vec<Acknowledged> = promises(ground).into_values().collect();
    let known: BTreeSet<String> = acknowledged
        .iter()
        .map(|promise| promise.order.clone())
        .chain(placed.iter().map(|order| (*order).to_owned()))
        .collect();
    let mut orders = Vec::new();
    for row in query(ground.stage, "order", &format!("{SELECT_ORDER}1 = 1"))? {
        let order = Order::from_row(&row).map_err(|error| error.to_string())?;
        if known.contains(&order.number.to_string()) {
            orders.push(order_record(order));
        }
    }
    let mut items = Vec::new();
    for row in query(ground.stage, "stock", &format!("{SELECT_ITEM}1 = 1"))? {
        let Item { id, stocked, available, reserved, .. } = Item::from_row(&row).map_err(|error| error.to_string())?;
        items.push(ItemRecord { id, stocked, available, reserved });
    }
    let sql = "SELECT item_id, order_no, quantity, state FROM reservation";
    let reservations: Result<Vec<_>, String> = query(ground.stage, "stock", sql)?
        .iter()
        .map(|row| reservation(row).map_err(|error| error.to_string()))
        .collect();
    let inner = ground.stage.world.lock();
    let of = |ours: bool| {
        let paid = inner.provider.payments.iter().filter(move |(_, payment)| known.contains(&payment.merchant) == ours);
        paid.map(|(id, payment)| ledger_payment(id, payment)).collect::<Vec<_>>()
    };
    let (ours, others) = (of.clone()(true), of(false));
    let bystanders = others.into_iter().filter(|payment| payment.paid > 0).map(|payment| (payment, 0)).collect();
    let of_orders = ground.records.iter().filter(|record| record.saga.definition.name == saga::NAME);
    let sagas = of_orders.map(saga_record).collect();
    Ok(Evidence { acknowledged, orders, sagas, items, reservations: reservations?, payments: ours, bystanders })
}

fn promises(ground: &Ground<'_>) -> BTreeMap<usize, Acknowledged> {
    let mut promises: BTreeMap<usize, Acknowledged> = BTreeMap::new();
    for call in &ground.clients.calls {
        let Some(Told::Ok(saga, end)) = &call.outcome else { continue };
        let order = ground.workload.orders[call.order].number.to_string();
        let promise = promises.entry(call.order).or_insert_with(|| Acknowledged { order, ..Acknowledged::default() });
        promise.sagas.insert(of_saga(saga.0));
        promise.told = end.or(promise.told);
    }
    promises
}

fn query(stage: &Stage, name: &str, sql: &str) -> Result<Vec<Row>, String> {
    let rows = stage.databases[name].query(sql, Vec::new()).now_or_never();
    rows.ok_or("a database in memory waits")?.map_err(|error| error.to_string())
}

fn order_record(order: Order) -> OrderRecord {
    OrderRecord {
        number: order.number.to_string(),
        state: order.state,
        currency: order.content.currency,
        total: order.total,
        saga: order.saga.map(of_saga).unwrap_or_default(),
        lines: order.content.lines.into_iter().map(|line| (line.item_id, line.quantity)).collect(),
    }
}

fn reservation(row: &Row) -> Result<ReservationRecord, baton_sql::error::SqlError> {
    let order = shop_domain::identifier::OrderNumber::from_bytes(row.array(1)?).to_string();
    let held = row.int(3)? == shop_proto::stock::v1::ReservationState::Held as i64;
    Ok(ReservationRecord { item: row.text(0)?.to_owned(), order, quantity: row.int(2)?, held })
}

fn ledger_payment(id: &str, payment: &Payment) -> LedgerPayment {
    LedgerPayment {
        imp_uid: id.to_owned(),
        merchant_uid: payment.merchant.clone(),
        currency: payment.currency.to_string(),
        paid: payment.paid,
        refunded: payment.refunded,
        refunds: payment.refunds,
    }
}

fn saga_record(record: &Record) -> SagaRecord {
    let state = match record.saga.state {
        State::Running { .. } => SagaState::Running,
        State::Compensating { .. } => SagaState::Compensating,
        State::Stuck { .. } => SagaState::Stuck,
        State::Paused { .. } => SagaState::Paused,
        State::Completed => SagaState::Completed,
        State::Compensated { .. } => SagaState::Compensated,
    };
    SagaRecord { name: of_saga(record.saga.id.0), state, order: record.business_key.clone() }
}
