//! Creating and restocking items: idempotent writes of the business service.

use crate::item::{ITEM_COLUMNS, Item, SELECT_ITEM};
use baton_participant_kit::clock::Clock;
use baton_sql::database::{Database, Tx, Verdict};
use baton_sql::error::SqlError;
use baton_sql::value::Value;
use futures_util::FutureExt as _;

/// Most units of an item, in stock and reserved together. Far from what would overflow.
pub const MAX_STOCK: i64 = 1_000_000_000_000_000;

/// What came of a creation.
#[derive(Debug, PartialEq, Eq)]
pub enum Created {
    /// The item, new or as it stands since it was created with the same content.
    Item(Item),
    /// An item of this id exists with other content.
    Exists,
}

/// What came of a restock.
#[derive(Debug, PartialEq, Eq)]
pub enum Restocked {
    /// The item with the stock of this request, or of an earlier same one.
    Item(Item),
    /// There is no such item.
    NoSuchItem,
    /// The request id was used for another item or quantity.
    Reused,
    /// The item would hold more than [`MAX_STOCK`].
    TooMuch,
}

/// Creates an item. `item` is new: everything it was stocked with is available.
pub async fn create(database: &Database, item: Item) -> Result<Created, SqlError> {
    let fresh = item.clone();
    let inserted = database.transaction(move |tx| {
        let item = fresh.clone();
        async move {
            tx.insert_many("item", &ITEM_COLUMNS, vec![item.values()]).await?;
            Ok(Verdict::Commit(item))
        }
        .boxed()
    });
    match inserted.await {
        Ok(item) => Ok(Created::Item(item)),
        Err(SqlError::Duplicate(_)) => {
            let rows = database.query(&format!("{SELECT_ITEM}item_id = ?"), vec![item.id.as_str().into()]).await?;
            let there = rows.first().map(Item::from_row).transpose()?;
            Ok(there.filter(|there| same_content(there, &item)).map_or(Created::Exists, Created::Item))
        }
        Err(error) => Err(error),
    }
}

/// Adds `quantity` units, once per request.
pub async fn restock(
    database: &Database,
    clock: &Clock,
    id: &str,
    request: [u8; 16],
    quantity: i64,
) -> Result<Restocked, SqlError> {
    let (id, now_us) = (id.to_owned(), clock.now_us());
    let restocked = database.transaction(move |tx| {
        let id = id.clone();
        async move { add(tx, &id, request, quantity, now_us).await }.boxed()
    });
    restocked.await
}

async fn add(
    tx: &mut Tx,
    id: &str,
    request: [u8; 16],
    quantity: i64,
    now_us: i64,
) -> Result<Verdict<Restocked>, SqlError> {
    // The item's lock also keeps two requests of the same id apart, unless they name different items.
    let sql = format!("{SELECT_ITEM}item_id = ?{}", tx.for_update());
    let rows = tx.query(&sql, vec![id.into()]).await?;
    let Some(mut item) = rows.first().map(Item::from_row).transpose()? else {
        return Ok(Verdict::Rollback(Restocked::NoSuchItem));
    };
    let row = vec![vec![request.into(), id.into(), quantity.into(), now_us.into()]];
    match tx.insert_many("restock", &["request_id", "item_id", "quantity", "created_at"], row).await {
        Ok(_) => {}
        Err(SqlError::Duplicate(_)) => return Ok(Verdict::Rollback(repeated(tx, request, quantity, item).await?)),
        Err(error) => return Err(error),
    }
    if item.stocked > MAX_STOCK - quantity {
        return Ok(Verdict::Rollback(Restocked::TooMuch));
    }
    item.available += quantity;
    item.stocked += quantity;
    item.updated_at = now_us.max(item.updated_at);
    let sql = "UPDATE item SET available = ?, stocked = ?, updated_at = ? WHERE item_id = ?";
    let args = vec![item.available.into(), item.stocked.into(), item.updated_at.into(), id.into()];
    match tx.execute(sql, args).await? {
        1 => Ok(Verdict::Commit(Restocked::Item(item))),
        other => Err(SqlError::Refused(format!("{other} items changed, 1 was to change"))),
    }
}

async fn repeated(tx: &mut Tx, request: [u8; 16], quantity: i64, item: Item) -> Result<Restocked, SqlError> {
    let sql = "SELECT item_id, quantity FROM restock WHERE request_id = ?";
    let rows = tx.query(sql, vec![Value::from(request)]).await?;
    let same = match rows.first() {
        Some(row) => row.text(0)? == item.id && row.int(1)? == quantity,
        None => false,
    };
    Ok(if same { Restocked::Item(item) } else { Restocked::Reused })
}

fn same_content(there: &Item, wanted: &Item) -> bool {
    there.display_name == wanted.display_name
        && there.currency == wanted.currency
        && there.unit_price == wanted.unit_price
        && there.initial_stock == wanted.initial_stock
}
