//! How many payments are on the watch list, and how much money waits for a person: for numbers, `baton doctor` and lists.

use crate::watch::WatchState;
use baton_sql::database::Database;
use baton_sql::error::SqlError;
use std::collections::BTreeMap;

/// The watch list in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchTally {
    /// Payments that verifications wait for, and such as are looked at again because their sagas gave up.
    pub watched: i64,
    /// Open cases: a person decides.
    pub open: i64,
    /// What the provider held of open cases when that was last known, minor units by currency.
    pub open_minor_units: BTreeMap<String, i64>,
}

impl WatchTally {
    /// Counts, over an index and the open cases.
    ///
    /// # Errors
    /// As [`Database::query`].
    pub async fn read(database: &Database) -> Result<Self, SqlError> {
        let open = WatchState::Open.stored();
        let watched = database.query("SELECT COUNT(*) FROM payment_watch WHERE state < ?", vec![open.into()]).await?;
        let by_currency = "SELECT currency, COUNT(*), CAST(SUM(held) AS SIGNED) FROM payment_watch WHERE state = ? \
                           GROUP BY currency";
        let mut tally = Self { watched: watched.first().map_or(Ok(0), |row| row.int(0))?, ..Self::default() };
        for row in database.query(by_currency, vec![open.into()]).await? {
            tally.open += row.int(1)?;
            // Without a currency nobody has ever seen what it holds.
            if !row.text(0)?.is_empty() {
                tally.open_minor_units.insert(row.text(0)?.to_owned(), row.int(2)?);
            }
        }
        Ok(tally)
    }
}
