//! The shop's tables, one at a time, for all sagas of a page.

use crate::evidence::{Claim, Order, Payment, Reservation, ShopSaga, by};
use baton_order::order;
use baton_shop::saga::NAME;
use baton_sql::database::Database;
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use baton_verify::databases::tables::{Range, in_range};
use baton_verify::databases::{ReadError, Sagas, reading};
use baton_verify::saga_evidence::{Read, SagaEvidence};
use prost::Message as _;
use saga_core::saga::SagaId;
use shop_domain::identifier::OrderNumber;
use shop_proto::order::v1::OrderSagaInput;
use std::collections::{BTreeMap, BTreeSet};

/// An order saga with the order's number and the payment's id that its input names.
type Input = (SagaId, String, String);

/// `shop.stock.v1.ReservationState` of a reservation that holds stock.
pub const HELD: i64 = 1;

/// Decodes what the order sagas were started with.
pub fn inputs(sagas: &mut Sagas) -> Vec<Input> {
    let mut inputs = Vec::new();
    for saga in sagas.values_mut() {
        let Some(row) = saga.saga.row().map(|record| &record.saga).filter(|row| row.definition.name == NAME) else {
            continue;
        };
        if let Ok(input) = OrderSagaInput::decode(row.input.clone()) {
            inputs.push((saga.id, input.order_number.clone(), input.payment_id.clone()));
            saga.own.entry::<ShopSaga>().input = Some(input);
        }
    }
    inputs
}

/// What the shop knows of a saga of the page, and of one that only its tables know.
fn shop_saga<'a>(sagas: &'a mut Sagas, id: SagaId, witness: &'static str) -> &'a mut ShopSaga {
    let saga = sagas.entry(id).or_insert_with(|| SagaEvidence::new(id));
    if !saga.witnesses.contains(&witness) {
        saga.witnesses.push(witness);
    }
    saga.own.entry()
}

/// Reservations.
pub async fn reservations(database: &Database, range: &Range, sagas: &mut Sagas) -> Result<(), ReadError> {
    let columns = "order_no, quantity, state";
    in_range(database, "reservations", ("reservation", &["saga_id", "item_id"], columns), range, |row| {
        let id = SagaId(row.array(0)?);
        let reservation = Reservation {
            item: row.text(1)?.to_owned(),
            order: OrderNumber::from_bytes(row.array(2)?).to_string(),
            quantity: row.int(3)?,
            held: row.int(4)? == HELD,
        };
        shop_saga(sagas, id, "reservations").reservations.push(reservation);
        Ok(())
    })
    .await
}

/// Sagas that have closed themselves for claims.
pub async fn closed(database: &Database, range: &Range, sagas: &mut Sagas) -> Result<(), ReadError> {
    in_range(database, "closed payments", ("payment_closed", &["saga_id"], "closed_at"), range, |row| {
        shop_saga(sagas, SagaId(row.array(0)?), "a closed payment").closed = true;
        Ok(())
    })
    .await
}

/// Orders that sagas name.
pub async fn orders(database: &Database, inputs: &[Input], sagas: &mut Sagas) -> Result<(), ReadError> {
    let numbers: BTreeSet<[u8; 16]> = inputs
        .iter()
        .filter_map(|(_, number, _)| OrderNumber::parse(number).ok())
        .map(|number| number.bytes())
        .collect();
    let before = format!("{}order_no", order::SELECT_ORDER);
    let values = numbers.into_iter().map(Value::from).collect();
    let mut rows = BTreeMap::new();
    for row in database.query_in(&before, values, "").await.map_err(reading("orders"))? {
        let number = OrderNumber::from_bytes(row.array(0).map_err(reading("orders"))?).to_string();
        let order = match order::Order::from_row(&row) {
            Ok(order) => Read::Row(of_row(order)),
            Err(error) => Read::Damaged(error.to_string()),
        };
        rows.insert(number, order);
    }
    for (id, number, _) in inputs {
        if let (Some(saga), Some(order)) = (sagas.get_mut(id), rows.get(number)) {
            saga.own.entry::<ShopSaga>().order = order.clone();
        }
    }
    Ok(())
}

/// What a claim is read from, in its order.
pub const CLAIM: &str = "payment_id, order_no, saga_id, currency, amount, state";

pub fn claim(row: &Row) -> Result<Claim, SqlError> {
    Ok(Claim {
        payment: row.text(0)?.to_owned(),
        order: OrderNumber::from_bytes(row.array(1)?).to_string(),
        saga: SagaId(row.array(2)?),
        currency: row.text(3)?.to_owned(),
        amount: row.int(4)?,
        state: row.int(5)?,
    })
}

/// The claims on these payments, by payment.
pub async fn claims_on(database: &Database, payments: BTreeSet<&str>) -> Result<BTreeMap<String, Claim>, ReadError> {
    let before = format!("SELECT {CLAIM} FROM payment WHERE payment_id");
    let rows = database.query_in(&before, payments.into_iter().map(Value::from).collect(), "").await;
    let rows = rows.map_err(reading("claims"))?;
    let claims = rows.iter().map(|row| claim(row).map(|claim| (claim.payment.clone(), claim)));
    claims.collect::<Result<_, _>>().map_err(reading("claims"))
}

/// Claims on payments that sagas name.
pub async fn claims(database: &Database, inputs: &[Input], sagas: &mut Sagas) -> Result<(), ReadError> {
    let claims = claims_on(database, inputs.iter().map(|(_, _, payment)| payment.as_str()).collect()).await?;
    for (id, _, payment) in inputs {
        if let (Some(saga), Some(claim)) = (sagas.get_mut(id), claims.get(payment)) {
            saga.own.entry::<ShopSaga>().claim = Read::Row(claim.clone());
        }
    }
    Ok(())
}

/// How the provider's ledger is called where it cannot be read.
pub const LEDGER: &str = "the provider's ledger";

/// What a payment of the provider is read from, in its order.
pub const PAID: &str = "imp_uid, merchant_uid, currency, amount, cancelled, cancellations, status";

pub fn paid(row: &Row) -> Result<Payment, SqlError> {
    let captured = matches!(row.text(6)?, "paid" | "cancelled");
    Ok(Payment {
        imp_uid: row.text(0)?.to_owned(),
        merchant_uid: row.text(1)?.to_owned(),
        currency: row.text(2)?.to_owned(),
        paid: if captured { row.int(3)? } else { 0 },
        refunded: row.int(4)?,
        refunds: row.int(5)?,
    })
}

/// The payments whose `column` is one of these.
pub async fn payments_by(database: &Database, column: &str, these: BTreeSet<&str>) -> Result<Vec<Payment>, ReadError> {
    let before = format!("SELECT {PAID} FROM sandbox_payment WHERE {column}");
    let rows = database.query_in(&before, these.into_iter().map(Value::from).collect(), "").await;
    let rows = rows.map_err(reading(LEDGER))?;
    rows.iter().map(paid).collect::<Result<_, _>>().map_err(reading(LEDGER))
}

/// Payments made under the numbers of orders.
pub async fn payments(database: &Database, inputs: &[Input], sagas: &mut Sagas) -> Result<(), ReadError> {
    let numbers = inputs.iter().map(|(_, number, _)| number.as_str()).collect();
    let paid = by(payments_by(database, "merchant_uid", numbers).await?, |payment| &payment.merchant_uid);
    for (id, number, _) in inputs {
        if let (Some(saga), Some(paid)) = (sagas.get_mut(id), paid.get(number)) {
            saga.own.entry::<ShopSaga>().payments = paid.clone();
        }
    }
    Ok(())
}

fn of_row(order: order::Order) -> Order {
    Order {
        number: order.number.to_string(),
        state: order.state,
        currency: order.content.currency,
        total: order.total,
        saga: order.saga.map(SagaId),
        lines: order.content.lines.into_iter().map(|line| (line.item_id, line.quantity)).collect(),
    }
}
