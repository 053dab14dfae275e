//! Searches: the database narrows down, and what no column tells is decided row by row.

use crate::search::Search;
use crate::store::row::{self, SAGA_COLUMNS};
use crate::store::sql::store_error;
use crate::store::{Counted, Found, Record, SearchQuery, StoreError};
use baton_operate::filter::{Arg, Dialect as FilterDialect, Translated};
use baton_sql::database::{Database, Dialect};
use baton_sql::value::{Row, Value};
use saga_core::saga::SagaId;

/// Rows that one statement brings: with inputs of 64 KiB, the longest there are, 32 MiB.
const CHUNK: usize = 500;

/// Walks through the rows that may match, newest first.
struct Walk<'a> {
    db: &'a Database,
    search: &'a Search,
    translated: Translated,
    before: Option<SagaId>,
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
    fn new(db: &'a Database, search: &'a Search, before: Option<SagaId>, max_rows: u32) -> Self {
        Self { db, search, translated: translated(search, db), before, left: max_rows.max(1) as usize }
    }

    /// The next rows, at most `wanted` if the database decides alone.
    async fn chunk(&mut self, wanted: usize) -> Result<(Vec<Row>, Then), StoreError> {
        let wanted = if self.translated.is_exact() { wanted.min(CHUNK) } else { CHUNK };
        let asked = wanted.min(self.left);
        let columns = SAGA_COLUMNS.join(", ");
        let mut args = values(&self.translated);
        let older = if self.before.is_some() { " AND id < ?" } else { "" };
        args.extend(self.before.map(|id| Value::from(id.0)));
        args.push(Value::from(asked as i64));
        let condition = &self.translated.condition;
        let sql = format!("SELECT {columns} FROM saga WHERE ({condition}){older} ORDER BY id DESC LIMIT ?");
        let rows = self.db.query(&sql, args).await.map_err(store_error)?;
        self.left -= rows.len().min(self.left);
        let then = match (rows.len() < asked, self.left) {
            (true, _) => Then::End,
            (false, 0) => Then::Spent,
            (false, _) => Then::More,
        };
        Ok((rows, then))
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
    let mut walk = Walk::new(db, &query.search, query.before, query.max_rows);
    let mut found = Found::default();
    loop {
        // One more than fits tells whether the page is the last.
        let (rows, then) = walk.chunk(limit - found.records.len() + 1).await?;
        for row in &rows {
            let id = row::decode_id(row).map_err(store_error)?;
            match walk.look(id, row) {
                Seen::Matching(_) if found.records.len() == limit => {
                    found.next = walk.before;
                    return Ok(found);
                }
                Seen::Matching(record) => found.records.push(*record),
                Seen::Other => {}
                Seen::Unreadable => found.unreadable.push(id),
            }
            walk.before = Some(id);
        }
        match then {
            Then::End => return Ok(found),
            Then::Spent => {
                found.next = walk.before;
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
    let mut walk = Walk::new(db, search, None, max_rows);
    let mut count = 0;
    loop {
        let (rows, then) = walk.chunk(CHUNK).await?;
        for row in &rows {
            let id = row::decode_id(row).map_err(store_error)?;
            match walk.look(id, row) {
                Seen::Matching(_) if count == u64::from(limit) => return Ok(Counted { count, exact: false }),
                Seen::Matching(_) => count += 1,
                Seen::Other | Seen::Unreadable => {}
            }
            walk.before = Some(id);
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
