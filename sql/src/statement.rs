//! Texts of batch statements, built so that few distinct ones exist and prepared statements are reused: a connection keeps
//! 512 of them.
//!
//! `IN` lists and updates by `CASE` are padded to one of sixteen sizes by repeating the last key, which changes no result.
//! Rows to insert cannot be padded: few go in one statement, whatever their number; many go in a multiple of eight and the
//! rest.

use crate::value::Value;

/// Most rows, or ids of one `IN` list, in one statement.
pub const MAX_ROWS: usize = 256;
/// Up to this many rows each number of them has a statement of its own; above, numbers are rounded to a multiple of
/// [`GRAIN`]. A statement costs a round trip, so that a batch in three statements takes three times as long as in one; a
/// text that stays prepared costs the server about 250 bytes a parameter, so that not every number can have one.
const EXACT: usize = 32;
const GRAIN: usize = 8;
/// Most bound parameters in one statement.
pub const MAX_PARAMS: usize = 4096;
/// Most bytes bound to one statement of several rows; stays well under MariaDB's default `max_allowed_packet` of 16 MiB. A
/// server that takes less than this and 1 MiB is refused when it is opened.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Splits `rows` rows of `columns` parameters into chunk sizes: any up to 32, multiples of eight above, descending, none above
/// [`MAX_ROWS`] rows or [`MAX_PARAMS`] parameters (a single row is never split). Sixty sizes are few enough to stay prepared,
/// and a batch within the bounds takes one or two statements.
#[must_use]
pub fn chunk_sizes(rows: usize, columns: usize) -> Vec<usize> {
    let mut sizes = Vec::new();
    let mut left = rows;
    while left > 0 {
        let size = floor_step(left.min(largest_chunk(columns)));
        sizes.push(size);
        left -= size;
    }
    sizes
}

/// The size a list of `count` values is padded to: up to 4 exactly, then two sizes to each doubling (6, 8, 12, 16, …, 256).
///
/// ```
/// assert_eq!(baton_sql::statement::padded_size(3), 3);
/// assert_eq!(baton_sql::statement::padded_size(9), 12);
/// assert_eq!(baton_sql::statement::padded_size(33), 48);
/// ```
#[must_use]
pub fn padded_size(count: usize) -> usize {
    let count = count.max(1);
    if count <= 4 {
        return count;
    }
    let above = count.next_power_of_two();
    let between = above / 4 * 3;
    if count <= between { between } else { above }
}

/// Splits `values` into `IN` lists of at most [`MAX_ROWS`], each padded to [`padded_size`] by repeating its last value.
#[must_use]
pub fn padded_lists(values: Vec<Value>) -> Vec<Vec<Value>> {
    let mut lists = Vec::with_capacity(values.len().div_ceil(MAX_ROWS));
    let mut values = values.into_iter().peekable();
    while values.peek().is_some() {
        let mut list: Vec<Value> = values.by_ref().take(MAX_ROWS).collect();
        if let Some(last) = list.last().cloned() {
            list.resize(padded_size(list.len()), last);
        }
        lists.push(list);
    }
    lists
}

/// `(?, ?, …)` with `count` placeholders.
///
/// ```
/// assert_eq!(baton_sql::statement::placeholders(3), "(?, ?, ?)");
/// ```
#[must_use]
pub fn placeholders(count: usize) -> String {
    let mut text = String::with_capacity(count * 3 + 2);
    text.push('(');
    for index in 0..count {
        text.push_str(if index == 0 { "?" } else { ", ?" });
    }
    text.push(')');
    text
}

/// `INSERT INTO table (columns) VALUES (?, …), …` for `rows` rows.
#[must_use]
pub fn insert(table: &str, columns: &[&str], rows: usize) -> String {
    insert_by("INSERT INTO", table, columns, rows)
}

/// The same by another verb, such as `INSERT IGNORE INTO`.
pub(crate) fn insert_by(verb: &str, table: &str, columns: &[&str], rows: usize) -> String {
    let one = placeholders(columns.len());
    let mut text = format!("{verb} {table} ({}) VALUES ", columns.join(", "));
    text.reserve(rows * (one.len() + 2));
    for index in 0..rows {
        if index > 0 {
            text.push_str(", ");
        }
        text.push_str(&one);
    }
    text
}

/// `UPDATE table SET column = CASE key WHEN ? THEN ? … ELSE column END WHERE key IN (?, …)`: parameters are `rows` pairs
/// of key and value, then `rows` keys.
#[must_use]
pub fn update_case(table: &str, column: &str, key: &str, rows: usize) -> String {
    let mut text = format!("UPDATE {table} SET {column} = CASE {key}");
    for _ in 0..rows {
        text.push_str(" WHEN ? THEN ?");
    }
    text.push_str(&format!(" ELSE {column} END WHERE {key} IN {}", placeholders(rows)));
    text
}

/// Cuts `rows` into chunks of the sizes of [`chunk_sizes`], within every bound of this module.
pub(crate) fn chunks(rows: Vec<Vec<Value>>, columns: usize) -> Vec<Vec<Vec<Value>>> {
    cut(rows, columns, floor_step)
}

/// Cuts rows of key and value, of which each takes three parameters in [`update_case`], and pads every chunk to
/// [`padded_size`]: a key that comes again sets nothing, since its own pair comes first.
pub(crate) fn padded_pairs(pairs: Vec<Vec<Value>>) -> Vec<Vec<Vec<Value>>> {
    let mut chunks = cut(pairs, 3, |count| count);
    for chunk in &mut chunks {
        if let Some(key) = chunk.last().and_then(|pair| pair.first()).cloned() {
            chunk.resize(padded_size(chunk.len()), vec![key, Value::Null]);
        }
    }
    chunks
}

fn cut(rows: Vec<Vec<Value>>, columns: usize, size_within: fn(usize) -> usize) -> Vec<Vec<Vec<Value>>> {
    let mut out = Vec::new();
    let mut rows = rows.into_iter();
    while rows.len() > 0 {
        let wanted = size_within(rows.len().min(largest_chunk(columns)));
        let mut bytes = 0usize;
        let fitting = rows
            .as_slice()
            .iter()
            .take(wanted)
            .take_while(|row| {
                bytes = bytes.saturating_add(row.iter().map(Value::weight).sum::<usize>());
                bytes <= MAX_BYTES
            })
            .count();
        out.push(rows.by_ref().take(size_within(fitting.max(1))).collect());
    }
    out
}

fn largest_chunk(columns: usize) -> usize {
    floor_step((MAX_PARAMS / columns.max(1)).clamp(1, MAX_ROWS))
}

/// The largest of the sizes that is not above `count`, which is at least 1.
fn floor_step(count: usize) -> usize {
    let count = count.max(1);
    if count <= EXACT { count } else { count - count % GRAIN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_of_few_sizes_within_bounds_and_lose_nothing() {
        for columns in [1, 2, 7, 16, 100, 5000] {
            for rows in [0, 1, 2, 3, 255, 256, 257, 1000, 1023] {
                let sizes = chunk_sizes(rows, columns);
                assert_eq!(sizes.iter().sum::<usize>(), rows);
                let few = |size: &usize| *size <= EXACT || size.is_multiple_of(GRAIN);
                assert!(sizes.iter().all(|size| few(size) && *size <= MAX_ROWS), "{sizes:?}");
                assert!(sizes.iter().all(|size| *size == 1 || size * columns <= MAX_PARAMS));
            }
        }
    }

    #[test]
    fn heavy_rows_are_split_by_bytes() {
        let rows: Vec<Vec<Value>> = (0..8).map(|_| vec![Value::Bytes(vec![0; 1_500_000])]).collect();
        let sizes: Vec<usize> = chunks(rows, 1).iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 2, 2, 2]);
        let one = chunks(vec![vec![Value::Bytes(vec![0; 6_000_000])]], 1);
        assert_eq!(one.len(), 1, "a single heavy row is tried, not lost");
    }

    #[test]
    fn pairs_are_padded_with_their_last_key() {
        let padded = padded_pairs((0..5).map(|n| vec![Value::Int(n), Value::Int(7)]).collect());
        assert_eq!(padded.iter().map(Vec::len).collect::<Vec<_>>(), [6]);
        assert_eq!(padded[0][4..], [vec![Value::Int(4), Value::Int(7)], vec![Value::Int(4), Value::Null]]);
        let many = padded_pairs((0..300).map(|n| vec![Value::Int(n), Value::Int(7)]).collect());
        assert_eq!(many.iter().map(Vec::len).collect::<Vec<_>>(), [256, 48]);
    }

    #[test]
    fn padded_sizes_are_few_and_never_too_small() {
        let sizes: std::collections::BTreeSet<usize> = (0..=MAX_ROWS).map(padded_size).collect();
        assert_eq!(sizes.len(), 16);
        assert!((1..=MAX_ROWS).all(|count| padded_size(count) >= count && padded_size(count) <= MAX_ROWS));
    }

    #[test]
    fn lists_are_padded_with_the_last_value() {
        let lists = padded_lists((0..259).map(Value::Int).collect());
        assert_eq!(lists.iter().map(Vec::len).collect::<Vec<_>>(), [256, 3]);
        let padded = padded_lists((0..46).map(Value::Int).collect());
        assert_eq!(padded[0].len(), 48);
        assert_eq!(padded[0][45..], [45, 45, 45].map(Value::Int));
        assert!(padded_lists(Vec::new()).is_empty());
    }

    #[test]
    fn texts() {
        assert_eq!(insert("t", &["a", "b"], 2), "INSERT INTO t (a, b) VALUES (?, ?), (?, ?)");
        assert_eq!(
            update_case("t", "c", "id", 2),
            "UPDATE t SET c = CASE id WHEN ? THEN ? WHEN ? THEN ? ELSE c END WHERE id IN (?, ?)"
        );
    }
}
