//! Stored rows outlive builds: the golden file holds one row of each state and one journal entry of each kind.
//!
//! A change here must read what older builds wrote. To accept an additive change: `BATON_REWRITE=1 cargo test --test
//! store_golden`, and commit the file only if every difference is understood.

use baton_orchestrator::engine::input::Act;
use baton_orchestrator::store::Record;
use baton_orchestrator::store::audit::{AuditRow, Head, JournalDigest, NOTHING_BEFORE, NewAudit, content};
use baton_orchestrator::store::conformance::sample;
use baton_orchestrator::store::row::audit::{AUDIT_COLUMNS, audit_values, decode_audit};
use baton_orchestrator::store::row::journal::{JOURNAL_COLUMNS, decode_entry, encode, journal_values};
use baton_orchestrator::store::row::{SAGA_COLUMNS, decode_saga, saga_values};
use baton_query::skips::SkippedHalf;
use baton_sql::value::{Row, Value};
use bytes::Bytes;
use saga_core::event::{Entry, OperatorAction, Verb};
use saga_core::saga::Direction;
use saga_core::time::Micros;
use std::fmt::Write;
use std::path::Path;

fn sagas() -> Vec<(&'static str, Record)> {
    let states = sample::every_state().into_iter().zip(1..);
    let record = |((name, state), n): ((&'static str, _), u32)| {
        let mut record = sample::record(sample::id(1, n), state);
        record.saga.version = u64::from(n);
        record.saga.updated_at = Micros(sample::START.0 + i64::from(n));
        record.saga.deadline = n.is_multiple_of(2).then_some(Micros(sample::START.0 + 60_000_000));
        record.saga.outputs = (0..n as u8 % 3).map(|step| (step, Bytes::from(vec![step; 3]))).collect();
        (name, record)
    };
    let mut sagas: Vec<_> = states.map(record).collect();
    let mut again = sagas[1].1.clone();
    again.last_failure = Some(sample::cause(2, "PROVIDER_AWAY"));
    sagas.push(("running, backs off after a failure", again));
    let mut skipped = sagas[2].1.clone();
    let half = |step: &str, direction| SkippedHalf { step: step.to_owned(), direction };
    skipped.skipped = vec![half("room.book", Direction::Action), half("trip.open", Direction::Undo)];
    sagas.push(("with an action and an undo skipped", skipped));
    sagas
}

fn entries() -> Vec<(&'static str, Entry)> {
    let records = sample::every_journal_record().into_iter().zip(1..);
    let entry = |((name, record), version): ((&'static str, _), u64)| {
        (name, Entry { saga: sample::id(1, 1), version, at: Micros(sample::START.0 + version as i64), record })
    };
    records.map(entry).collect()
}

/// An act on a saga, and one on something else. Hashes must come out alike for ever: the chain is recomputed from them.
fn acts() -> Vec<(&'static str, AuditRow)> {
    let mut head = Head { number: 0, hash: NOTHING_BEFORE };
    let saga = sample::record(sample::id(1, 1), sample::every_state()[0].1.clone()).saga;
    let mut journal = JournalDigest::new(saga.id);
    for (_, entry) in entries() {
        let event = encode(&entry.record, &saga.input);
        journal.add(i64::try_from(entry.version).unwrap(), entry.at.0, &event);
    }
    let pause = OperatorAction { verb: Verb::Pause, actor: "ada".to_owned(), reason: "naïve".to_owned() };
    let act = Act { version: Some(7), ..Act::new(saga.id, pause) };
    let first = NewAudit { content: act.content(), ..sample::audit(&saga, Some(sample::request_id(1, 1))) };
    let first = head.next(first, Some(journal.value()));
    let other = NewAudit {
        subject: "holds/1".to_owned(),
        saga: None,
        version: 0,
        content: content(&[b"hold", b"", b"payment"]),
        ..sample::audit(&saga, None)
    };
    vec![("of a saga", first), ("of something else", head.next(other, None))]
}

fn show(title: &str, columns: &[&str], values: &[Value]) -> String {
    let mut text = format!("# {title}\n");
    for (column, value) in columns.iter().zip(values) {
        let value = match value {
            Value::Null => "null".to_owned(),
            Value::Int(value) => format!("int {value}"),
            Value::Text(value) => format!("text {value}"),
            Value::Bytes(bytes) => bytes.iter().fold("bytes ".to_owned(), |mut hex, byte| {
                write!(hex, "{byte:02x}").unwrap();
                hex
            }),
        };
        writeln!(text, "{column}: {value}").unwrap();
    }
    text
}

fn read(section: &str) -> Row {
    let value = |line: &str| {
        let (_, value) = line.split_once(": ").unwrap();
        match value.split_once(' ') {
            None => Value::Null,
            Some(("int", number)) => Value::Int(number.parse().unwrap()),
            Some(("text", text)) => Value::Text(text.to_owned()),
            Some((_, hex)) => {
                let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap());
                Value::Bytes(bytes.collect())
            }
        }
    };
    Row(section.lines().skip(1).map(value).collect())
}

#[test]
fn rows_of_older_builds_are_read_and_written_alike() {
    let input = sagas()[0].1.saga.input.clone();
    let mut sections: Vec<String> = sagas()
        .iter()
        .map(|(name, record)| show(&format!("saga, {name}"), &SAGA_COLUMNS, &saga_values(record)))
        .collect();
    sections.extend(
        entries()
            .iter()
            .map(|(name, entry)| show(&format!("journal, {name}"), &JOURNAL_COLUMNS, &journal_values(entry, &input))),
    );
    sections
        .extend(acts().iter().map(|(name, row)| show(&format!("audit, {name}"), &AUDIT_COLUMNS, &audit_values(row))));
    let written = sections.join("\n");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/store_rows.txt");
    if std::env::var_os("BATON_REWRITE").is_some_and(|value| value == "1") {
        std::fs::write(&path, &written).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert!(written == golden, "rows are written differently than in {}:\n{written}", path.display());

    let mut rows = golden.split("\n\n").map(read);
    for (name, record) in sagas() {
        assert_eq!(decode_saga(&rows.next().unwrap()).unwrap(), record, "{name}");
    }
    for (name, entry) in entries() {
        assert_eq!(decode_entry(&rows.next().unwrap(), &input).unwrap(), entry, "{name}");
    }
    for (name, row) in acts() {
        assert_eq!(decode_audit(&rows.next().unwrap()).unwrap(), row, "{name}");
        assert_eq!(row.expected_hash(), row.hash, "{name}");
    }
    assert_eq!(rows.next(), None);
}

#[test]
fn damaged_rows_are_seen_not_acted_upon() {
    for (name, record) in sagas() {
        let whole = saga_values(&record);
        let column = |name: &str| SAGA_COLUMNS.iter().position(|column| *column == name).unwrap();
        let damages = [
            ("state", Value::Int(99)),
            ("state", Value::Null),
            ("direction", Value::Int(2)),
            ("version", Value::Int(0)),
            ("version", Value::Int(-1)),
            ("step", Value::Int(256)),
            ("attempt", Value::Int(-1)),
            ("wake_at", if record.saga.wake_at().is_some() { Value::Null } else { Value::Int(1) }),
            ("wait_kind", Value::Int(3)),
            ("data", Value::Bytes(vec![0xff])),
            ("definition", Value::Bytes(vec![0x61])),
        ];
        for (damaged, value) in damages {
            let mut row = Row(whole.clone());
            row.0[column(damaged)] = value.clone();
            assert!(decode_saga(&row).is_err(), "{name} with {damaged} = {value:?}");
        }
        assert!(decode_saga(&Row(whole[..17].to_vec())).is_err(), "{name} without a column");
    }
}
