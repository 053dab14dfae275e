//! Searches: the database narrows down, and what no column tells is decided row by row.

use crate::search::Search;
use crate::store::row::{self, SAGA_COLUMNS};
use crate::store::sql::store_error;
use crate::store::{Counted, Found, Record, SearchQuery, StoreError};
use baton_query::filter::{Arg, Dialect as FilterDialect, Translated};
use baton_query::order::{OrderBy, OrderField, Place};
use baton_sql::database::{Database, Dialect};
use baton_sql::value::{Row, Value};
use saga_core::saga::SagaId;

/// Rows that one statement brings: with inputs of 64 KiB, the longest there are, 32 MiB.
const CHUNK: usize = 500;

/// Walks through the rows that may match, in order.
struct Walk<'a> {
    db: &'a Database,
    search: &'a Search,
    translated: Translated,
    order: OrderBy,
    after: Option<Place>,
    /// Rows that may still be read.
    left: usize,
}

/// One row looked at.
enum Seen {
    Matching(Box<Record>),
    Other,
    Unreadable,
}

/// What a chunk of rows ended with.
#[derive(PartialEq, Eq)]
enum Then {
    /// There are no more rows.
    End,
    /// No more may be read.
    Spent,
    /// There may be more.
    More,
}

impl<'a> Walk<'a> {
    fn new(db: &'a Database, search: &'a Search, order: OrderBy, after: Option<Place>, max_rows: u32) -> Self {
        let mut translated = translated(search, db);
        if order.field == OrderField::WakeTime {
            translated.condition = format!("wake_second IS NOT NULL AND ({})", translated.condition);
            translated.narrow = true;
        }
        Self { db, search, translated, order, after, left: max_rows.max(1) as usize }
    }

    /// The next rows, at most `wanted` if the database decides alone.
    async fn chunk(&mut self, wanted: usize) -> Result<(Vec<Row>, Then), StoreError> {
        let wanted = if self.translated.is_exact() { wanted.min(CHUNK) } else { CHUNK };
        let asked = wanted.min(self.left);
        let columns = SAGA_COLUMNS.join(", ");
        let mut args = values(&self.translated);
        let (behind, place) = self.behind();
        args.extend(place);
        args.push(Value::from(asked as i64));
        let condition = &self.translated.condition;
        let (table, id, direction) = (self.table(), self.id(), if self.order.descending { "DESC" } else { "ASC" });
        let by = match time_column(self.order.field) {
            Some(column) => format!("{column} {direction}, {id} {direction}"),
            None => format!("{id} {direction}"),
        };
        let sql = format!("SELECT {columns} FROM {table} WHERE ({condition}){behind} ORDER BY {by} LIMIT ?");
        let rows = self.db.query(&sql, args).await.map_err(store_error)?;
        self.left -= rows.len().min(self.left);
        let then = match (rows.len() < asked, self.left) {
            (true, _) => Then::End,
            (false, 0) => Then::Spent,
            (false, _) => Then::More,
        };
        Ok((rows, then))
    }

    /// The table, without the way in which few rows would be looked for among all of them, newest first: planners take it,
    /// because a page is short, and do not know how far apart the few are.
    fn table(&self) -> &'static str {
        match (self.translated.narrow, self.db.dialect()) {
            (true, Dialect::MariaDb) => "saga IGNORE INDEX (PRIMARY)",
            (true, Dialect::Sqlite) | (false, _) => "saga",
        }
    }

    /// The id as it is compared and sorted by: a term, and no column with an index, if few rows match.
    fn id(&self) -> &'static str {
        match (self.translated.narrow, self.db.dialect()) {
            (true, Dialect::Sqlite) => "+id",
            (true, Dialect::MariaDb) | (false, _) => "id",
        }
    }

    /// What holds of rows behind the place that was reached.
    fn behind(&self) -> (String, Vec<Value>) {
        let Some(Place { at, id: place }) = self.after else { return (String::new(), Vec::new()) };
        let (id, sign) = (self.id(), if self.order.descending { "<" } else { ">" });
        match time_column(self.order.field) {
            None => (format!(" AND {id} {sign} ?"), vec![place.0.into()]),
            Some(column) => {
                let condition = format!(" AND ({column} {sign} ? OR ({column} = ? AND {id} {sign} ?))");
                (condition, vec![at.into(), at.into(), place.0.into()])
            }
        }
    }

    /// Where a row stands in the order, whether or not it decodes otherwise.
    fn place(&self, row: &Row) -> Result<Place, StoreError> {
        let id = row::decode_id(row).map_err(store_error)?;
        let at = match time_column(self.order.field) {
            None => Some(0),
            Some(column) => match SAGA_COLUMNS.iter().position(|name| *name == column) {
                Some(index) => row.opt_int(index).map_err(store_error)?,
                None => None,
            },
        };
        Ok(Place { at: at.unwrap_or(0), id })
    }

    fn look(&self, id: SagaId, row: &Row) -> Seen {
        match row::decode_saga(row) {
            Ok(record) if self.search.matches(&record) => Seen::Matching(Box::new(record)),
            Ok(_) => Seen::Other,
            Err(error) => {
                tracing::error!(saga_id = %id, %error, "saga row does not decode");
                Seen::Unreadable
            }
        }
    }
}

pub(super) async fn search(db: &Database, query: SearchQuery) -> Result<Found, StoreError> {
    let limit = query.limit.max(1) as usize;
    let mut walk = Walk::new(db, &query.search, query.order, query.after, query.max_rows);
    let mut found = Found::default();
    loop {
        // One more than fits tells whether the page is the last.
        let (rows, then) = walk.chunk(limit - found.records.len() + 1).await?;
        for row in &rows {
            let place = walk.place(row)?;
            match walk.look(place.id, row) {
                Seen::Matching(_) if found.records.len() == limit => {
                    found.next = walk.after;
                    return Ok(found);
                }
                Seen::Matching(record) => found.records.push(*record),
                Seen::Other => {}
                Seen::Unreadable => found.unreadable.push(place.id),
            }
            walk.after = Some(place);
        }
        match then {
            Then::End => return Ok(found),
            Then::Spent => {
                found.next = walk.after;
                return Ok(found);
            }
            Then::More => {}
        }
    }
}

pub(super) async fn count(db: &Database, search: &Search, limit: u32, max_rows: u32) -> Result<Counted, StoreError> {
    let translated = translated(search, db);
    if translated.is_exact() {
        return count_rows(db, &translated, limit).await;
    }
    let mut walk = Walk::new(db, search, OrderBy::default(), None, max_rows);
    let mut count = 0;
    loop {
        let (rows, then) = walk.chunk(CHUNK).await?;
        for row in &rows {
            let place = walk.place(row)?;
            match walk.look(place.id, row) {
                Seen::Matching(_) if count == u64::from(limit) => return Ok(Counted { count, exact: false }),
                Seen::Matching(_) => count += 1,
                Seen::Other | Seen::Unreadable => {}
            }
            walk.after = Some(place);
        }
        if then != Then::More {
            return Ok(Counted { count, exact: then == Then::End });
        }
    }
}

/// By the database alone, which reads no further than one row behind the limit.
async fn count_rows(db: &Database, translated: &Translated, limit: u32) -> Result<Counted, StoreError> {
    let condition = &translated.condition;
    let sql = format!("SELECT COUNT(*) FROM (SELECT 1 FROM saga WHERE {condition} LIMIT ?) AS matching");
    let limit = u64::from(limit);
    let mut args = values(translated);
    args.push(Value::from(i64::try_from(limit + 1).unwrap_or(i64::MAX)));
    let rows = db.query(&sql, args).await.map_err(store_error)?;
    let counted = rows.first().map(|row| row.int(0)).transpose().map_err(store_error)?;
    let counted = counted.and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
    Ok(Counted { count: counted.min(limit), exact: counted <= limit })
}

/// The column that an order of times goes by.
fn time_column(field: OrderField) -> Option<&'static str> {
    match field {
        OrderField::CreateTime => None,
        OrderField::UpdateTime => Some("updated_at"),
        OrderField::WakeTime => Some("wake_at"),
    }
}

fn translated(search: &Search, db: &Database) -> Translated {
    search.condition(match db.dialect() {
        Dialect::MariaDb => FilterDialect::MariaDb,
        Dialect::Sqlite => FilterDialect::Sqlite,
    })
}

fn values(translated: &Translated) -> Vec<Value> {
    let value = |arg: &Arg| match arg {
        Arg::Int(number) => Value::Int(*number),
        Arg::Text(text) => Value::Text(text.clone()),
        Arg::Bytes(bytes) => Value::Bytes(bytes.clone()),
    };
    translated.args.iter().map(value).collect()
}
