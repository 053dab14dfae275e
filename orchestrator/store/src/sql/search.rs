//! Searches: the database narrows down, and what no column tells is decided row by row.

use crate::row::{self, SAGA_COLUMNS};
use crate::sql::{index, store_error};
use baton_engine::search::Search;
use baton_engine::store::query::{Counted, Found, SearchQuery};
use baton_engine::store::{Record, StoreError};
use baton_query::filter::{Arg, SqlDialect, Translated};
use baton_query::sort::{Cursor, OrderBy, SortField};
use baton_sql::database::{Database, Dialect};
use baton_sql::value::{Row, Value};
use saga_core::saga::SagaId;
use saga_core::time::Micros;

/// Rows that one statement brings: with inputs of 64 KiB, the longest there are, 32 MiB.
const CHUNK: usize = 500;

/// Walks through the rows that may match, in order.
struct Walk<'a> {
    db: &'a Database,
    search: &'a Search,
    translated: Translated,
    order: OrderBy,
    after: Option<Cursor>,
    /// Rows that may still be read.
    left: usize,
    /// Where the walk is, and where it goes on after.
    parts: Vec<Region>,
    /// When the oldest saga was created that the index has not reached which leads to the rows.
    indexed_until: Option<Micros>,
}

/// A part of the rows, all of whose places lie on one side of the other part's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Region {
    /// All of them.
    Whole,
    /// Those beyond a saga that the index of attributes has not passed.
    Beyond(SagaId),
    /// Those up to a saga, by the index of attributes.
    Led(SagaId),
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
    async fn new(
        db: &'a Database,
        search: &'a Search,
        order: OrderBy,
        after: Option<Cursor>,
        max_rows: u32,
    ) -> Result<Self, StoreError> {
        let mut translated = translated(search, db);
        if order.field == SortField::WakeTime {
            translated.condition = format!("look_at IS NOT NULL AND ({})", translated.condition);
            translated.narrow = true;
        }
        // The index knows ids, which are in the order of creation and in no other.
        let is_led = translated.lead.is_some() && order.field == SortField::CreateTime;
        let (parts, indexed_until) = if is_led {
            let (done, until) = index::done(db).await?;
            let (led, beyond) = (Region::Led(done), Region::Beyond(done));
            // Taken from the end.
            (if order.descending { vec![led, beyond] } else { vec![beyond, led] }, until)
        } else {
            (vec![Region::Whole], None)
        };
        Ok(Self { db, search, translated, order, after, left: max_rows.max(1) as usize, parts, indexed_until })
    }

    /// The next rows, at most `wanted` if the database decides alone.
    async fn chunk(&mut self, wanted: usize) -> Result<(Vec<Row>, Then), StoreError> {
        let Some(part) = self.parts.last().copied() else { return Ok((Vec::new(), Then::End)) };
        let decides = match part {
            Region::Led(_) => self.translated.is_exact_where_led(),
            Region::Whole | Region::Beyond(_) => self.translated.is_exact(),
        };
        let asked = if decides { wanted.min(CHUNK) } else { CHUNK }.min(self.left);
        let (sql, mut args) = self.statement(part);
        args.push(Value::from(asked as i64));
        let rows = self.db.query(&sql, args).await.map_err(store_error)?;
        self.left -= rows.len().min(self.left);
        let ended = rows.len() < asked;
        if ended {
            self.parts.pop();
        }
        let then = match (ended && self.parts.is_empty(), self.left) {
            (true, _) => Then::End,
            (false, 0) => Then::Spent,
            (false, _) => Then::More,
        };
        Ok((rows, then))
    }

    /// The rows of a part, with a `?` for their number at its end.
    fn statement(&self, part: Region) -> (String, Vec<Value>) {
        let mut args = Vec::new();
        let (from, within) = match (part, &self.translated.lead) {
            (Region::Led(done), Some(lead)) => {
                args.extend([lead.name.as_str().into(), lead.value.as_bytes().into(), Value::from(done.0)]);
                // In this order and no other: a planner does not know how few rows have the attribute.
                let from = match self.db.dialect() {
                    Dialect::MariaDb => "saga_attribute AS led STRAIGHT_JOIN saga ON saga.id = led.saga_id",
                    Dialect::Sqlite => "saga_attribute AS led CROSS JOIN saga ON saga.id = led.saga_id",
                };
                (from, "led.name = ? AND led.value = ? AND led.saga_id <= ? AND ")
            }
            (Region::Beyond(done), _) => {
                args.push(done.0.into());
                (self.table(), "id > ? AND ")
            }
            (Region::Whole | Region::Led(_), _) => (self.table(), ""),
        };
        args.extend(values(&self.translated));
        let id = if matches!(part, Region::Led(_)) { "led.saga_id" } else { self.id() };
        let (behind, cursor) = self.behind(id);
        args.extend(cursor);
        let (columns, condition) = (SAGA_COLUMNS.join(", "), &self.translated.condition);
        let direction = if self.order.descending { "DESC" } else { "ASC" };
        let by = match time_column(self.order.field) {
            Some(column) => format!("{column} {direction}, {id} {direction}"),
            None => format!("{id} {direction}"),
        };
        let sql = format!("SELECT {columns} FROM {from} WHERE {within}({condition}){behind} ORDER BY {by} LIMIT ?");
        (sql, args)
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
    fn behind(&self, id: &str) -> (String, Vec<Value>) {
        let Some(Cursor { at, id: cursor }) = self.after else { return (String::new(), Vec::new()) };
        let sign = if self.order.descending { "<" } else { ">" };
        match time_column(self.order.field) {
            None => (format!(" AND {id} {sign} ?"), vec![cursor.0.into()]),
            Some(column) => {
                let condition = format!(" AND ({column} {sign} ? OR ({column} = ? AND {id} {sign} ?))");
                (condition, vec![at.into(), at.into(), cursor.0.into()])
            }
        }
    }

    /// Where a row stands in the order, whether or not it decodes otherwise.
    fn cursor(&self, row: &Row) -> Result<Cursor, StoreError> {
        let id = row::decode_id(row).map_err(store_error)?;
        let at = match time_column(self.order.field) {
            None => Some(0),
            Some(column) => match SAGA_COLUMNS.iter().position(|name| *name == column) {
                Some(index) => row.opt_int(index).map_err(store_error)?,
                None => None,
            },
        };
        Ok(Cursor { at: at.unwrap_or(0), id })
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
    let mut walk = Walk::new(db, &query.search, query.order, query.after, query.max_rows).await?;
    let mut found = Found { indexed_until: walk.indexed_until, ..Found::default() };
    loop {
        // One more than fits tells whether the page is the last.
        let (rows, then) = walk.chunk(limit - found.records.len() + 1).await?;
        for row in &rows {
            let cursor = walk.cursor(row)?;
            match walk.look(cursor.id, row) {
                Seen::Matching(_) if found.records.len() == limit => {
                    found.next = walk.after;
                    return Ok(found);
                }
                Seen::Matching(record) => found.records.push(*record),
                Seen::Other => {}
                Seen::Unreadable => found.unreadable.push(cursor.id),
            }
            walk.after = Some(cursor);
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
    if translated.is_exact() && translated.lead.is_none() {
        return count_rows(db, &translated, limit).await;
    }
    let mut walk = Walk::new(db, search, OrderBy::default(), None, max_rows).await?;
    let mut count = 0;
    loop {
        let (rows, then) = walk.chunk(CHUNK).await?;
        for row in &rows {
            let cursor = walk.cursor(row)?;
            match walk.look(cursor.id, row) {
                Seen::Matching(_) if count == u64::from(limit) => return Ok(Counted { count, exact: false }),
                Seen::Matching(_) => count += 1,
                Seen::Other | Seen::Unreadable => {}
            }
            walk.after = Some(cursor);
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
fn time_column(field: SortField) -> Option<&'static str> {
    match field {
        SortField::CreateTime => None,
        SortField::UpdateTime => Some("updated_at"),
        SortField::WakeTime => Some("wake_at"),
    }
}

fn translated(search: &Search, db: &Database) -> Translated {
    search.condition(match db.dialect() {
        Dialect::MariaDb => SqlDialect::MariaDb,
        Dialect::Sqlite => SqlDialect::Sqlite,
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
