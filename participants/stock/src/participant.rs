//! Batches of commands: lock the touched items once, decide in memory, write each item once.

use crate::command::{self, Payload, RELEASE, RESERVE};
use crate::item::{Item, MIGRATIONS, SELECT_ITEM};
use crate::reservation::{RESERVATION_COLUMNS, Reservation, SELECT_RESERVATION};
use crate::shelf::{Changes, Shelf};
use async_trait::async_trait;
use baton_participant_kit::clock::Clock;
use baton_participant_kit::participant::{Answer, Command, Participant};
use baton_sql::database::Tx;
use baton_sql::error::SqlError;
use baton_sql::migration::Migration;
use baton_sql::statement::{chunk_sizes, placeholders};
use baton_sql::value::Value;
use shop_domain::currency::Currencies;
use shop_proto::stock::v1::ReservationState;
use std::collections::{BTreeMap, BTreeSet};

/// Its name: queue, schema, config entry.
pub const NAME: &str = "stock";

/// The reservations of the sagas whose stock is to be released.
type Held = BTreeMap<[u8; 16], Vec<Reservation>>;

/// The stock participant.
#[derive(Clone, Debug, Default)]
pub struct StockParticipant {
    currencies: Currencies,
    clock: Clock,
}

impl StockParticipant {
    /// With the installation's currencies.
    #[must_use]
    pub fn new(currencies: Currencies, clock: Clock) -> Self {
        Self { currencies, clock }
    }
}

#[async_trait]
impl Participant for StockParticipant {
    type Prepared = ();

    const PREPARES: bool = false;

    fn name(&self) -> &'static str {
        NAME
    }

    fn commands(&self) -> &'static [&'static str] {
        &[RESERVE, RELEASE]
    }

    fn undos(&self) -> &'static [&'static str] {
        &[RELEASE]
    }

    fn migrations(&self) -> &'static [Migration] {
        MIGRATIONS
    }

    async fn prepare(&self, commands: &[Command]) -> Vec<()> {
        vec![(); commands.len()]
    }

    async fn handle(&self, tx: &mut Tx, batch: &[(Command, ())]) -> Result<Vec<Answer>, SqlError> {
        let now_us = self.clock.now_us();
        let parsed = batch.iter().map(|(command, ())| (command.key.saga, command::parse(command, &self.currencies)));
        let parsed = parsed.collect::<Vec<_>>();
        let held = reservations(tx, &parsed).await?;
        let mut shelf = lock(tx, &parsed, &held).await?;
        let mut answers = Vec::with_capacity(batch.len());
        for (saga, payload) in parsed {
            answers.push(match payload {
                Err(answer) => answer,
                Ok(Payload::Reserve { order, currency, lines }) => shelf.reserve(saga, order, currency, &lines, now_us),
                Ok(Payload::Release) => shelf.release(saga, held.get(&saga).map_or(&[], Vec::as_slice), now_us),
            });
        }
        write(tx, shelf.changes(), now_us).await?;
        Ok(answers)
    }
}

/// Reservations change only with their own saga's commands, which the ledger keeps apart: they need no lock.
async fn reservations(tx: &mut Tx, parsed: &[([u8; 16], Result<Payload, Answer>)]) -> Result<Held, SqlError> {
    let releasing = parsed.iter().filter(|(_, payload)| matches!(payload, Ok(Payload::Release)));
    let sagas = releasing.map(|(saga, _)| *saga).collect::<BTreeSet<_>>();
    let keys = sagas.into_iter().map(Value::from).collect();
    let rows = tx.select_in(&format!("{SELECT_RESERVATION}saga_id"), Vec::new(), keys, "").await?;
    let mut held = Held::new();
    for row in rows {
        let one = Reservation::from_row(&row)?;
        held.entry(one.saga).or_default().push(one);
    }
    Ok(held)
}

/// Locks every item the batch touches, once and in key order, so that two batches never wait for each other in a circle.
async fn lock(tx: &mut Tx, parsed: &[([u8; 16], Result<Payload, Answer>)], held: &Held) -> Result<Shelf, SqlError> {
    let mut ids = held.values().flatten().map(|one| one.item.as_str()).collect::<BTreeSet<_>>();
    for (_, payload) in parsed {
        if let Ok(Payload::Reserve { lines, .. }) = payload {
            ids.extend(lines.as_slice().iter().map(|line| line.item.as_str()));
        }
    }
    let keys = ids.into_iter().map(Value::from).collect();
    let after = format!(" ORDER BY item_id{}", tx.for_update());
    let rows = tx.select_in(&format!("{SELECT_ITEM}item_id"), Vec::new(), keys, &after).await?;
    rows.iter().map(Item::from_row).collect::<Result<Vec<_>, _>>().map(Shelf::new)
}

async fn write(tx: &mut Tx, changes: Changes, now_us: i64) -> Result<(), SqlError> {
    if let Some(item) = changes.items.iter().find(|item| !item.is_conserved()) {
        return Err(SqlError::Refused(format!("the stock of item {} would not add up", item.id)));
    }
    let expected = changes.items.len() as u64;
    let affected = restack(tx, &changes.items, now_us).await?;
    if affected != expected {
        // The rows are locked, so another number is a defect: roll back rather than write half.
        return Err(SqlError::Refused(format!("{affected} items changed, {expected} were to change")));
    }
    if !changes.made.is_empty() {
        let rows = changes.made.iter().map(Reservation::values).collect();
        tx.insert_many("reservation", &RESERVATION_COLUMNS, rows).await?;
    }
    let released = changes.released.into_iter().map(Value::from).collect();
    let states = [ReservationState::Released, ReservationState::Held].map(|state| Value::from(state as i32));
    let sql = "UPDATE reservation SET state = ? WHERE state = ? AND saga_id";
    tx.execute_in(sql, states.to_vec(), released).await.map(drop)
}

/// Writes the stock of each item once, many items per statement. `available + reserved` stays `stocked`, which does not
/// move here.
async fn restack(tx: &mut Tx, items: &[Item], now_us: i64) -> Result<u64, SqlError> {
    let mut affected = 0;
    let mut rest = items;
    for size in chunk_sizes(items.len(), 5) {
        let (chunk, later) = rest.split_at(size);
        rest = later;
        let cases = " WHEN ? THEN ?".repeat(size);
        let sql = format!(
            "UPDATE item SET available = CASE item_id{cases} ELSE available END, \
             reserved = CASE item_id{cases} ELSE reserved END, updated_at = ? WHERE item_id IN {}",
            placeholders(size)
        );
        let mut args = Vec::with_capacity(5 * size + 1);
        for item in chunk {
            args.extend([Value::from(item.id.as_str()), Value::from(item.available)]);
        }
        for item in chunk {
            args.extend([Value::from(item.id.as_str()), Value::from(item.reserved)]);
        }
        args.push(Value::from(now_us));
        args.extend(chunk.iter().map(|item| Value::from(item.id.as_str())));
        affected += tx.execute(&sql, args).await?;
    }
    Ok(affected)
}
