//! Stock held for one line of one order, and its row.

use baton_participant_kit::clock::timestamp;
use baton_rpc::name::of_saga;
use baton_sql::error::SqlError;
use baton_sql::value::{Row, Value};
use shop_domain::identifier::OrderNumber;
use shop_domain::name;
use shop_proto::stock::v1::{self as wire, ReservationState};

/// Columns in the order of [`Reservation::values`].
pub const RESERVATION_COLUMNS: [&str; 6] = ["saga_id", "item_id", "order_no", "quantity", "state", "created_at"];

/// Selects what [`Reservation::from_row`] reads.
pub const SELECT_RESERVATION: &str =
    "SELECT saga_id, item_id, order_no, quantity, state, created_at FROM reservation WHERE ";

/// Stock held for one line of one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The saga that made it.
    pub saga: [u8; 16],
    /// What.
    pub item: String,
    /// For which order.
    pub order: OrderNumber,
    /// Units.
    pub quantity: i64,
    /// Whether it holds stock.
    pub state: ReservationState,
    /// Microseconds since the epoch.
    pub created_at: i64,
}

impl Reservation {
    /// The row's columns.
    #[must_use]
    pub fn values(&self) -> Vec<Value> {
        vec![
            self.saga.into(),
            self.item.as_str().into(),
            self.order.bytes().into(),
            self.quantity.into(),
            (self.state as i32).into(),
            self.created_at.into(),
        ]
    }

    /// Reads a row of [`SELECT_RESERVATION`].
    pub fn from_row(row: &Row) -> Result<Self, SqlError> {
        let state = match row.int(4)? {
            1 => ReservationState::Held,
            2 => ReservationState::Released,
            _ => {
                let (expected, found) = ("a reservation state", "another number".to_owned());
                return Err(SqlError::Decode { column: 4, expected, found });
            }
        };
        Ok(Self {
            saga: row.array(0)?,
            item: row.text(1)?.to_owned(),
            order: OrderNumber::from_bytes(row.array(2)?),
            quantity: row.int(3)?,
            state,
            created_at: row.int(5)?,
        })
    }

    /// The reservation as gRPC shows it.
    #[must_use]
    pub fn into_wire(self) -> wire::Reservation {
        wire::Reservation {
            name: format!("items/{}/reservations/{}", self.item, self.order),
            order: name::of_order(self.order),
            saga: of_saga(self.saga),
            quantity: self.quantity,
            state: self.state.into(),
            create_time: Some(timestamp(self.created_at)),
        }
    }
}
