//! Moves sagas: one statement for as many as possible, since each costs a round trip.
//!
//! Sagas of one version mostly move to the same place, so that a row's version says what it becomes.

use crate::row::{self, MOVING_COLUMNS, Moving};
use crate::sql::{Written, index};
use baton_engine::store::{StoreError, Update};
use baton_sql::database::Tx;
use baton_sql::statement::{MAX_ROWS, padded_size, placeholders};
use baton_sql::value::Value;
use saga_core::time::Micros;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Groups in one statement. A usual saga has fewer versions.
const MAX_GROUPS: usize = 8;

/// Sagas of one version that move to the same place.
struct Group {
    version: Value,
    moving: [Value; 9],
    look_at: Value,
    /// Sorted.
    ids: Vec<Value>,
}

/// Overwrites sagas that still have the version they were loaded with; only those whose outputs, causes, last failure or
/// skips changed get their data written.
pub(super) async fn write(tx: &mut Tx, updates: &[Update]) -> Written {
    for groups in statements(groups(updates)) {
        let wanted: u64 = groups.iter().map(|group| group.ids.len() as u64).sum();
        let (sql, args) = statement(groups);
        let affected = tx.execute(&sql, args).await?;
        if affected != wanted {
            let reason = format!("{} of {wanted} sagas had another version", wanted.saturating_sub(affected));
            return Ok(Err(StoreError::Conflict(reason)));
        }
    }
    let data: Vec<(Value, Value)> = updates
        .iter()
        .filter(|update| update.data_changed)
        .map(|update| (update.saga.id.0.into(), data_of(update)))
        .collect();
    tx.update_each("saga", "data", "id", data).await?;
    index::write_skips(tx, updates.iter().filter(|update| update.data_changed)).await?;
    Ok(Ok(()))
}

fn data_of(update: &Update) -> Value {
    row::data_value(&update.saga, update.last_failure.as_ref(), &update.skipped)
}

fn groups(updates: &[Update]) -> Vec<Group> {
    let mut groups: BTreeMap<(u64, Moving, Option<Micros>), Vec<[u8; 16]>> = BTreeMap::new();
    for update in updates {
        let goal = (update.loaded_version, Moving::of(&update.saga), update.look_at);
        groups.entry(goal).or_default().push(update.saga.id.0);
    }
    let mut all = Vec::with_capacity(groups.len());
    for ((version, moving, look_at), mut ids) in groups {
        ids.sort_unstable();
        all.extend(ids.chunks(MAX_ROWS).map(|ids| Group {
            version: row::version_value(version).into(),
            moving: moving.values(),
            look_at: look_at.map(|at| at.0).into(),
            ids: ids.iter().map(|id| (*id).into()).collect(),
        }));
    }
    all
}

/// Each version at most once in a statement.
fn statements(groups: Vec<Group>) -> Vec<Vec<Group>> {
    let mut statements: Vec<Vec<Group>> = Vec::new();
    for group in groups {
        let fits = |others: &&mut Vec<Group>| {
            others.len() < MAX_GROUPS && others.iter().all(|other| other.version != group.version)
        };
        match statements.iter_mut().find(fits) {
            Some(others) => others.push(group),
            None => statements.push(vec![group]),
        }
    }
    statements
}

fn statement(groups: Vec<Group>) -> (String, Vec<Value>) {
    let longest = groups.iter().map(|group| group.ids.len()).max().unwrap_or_default();
    // Lists of the same length, so that there are few texts, which stay prepared.
    let (count, length) = (groups.len(), padded_size(longest));
    let (mut sql, mut args) = ("UPDATE saga SET ".to_owned(), Vec::with_capacity(count * (24 + length)));
    let choice = format!("CASE version{} END", " WHEN ? THEN ?".repeat(count));
    let choose = |args: &mut Vec<Value>, value: fn(&Group, usize) -> &Value, column: usize| {
        args.extend(groups.iter().flat_map(|group| [group.version.clone(), value(group, column).clone()]));
    };
    // The version last: MariaDB assigns from left to right, and the others depend on it.
    for column in (0..MOVING_COLUMNS.len()).rev() {
        if column == 0 {
            // A look that is due before stays: most moves leave it, and its index, alone.
            let _ = write!(sql, "look_at = CASE WHEN look_at < {choice} THEN look_at ELSE {choice} END, ");
            choose(&mut args, |group, _| &group.look_at, 0);
            choose(&mut args, |group, _| &group.look_at, 0);
        }
        let _ = write!(sql, "{} = {choice}{}", MOVING_COLUMNS[column], if column == 0 { " WHERE " } else { ", " });
        choose(&mut args, |group, column| &group.moving[column], column);
    }
    let ids = placeholders(length);
    for (index, mut group) in groups.into_iter().enumerate() {
        let _ = write!(sql, "{}(version = ? AND id IN {ids})", if index == 0 { "" } else { " OR " });
        if let Some(last) = group.ids.last().cloned() {
            group.ids.resize(length, last);
        }
        args.push(group.version);
        args.append(&mut group.ids);
    }
    (sql, args)
}
