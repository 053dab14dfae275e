//! Batches of commands: lock the orders once, decide in memory, write once per kind of change.

use crate::command::{self, CONFIRM, OPEN, Payload, REJECT};
use crate::decide::decide;
use crate::order::{MIGRATIONS, ORDER_COLUMNS, Order, SELECT_ORDER};
use async_trait::async_trait;
use baton_participant_kit::clock::Clock;
use baton_participant_kit::participant::{Answer, Command, Participant};
use baton_sql::database::Tx;
use baton_sql::error::SqlError;
use baton_sql::migration::Migration;
use baton_sql::statement::{chunk_sizes, placeholders};
use baton_sql::value::Value;
use shop_domain::currency::Currencies;
use shop_domain::identifier::OrderNumber;
use shop_proto::order::v1::OrderState;
use std::collections::{BTreeMap, BTreeSet};

/// Its name: queue, schema, config entry.
pub const NAME: &str = "order";

/// The order participant.
#[derive(Clone, Debug, Default)]
pub struct OrderParticipant {
    currencies: Currencies,
    clock: Clock,
}

impl OrderParticipant {
    /// With the installation's currencies.
    #[must_use]
    pub fn new(currencies: Currencies, clock: Clock) -> Self {
        Self { currencies, clock }
    }
}

/// An order of a batch: as it was read, as it is now.
struct Held {
    before: Option<Order>,
    now: Option<Order>,
}

#[async_trait]
impl Participant for OrderParticipant {
    type Prepared = ();

    const PREPARES: bool = false;

    fn name(&self) -> &'static str {
        NAME
    }

    fn commands(&self) -> &'static [&'static str] {
        &[OPEN, REJECT, CONFIRM]
    }

    fn undos(&self) -> &'static [&'static str] {
        &[REJECT]
    }

    /// An order that was created and never opened must not stay pending: its payment is refunded, and no saga will come
    /// for it again.
    fn undoes_without_action(&self) -> &'static [&'static str] {
        &[REJECT]
    }

    fn migrations(&self) -> &'static [Migration] {
        MIGRATIONS
    }

    async fn prepare(&self, commands: &[Command]) -> Vec<()> {
        vec![(); commands.len()]
    }

    async fn handle(&self, tx: &mut Tx, batch: &[(Command, ())]) -> Result<Vec<Answer>, SqlError> {
        let now_us = self.clock.now_us();
        let parsed = batch.iter().map(|(command, ())| command::parse(command, &self.currencies)).collect::<Vec<_>>();
        let numbers = parsed.iter().flatten().map(Payload::number).collect::<BTreeSet<_>>();
        let mut held = lock(tx, numbers).await?;
        let mut answers = Vec::with_capacity(batch.len());
        for ((command, ()), payload) in batch.iter().zip(parsed) {
            answers.push(match payload {
                Err(answer) => answer,
                Ok(payload) => apply(payload, command.key.saga, &mut held, now_us),
            });
        }
        write(tx, held.into_values().collect()).await?;
        Ok(answers)
    }
}

async fn lock(tx: &mut Tx, numbers: BTreeSet<OrderNumber>) -> Result<BTreeMap<OrderNumber, Held>, SqlError> {
    // In key order, so that two batches never wait for each other in a circle.
    let keys = numbers.iter().map(|number| Value::from(number.bytes())).collect();
    let after = format!(" ORDER BY order_no{}", tx.for_update());
    let rows = tx.select_in(&format!("{SELECT_ORDER}order_no"), Vec::new(), keys, &after).await?;
    let mut held: BTreeMap<_, _> =
        numbers.into_iter().map(|number| (number, Held { before: None, now: None })).collect();
    for row in rows {
        let order = Order::from_row(&row)?;
        held.insert(order.number, Held { before: Some(order.clone()), now: Some(order) });
    }
    Ok(held)
}

fn apply(payload: Payload, saga: [u8; 16], held: &mut BTreeMap<OrderNumber, Held>, now_us: i64) -> Answer {
    let entry = held.entry(payload.number()).or_insert(Held { before: None, now: None });
    match decide(payload, saga, entry.now.as_ref(), now_us) {
        Ok(None) => Answer::done(),
        Ok(Some(next)) => {
            entry.now = Some(next);
            Answer::done()
        }
        Err(refusal) => {
            if let Some(closed) = refusal.closed {
                entry.now = Some(*closed);
            }
            refusal.answer
        }
    }
}

/// Created orders in one insert, opened ones in one update, ended ones in one update per state and reason.
async fn write(tx: &mut Tx, held: Vec<Held>) -> Result<(), SqlError> {
    let mut created = Vec::new();
    let mut opened = Vec::new();
    let mut ended: BTreeMap<(i32, String), (i64, Vec<Value>)> = BTreeMap::new();
    let mut ending = 0;
    for Held { before, now } in held {
        match (before, now) {
            (before, Some(now)) if before.as_ref() != Some(&now) => match before {
                None => created.push(now.values()),
                Some(before)
                    if before.state == OrderState::PaymentPending && now.state == OrderState::PaymentConfirm =>
                {
                    opened.push(now);
                }
                Some(before) => {
                    // A pending order that was opened and ended within one batch: its saga is still to be written.
                    if before.saga != now.saga {
                        opened.push(now.clone());
                    }
                    ending += 1;
                    let group = ended.entry((now.state as i32, now.reason.clone())).or_default();
                    group.0 = group.0.max(now.updated_at);
                    group.1.push(now.number.bytes().into());
                }
            },
            (_, _) => {}
        }
    }
    if !created.is_empty() {
        tx.insert_many("orders", &ORDER_COLUMNS, created).await?;
    }
    let expected = opened.len() as u64;
    expect(open(tx, opened).await?, expected)?;
    let mut affected = 0;
    for ((state, reason), (at, keys)) in ended {
        let sql = "UPDATE orders SET state = ?, reason = ?, updated_at = ? WHERE order_no";
        affected += tx.execute_in(sql, vec![state.into(), reason.into(), at.into()], keys).await?;
    }
    expect(affected, ending)
}

/// Sets the saga of each opened order, many per statement.
async fn open(tx: &mut Tx, opened: Vec<Order>) -> Result<u64, SqlError> {
    let mut affected = 0;
    let mut rest = opened.as_slice();
    for size in chunk_sizes(opened.len(), 3) {
        let (chunk, later) = rest.split_at(size);
        rest = later;
        let cases = " WHEN ? THEN ?".repeat(size);
        let sql = format!(
            "UPDATE orders SET state = ?, updated_at = ?, saga_id = CASE order_no{cases} ELSE saga_id END \
             WHERE order_no IN {}",
            placeholders(size)
        );
        let at = chunk.iter().map(|order| order.updated_at).max().unwrap_or_default();
        let mut args = vec![Value::from(OrderState::PaymentConfirm as i32), Value::from(at)];
        for order in chunk {
            args.push(order.number.bytes().into());
            args.push(order.saga.map(Value::from).unwrap_or(Value::Null));
        }
        args.extend(chunk.iter().map(|order| Value::from(order.number.bytes())));
        affected += tx.execute(&sql, args).await?;
    }
    Ok(affected)
}

/// The rows are locked, so another number is a defect: roll back rather than write half.
fn expect(affected: u64, expected: u64) -> Result<(), SqlError> {
    if affected == expected {
        return Ok(());
    }
    Err(SqlError::Refused(format!("{affected} orders changed, {expected} were to change")))
}
