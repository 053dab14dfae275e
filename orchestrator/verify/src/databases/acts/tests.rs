//! An honest audit passes, on both databases; whatever is changed in it, or under it, is found and named.

use super::acts;
use crate::acts::Acts;
use baton_orchestrator::operations::audit::NewAudit;
use baton_orchestrator::operations::sql::append;
use baton_orchestrator::store::audit::Digest;
use baton_orchestrator::store::conformance::sample;
use baton_orchestrator::store::row::audit::AUDIT_COLUMNS;
use baton_orchestrator::store::row::journal::JOURNAL_COLUMNS;
use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::store::{Changes, Record, SagaStore as _};
use baton_sql::database::{Database, DatabaseConfig, Verdict};
use baton_sql::value::Value;
use saga_core::event::{Event, JournalRecord, OperatorAction, Verb};
use saga_core::saga::State;
use saga_core::time::Micros;
use std::sync::Arc;
use uuid::Uuid;

const LATER: Micros = Micros(sample::START.0 + 3_600_000_000);

/// How many entries [`installation`] writes.
const ENTRIES: i64 = 5;

/// Three sagas and five acts: a pause of the first, a hold, a pause of the second, a cancellation of the first, a pause of
/// the third.
async fn installation(config: DatabaseConfig) -> SqlStore {
    let store = SqlStore::open_with_clock(config, Arc::new(|| LATER)).await.expect("a store");
    store.migrate().await.expect("a schema");
    let mut sagas: Vec<Record> = (1..=3).map(|n| sample::record(sample::id(1, n), sample::running(0, LATER))).collect();
    let journal = sagas.iter().map(|record| sample::started(&record.saga)).collect();
    let inserts = sagas.iter().cloned().map(sample::insert).collect();
    store.commit(Vec::new(), sample::always(Changes { inserts, journal, ..Changes::default() })).await.expect("sagas");
    ordered(&store, &mut sagas[0], Some(0x10), true).await;
    hold(&store).await;
    ordered(&store, &mut sagas[1], Some(0x20), true).await;
    ordered(&store, &mut sagas[0], None, true).await;
    ordered(&store, &mut sagas[2], Some(0x30), true).await;
    store
}

/// An order that brings a saga to its end, with or without the entry that must go with it.
async fn ordered(store: &SqlStore, record: &mut Record, request: Option<u128>, audited: bool) {
    let mut changes = Changes::default();
    sample::advance(&mut changes, record, State::Completed);
    let order = OperatorAction { verb: Verb::Pause, actor: "ada".into(), reason: "because".into() };
    changes.journal[0].record = JournalRecord::Moved(Event::Action(order));
    if audited {
        changes.audits.push(sample::audit(&record.saga, request.map(Uuid::from_u128)));
    }
    record.saga = changes.updates[0].saga.clone();
    store.commit(vec![record.saga.id], sample::always(changes)).await.expect("ordered");
}

async fn hold(store: &SqlStore) {
    let saga = sample::record(sample::id(1, 1), State::Completed).saga;
    let act = NewAudit { subject: "holds/1".into(), saga: None, version: 0, ..sample::audit(&saga, None) };
    let written = store.database().transaction(move |tx| {
        let act = act.clone();
        Box::pin(async move {
            append(tx, act).await?.expect("no request id");
            Ok(Verdict::Commit(()))
        })
    });
    written.await.expect("written");
}

async fn execute(database: &Database, sql: &str, args: Vec<Value>) -> u64 {
    let (sql, told) = (sql.to_owned(), sql.to_owned());
    let done = database.transaction(move |tx| {
        let (sql, args) = (sql.clone(), args.clone());
        Box::pin(async move { tx.execute(&sql, args).await.map(Verdict::Commit) })
    });
    let changed = done.await.unwrap_or_else(|error| panic!("{told}: {error}"));
    assert!(changed > 0, "nothing was changed: {told}");
    changed
}

async fn audit(store: &SqlStore) -> Acts {
    acts(store.database(), None).await.expect("it can be read")
}

async fn expect_clean(store: &SqlStore, what: &str) -> Acts {
    let acts = audit(store).await;
    assert!(acts.passed() && acts.flaws.is_empty(), "{what}: {acts:?}");
    acts
}

/// Something must be found, and named with these words.
async fn expect_flaw(store: &SqlStore, what: &str, words: &str) {
    let acts = audit(store).await;
    assert!(!acts.passed() && acts.flaws.iter().any(|flaw| flaw.contains(words)), "{what}: no {words:?} in {acts:?}");
}

/// Another value of the same kind, one bit away.
fn flipped(value: &Value, column: &str) -> Value {
    match value {
        Value::Int(number) => Value::Int(number ^ 0x40),
        Value::Text(text) => {
            let mut bytes = text.clone().into_bytes();
            bytes[0] ^= 1;
            Value::Text(String::from_utf8(bytes).expect("an ASCII letter's neighbour"))
        }
        Value::Bytes(bytes) => {
            let mut bytes = bytes.clone();
            if let Some(last) = bytes.last_mut() {
                *last ^= 1;
            }
            Value::Bytes(bytes)
        }
        Value::Null if column == "journal" => Value::Bytes(vec![0; 32]),
        Value::Null => Value::Bytes(vec![9; 16]),
    }
}

#[tokio::test]
async fn an_honest_audit_passes_and_says_its_head() {
    let server = baton_supervisor::shared::mariadb().await;
    let mariadb = DatabaseConfig::mariadb(baton_supervisor::shared::fresh_schema(server));
    for config in [DatabaseConfig::SqliteMemory, mariadb] {
        let store = installation(config).await;
        let found = expect_clean(&store, "honest").await;
        let head = found.head.expect("a head");
        assert_eq!((found.entries, head.number, found.forgotten, found.older), (5, 5, 0, 0));
        // A head that was noted stays part of the chain when the chain grows; one that was never in it does not.
        hold(&store).await;
        assert!(acts(store.database(), Some(head.hash)).await.expect("read").passed());
        let mut other = head.hash;
        other[0] ^= 1;
        let found = acts(store.database(), Some(other)).await.expect("read");
        assert!(found.flaws.iter().any(|flaw| flaw.contains("is not part of the audit")), "{found:?}");
    }
}

/// Entries and head are read by several statements, between which acts are committed and sagas forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn an_audit_while_operators_act_and_retention_deletes_is_clean() {
    let server = baton_supervisor::shared::mariadb().await;
    let mariadb = DatabaseConfig::mariadb(baton_supervisor::shared::fresh_schema(server));
    let dir = tempfile::tempdir().expect("a directory");
    for config in [DatabaseConfig::sqlite(dir.path().join("store.db")), mariadb] {
        let store = installation(config).await;
        let own = store.clone();
        let acting = tokio::spawn(async move {
            for n in 0..100 {
                let mut record = sample::record(sample::id(3, n), State::Completed);
                let journal = vec![sample::started(&record.saga)];
                let inserts = vec![sample::insert(record.clone())];
                let changes = Changes { inserts, journal, ..Changes::default() };
                own.commit(Vec::new(), sample::always(changes)).await.expect("a saga");
                ordered(&own, &mut record, None, true).await;
                hold(&own).await;
                if n % 10 == 9 {
                    own.forget(LATER, None, 5).await.expect("forget");
                }
            }
        });
        let mut audits = 0;
        while !acting.is_finished() {
            expect_clean(&store, "live").await;
            audits += 1;
        }
        acting.await.expect("all acts");
        let found = expect_clean(&store, "at rest").await;
        assert_eq!(found.entries, 205);
        assert!(audits > 0 && found.forgotten > 0, "{audits} audits, {found:?}");
    }
}

#[tokio::test]
async fn no_act_at_all_is_an_honest_audit() {
    let store = SqlStore::open_with_clock(DatabaseConfig::SqliteMemory, Arc::new(|| LATER)).await.expect("a store");
    store.migrate().await.expect("a schema");
    let found = expect_clean(&store, "empty").await;
    let head = found.head.expect("a head");
    hold(&store).await;
    assert!(acts(store.database(), Some(head.hash)).await.expect("read").passed(), "noted when it was empty");
}

#[tokio::test]
async fn a_byte_changed_in_any_column_of_any_entry_is_found() {
    let store = installation(DatabaseConfig::SqliteMemory).await;
    let database = store.database();
    for number in 1..=ENTRIES {
        for column in AUDIT_COLUMNS {
            let sql = format!("SELECT {column} FROM audit WHERE number = ?");
            let rows = database.query(&sql, vec![number.into()]).await.expect("read");
            let (before, after) = (rows[0].0[0].clone(), flipped(&rows[0].0[0], column));
            let change = format!("UPDATE audit SET {column} = ? WHERE number = ?");
            execute(database, &change, vec![after.clone(), number.into()]).await;
            let what = format!("{column} of entry {number}");
            let named = match (column, number) {
                // With the last entry far away, all between are missing.
                ("number", ENTRIES) => "entries 5 to 68 are missing".to_owned(),
                ("number", _) => format!("entry {number} is missing"),
                _ => format!("entry {number} "),
            };
            expect_flaw(&store, &what, &named).await;
            let now_at = if column == "number" { after } else { number.into() };
            execute(database, &change, vec![before, now_at]).await;
            expect_clean(&store, &what).await;
        }
    }
}

#[tokio::test]
async fn an_entry_that_is_no_text_any_more_hides_no_other() {
    let store = installation(DatabaseConfig::SqliteMemory).await;
    execute(store.database(), "UPDATE audit SET actor = CAST(X'ff41' AS TEXT) WHERE number = 2", Vec::new()).await;
    execute(store.database(), "UPDATE audit SET hash = X'00' WHERE number = 4", Vec::new()).await;
    expect_flaw(&store, "no UTF-8", "entry 2 cannot be read").await;
    expect_flaw(&store, "no hash", "entry 4 cannot be read").await;
    assert_eq!(audit(&store).await.entries, 5);
}

#[tokio::test]
async fn a_head_that_was_changed_or_removed_is_found() {
    let store = installation(DatabaseConfig::SqliteMemory).await;
    let database = store.database();
    for (change, back, words) in [
        ("number = 4", "number = 5", "head names entry 4, but there are entries up to 5"),
        ("number = 7", "number = 5", "entries 6 to 7 are missing"),
        ("number = -1", "number = 5", "head is missing or cannot be read"),
        ("number = 0", "number = 5", "head names entry 0"),
    ] {
        execute(database, &format!("UPDATE audit_head SET {change}"), Vec::new()).await;
        expect_flaw(&store, change, words).await;
        execute(database, &format!("UPDATE audit_head SET {back}"), Vec::new()).await;
        expect_clean(&store, change).await;
    }
    let hash: Digest =
        database.query("SELECT hash FROM audit_head", Vec::new()).await.expect("read")[0].array(0).unwrap();
    execute(database, "UPDATE audit_head SET hash = ?", vec![flipped(&hash.into(), "hash")]).await;
    expect_flaw(&store, "hash", "head has another hash than entry 5").await;
    execute(database, "DELETE FROM audit_head", Vec::new()).await;
    expect_flaw(&store, "no head", "head is missing").await;
}

#[tokio::test]
async fn a_journal_changed_before_an_act_is_found() {
    let store = installation(DatabaseConfig::SqliteMemory).await;
    let database = store.database();
    let saga = Value::from(sample::id(1, 1).0);
    // The first saga's journal: its start, the order of entry 1, the order of entry 4. Both entries bind the first two rows.
    for (version, entry) in [(1_i64, 1), (1, 4), (2, 1), (2, 4), (3, 4)] {
        for column in &JOURNAL_COLUMNS[1..] {
            let sql = format!("SELECT {column} FROM journal WHERE saga_id = ? AND version = ?");
            let rows = database.query(&sql, vec![saga.clone(), version.into()]).await.expect("read");
            let (before, after) = (rows[0].0[0].clone(), flipped(&rows[0].0[0], column));
            let change = format!("UPDATE journal SET {column} = ? WHERE saga_id = ? AND version = ?");
            execute(database, &change, vec![after.clone(), saga.clone(), version.into()]).await;
            let what = format!("{column} of version {version}");
            expect_flaw(&store, &what, &format!("entry {entry}: the journal of saga")).await;
            let now_at = if *column == "version" { after } else { version.into() };
            execute(database, &change, vec![before, saga.clone(), now_at]).await;
            expect_clean(&store, &what).await;
        }
    }
    // What happens to a saga after an act is no matter of that act.
    let mut later = store.get(sample::id(1, 2)).await.expect("read").expect("there");
    let mut changes = Changes::default();
    sample::advance(&mut changes, &later, State::Completed);
    later.saga = changes.updates[0].saga.clone();
    store.commit(vec![later.saga.id], sample::always(changes)).await.expect("moved");
    expect_clean(&store, "moved on").await;
}

#[tokio::test]
async fn entries_that_were_removed_are_found() {
    for number in 1..=ENTRIES {
        let store = installation(DatabaseConfig::SqliteMemory).await;
        execute(store.database(), "DELETE FROM audit WHERE number = ?", vec![number.into()]).await;
        expect_flaw(&store, "removed", &format!("entry {number} is missing")).await;
    }
    let store = installation(DatabaseConfig::SqliteMemory).await;
    let database = store.database();
    let noted = audit(&store).await.head.expect("a head").hash;
    execute(database, "DELETE FROM audit WHERE number > 3", Vec::new()).await;
    expect_flaw(&store, "cut off", "entries 4 to 5 are missing").await;
    // The head made to fit: the journals still tell, and so does the head that was noted.
    let fit = "UPDATE audit_head SET number = 3, hash = (SELECT hash FROM audit WHERE number = 3)";
    execute(database, fit, Vec::new()).await;
    let named = format!("saga {} was given an order at version 2", sample::id(1, 3));
    expect_flaw(&store, "cut off with its head", &named).await;
    let found = acts(database, Some(noted)).await.expect("read");
    assert!(found.flaws.iter().any(|flaw| flaw.contains("is not part of the audit")), "{found:?}");
    execute(database, "DELETE FROM audit", Vec::new()).await;
    expect_flaw(&store, "emptied", "entries 1 to 3 are missing").await;
}

#[tokio::test]
async fn an_order_of_which_no_entry_speaks_is_found_unless_it_is_older_than_the_audit() {
    let store = installation(DatabaseConfig::SqliteMemory).await;
    let mut older = sample::record(sample::id(2, 1), State::Completed);
    older.saga.updated_at = Micros(sample::START.0 - 60_000_000);
    let mut newer = sample::record(sample::id(2, 2), State::Completed);
    let inserts = vec![sample::insert(older.clone()), sample::insert(newer.clone())];
    store.commit(Vec::new(), sample::always(Changes { inserts, ..Changes::default() })).await.expect("sagas");
    ordered(&store, &mut older, None, false).await;
    assert_eq!(expect_clean(&store, "older").await.older, 1);
    ordered(&store, &mut newer, None, false).await;
    expect_flaw(&store, "newer", &format!("saga {} was given an order at version 2", newer.saga.id)).await;
}

#[tokio::test]
async fn a_forgotten_saga_is_said_and_no_flaw_and_one_that_vanished_is_one() {
    let store = installation(DatabaseConfig::SqliteMemory).await;
    let database = store.database();
    let forgotten = store.forget(LATER, None, 1).await.expect("forget").forgotten;
    assert_eq!(forgotten, 1, "the first saga");
    assert_eq!(expect_clean(&store, "forgotten").await.forgotten, 2, "both entries about it");

    let id = Value::from(sample::id(1, 2).0);
    execute(database, "DELETE FROM saga WHERE id = ?", vec![id.clone()]).await;
    execute(database, "DELETE FROM journal WHERE saga_id = ? AND version = 1", vec![id.clone()]).await;
    let forge = "INSERT INTO forgotten (saga_id, state, ended_at, forgotten_at) VALUES (?, 5, 1, 2)";
    execute(database, forge, vec![id.clone()]).await;
    expect_flaw(&store, "half forgotten", "entry 3: the journal of saga").await;
    execute(database, "DELETE FROM journal WHERE saga_id = ?", vec![id.clone()]).await;
    execute(database, "DELETE FROM forgotten WHERE saga_id = ?", vec![id]).await;
    expect_flaw(&store, "vanished", "has no journal, and was not forgotten").await;
}
