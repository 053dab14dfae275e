//! Payments of the ledger by number, status and time, in an order.

use crate::ledger::Ledger;
use crate::payment::Status;
use baton_sql::error::SqlError;
use baton_sql::value::Value;

/// By which time payments are ordered; payments of the same time by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sorting {
    by: Time,
    descending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Time {
    Started,
    Paid,
    Updated,
}

impl Sorting {
    /// The latest begun first: the API's order unless asked otherwise.
    pub const NEWEST: Self = Self { by: Time::Started, descending: true };

    /// Reads the API's word: `started`, `paid` or `updated`, with `-` before it for the latest first.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (word, descending) = text.strip_prefix('-').map_or((text, false), |word| (word, true));
        let by = match word {
            "started" => Time::Started,
            "paid" => Time::Paid,
            "updated" => Time::Updated,
            _ => return None,
        };
        Some(Self { by, descending })
    }

    fn sql(self) -> String {
        let time = match self.by {
            Time::Started => "started_us",
            Time::Paid => "paid_us",
            // A failed payment may be paid later, and only a paid one is refunded.
            Time::Updated => {
                "CASE WHEN cancelled_us > 0 THEN cancelled_us WHEN paid_us > 0 THEN paid_us \
                 WHEN failed_us > 0 THEN failed_us ELSE started_us END"
            }
        };
        format!("{time} {}, imp_uid", if self.descending { "DESC" } else { "ASC" })
    }
}

/// Which payments a list shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Only of this number.
    pub merchant_uid: Option<String>,
    /// Only where they stand so.
    pub status: Option<Status>,
    /// Only begun within these times, both included, microseconds since the epoch.
    pub started_us: Option<(i64, i64)>,
    /// Their order.
    pub sorting: Sorting,
}

impl Ledger {
    /// The id of a number's first payment in this order; without one the newest, captured ones first. `None` if there is none
    /// (of this status).
    ///
    /// # Errors
    /// As [`baton_sql::database::Database::query`].
    pub async fn find_by_merchant(
        &self,
        merchant_uid: &str,
        status: Option<Status>,
        sorting: Option<Sorting>,
    ) -> Result<Option<String>, SqlError> {
        let captured_first = "CASE WHEN paid_merchant_uid IS NULL THEN 1 ELSE 0 END, started_us DESC, imp_uid";
        let order = sorting.map_or_else(|| captured_first.to_owned(), Sorting::sql);
        let sql = format!(
            "SELECT imp_uid FROM sandbox_payment WHERE merchant_uid = ? AND (? = '' OR status = ?) ORDER BY {order} LIMIT 1"
        );
        let word = status.map_or("", Status::as_str);
        let rows = self.database.query(&sql, vec![merchant_uid.into(), word.into(), word.into()]).await?;
        rows.first().map(|row| Ok(row.text(0)?.to_owned())).transpose()
    }

    /// How many payments a search finds, and the ids of `limit` of them after the first `skip`. The two are read one after the
    /// other, so that a payment made in between may be counted and not shown, or the other way round.
    ///
    /// # Errors
    /// As [`baton_sql::database::Database::query`].
    pub async fn search(&self, search: &Search, skip: u64, limit: u64) -> Result<(u64, Vec<String>), SqlError> {
        let mut conditions = vec!["1 = 1"];
        let mut args: Vec<Value> = Vec::new();
        if let Some(number) = &search.merchant_uid {
            conditions.push("merchant_uid = ?");
            args.push(number.as_str().into());
        }
        if let Some(status) = search.status {
            conditions.push("status = ?");
            args.push(status.as_str().into());
        }
        if let Some((from_us, to_us)) = search.started_us {
            conditions.push("started_us >= ? AND started_us <= ?");
            args.extend([Value::Int(from_us), Value::Int(to_us)]);
        }
        let matching = format!("FROM sandbox_payment WHERE {}", conditions.join(" AND "));
        let counted = self.database.query(&format!("SELECT COUNT(*) {matching}"), args.clone()).await?;
        let total = counted.first().map_or(Ok(0), |row| row.int(0))?;
        let sql = format!("SELECT imp_uid {matching} ORDER BY {} LIMIT ? OFFSET ?", search.sorting.sql());
        let whole = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        args.extend([whole(limit), whole(skip)]);
        let rows = self.database.query(&sql, args).await?;
        let ids = rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect::<Result<_, SqlError>>()?;
        Ok((u64::try_from(total).unwrap_or(0), ids))
    }
}
