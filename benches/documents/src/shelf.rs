//! Taking stock: the reservation's row, and the item's counters.

use crate::orders::now_us;
use baton_sql::database::Tx;
use baton_sql::error::SqlError;
use baton_stock::reservation::RESERVATION_COLUMNS;
use shop_domain::identifier::OrderNumber;
use shop_proto::order::v1::OrderLine;
use shop_proto::stock::v1::ReservationState;

/// Reserves the lines of an order. The row of the item may be inserted before it is known whether there is enough:
/// whoever finds that there is not rolls back. It comes first so that the item's lock is held for the shortest time.
pub async fn reserve(tx: &mut Tx, order: OrderNumber, lines: &[OrderLine]) -> Result<(), SqlError> {
    let now = now_us();
    let rows = lines.iter().map(|line| {
        vec![
            order.bytes().into(),
            line.item_id.as_str().into(),
            order.bytes().into(),
            line.quantity.into(),
            (ReservationState::Held as i32).into(),
            now.into(),
        ]
    });
    tx.insert_many("reservation", &RESERVATION_COLUMNS, rows.collect()).await.map(|_| ())
}

/// Reads the item, under a row lock if asked, and takes the units if there are enough at this price.
pub async fn take_after_reading(tx: &mut Tx, line: &OrderLine, for_update: bool) -> Result<bool, SqlError> {
    let lock = if for_update { tx.for_update() } else { "" };
    let sql = format!("SELECT available, unit_price FROM item WHERE item_id = ?{lock}");
    let rows = tx.query(&sql, vec![line.item_id.as_str().into()]).await?;
    let Some(row) = rows.first() else { return Ok(false) };
    if row.int(0)? < line.quantity || row.int(1)? != line.unit_price_minor_units {
        return Ok(false);
    }
    let sql = "UPDATE item SET available = available - ?, reserved = reserved + ?, updated_at = ? WHERE item_id = ?";
    let args = vec![line.quantity.into(), line.quantity.into(), now_us().into(), line.item_id.as_str().into()];
    tx.execute(sql, args).await.map(|_| true)
}

/// Takes the units in one statement that changes nothing if there are not enough.
pub async fn take(tx: &mut Tx, line: &OrderLine) -> Result<bool, SqlError> {
    let sql = "UPDATE item SET available = available - ?, reserved = reserved + ?, updated_at = ? \
               WHERE item_id = ? AND available >= ? AND unit_price = ?";
    let args = vec![
        line.quantity.into(),
        line.quantity.into(),
        now_us().into(),
        line.item_id.as_str().into(),
        line.quantity.into(),
        line.unit_price_minor_units.into(),
    ];
    Ok(tx.execute(sql, args).await? == 1)
}
