//! The participant. The kit sees to it that each command is carried out once, and that what was undone stays undone.

use crate::saga::Trip;
use async_trait::async_trait;
use baton_participant_kit::participant::{Answer, Command};
use baton_participant_kit::single::SingleHandler;
use baton_rpc::reason::Reason;
use baton_sql::database::Tx;
use baton_sql::error::SqlError;
use baton_sql::migration::Migration;

/// There are fewer seats than the trip needs.
const NO_SEATS: Reason = Reason::new("NO_SEATS");
/// Seats on the flight.
const SEATS: u32 = 9;

const MIGRATIONS: &[Migration] = &[Migration {
    id: "0001_booking",
    mariadb: "CREATE TABLE IF NOT EXISTS booking (trip VARCHAR(128) NOT NULL PRIMARY KEY, nights BIGINT NOT NULL)",
    sqlite: "CREATE TABLE booking (trip TEXT NOT NULL PRIMARY KEY, nights INTEGER NOT NULL) STRICT",
}];

/// A travel agency.
#[derive(Debug)]
pub struct Agency;

#[async_trait]
impl SingleHandler for Agency {
    type Prepared = ();

    const PREPARES: bool = false;

    fn name(&self) -> &'static str {
        "agency"
    }

    fn commands(&self) -> &'static [&'static str] {
        &["hotel.book", "hotel.cancel", "flight.book", "mail.send"]
    }

    fn migrations(&self) -> &'static [Migration] {
        MIGRATIONS
    }

    async fn prepare(&self, _command: &Command) {}

    async fn handle(&self, tx: &mut Tx, command: &Command, (): &()) -> Result<Answer, SqlError> {
        let Ok(trip) = serde_json::from_slice::<Trip>(&command.payload) else {
            return Ok(Answer::unavailable(Reason::new("TRIP_UNREADABLE"), "this build cannot read the trip"));
        };
        let number = trip.number.clone();
        match command.name.as_str() {
            "hotel.book" => {
                tx.execute("INSERT INTO booking (trip, nights) VALUES (?, ?)", vec![number.into(), trip.nights.into()])
                    .await?;
            }
            "hotel.cancel" => {
                tx.execute("DELETE FROM booking WHERE trip = ?", vec![number.into()]).await?;
            }
            "flight.book" if trip.seats > SEATS => return Ok(Answer::rejected(NO_SEATS, "the flight is full")),
            // A real one would keep seats and send mails.
            _ => {}
        }
        Ok(Answer::done())
    }
}
