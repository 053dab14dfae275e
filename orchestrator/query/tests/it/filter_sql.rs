//! The SQL of a filter, run by SQLite on the real table, selects what the filter selects.

use crate::support;
use baton_query::filter::{
    Arg, Attribute, Expr, Facts, Field, NumberField, Preset, SqlDialect, StateKind, TextField, Translated, Translation,
    WaitKind, matches, to_sql,
};
use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value;
use saga_core::definition::{Definition, StepOptions};
use saga_core::time::Micros;
use support::START;
use support::exprs::{ATTRIBUTES, TEXTS, TRACES, expr};

/// Table `saga` as the orchestrator's migrations leave it, with the indexes that filters use.
const TABLE: &str =
    "CREATE TABLE saga (id INTEGER PRIMARY KEY, definition TEXT NOT NULL, definition_version INTEGER NOT NULL,
    state INTEGER NOT NULL, step INTEGER NOT NULL, direction INTEGER NOT NULL, attempt INTEGER NOT NULL,
    wait_kind INTEGER NOT NULL, wake_at INTEGER NULL, business_key TEXT NOT NULL, traceparent TEXT NOT NULL,
    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, input BLOB NOT NULL, data BLOB NOT NULL,
    look_at INTEGER NULL,
    unusual INTEGER GENERATED ALWAYS AS (CASE WHEN state IN (2, 3, 4, 6) THEN state END) VIRTUAL,
    CHECK ((state IN (1, 2)) = (wake_at IS NOT NULL))) STRICT;
    CREATE INDEX saga_business_key ON saga (business_key, id);
    CREATE INDEX saga_look ON saga (look_at, id) WHERE look_at IS NOT NULL;
    CREATE INDEX saga_by_unusual ON saga (unusual, id) WHERE unusual IS NOT NULL;";

/// A row, and what is known of it.
#[derive(Clone, Debug)]
struct Stored {
    facts: Facts,
    step: u8,
    direction: u8,
}

fn known() -> Vec<Definition> {
    let other = Definition::builder("a", 2).pivot("go", "x", "go", StepOptions::new()).build().unwrap();
    vec![support::order(), other]
}

fn stored() -> impl Strategy<Value = Stored> {
    let pinned = prop::sample::select(vec![("order", 1), ("order", 2), ("a", 2), ("a", 1), ("a ", 2)]);
    let texts = || proptest::collection::vec(prop::sample::select(TEXTS.to_vec()), 0..3);
    let place = (prop::sample::select(StateKind::ALL.to_vec()), 0_u8..4, 0_u8..2, 0_u32..6, any::<bool>());
    let times = (-20_i64..20, -20_i64..20, -20_i64..20);
    let trace = prop::sample::select(vec!["", TRACES[0], TRACES[1]]);
    let key = prop::sample::select(TEXTS.to_vec());
    (place, pinned, times, trace, key, (texts(), texts(), texts(), texts(), texts())).prop_map(
        |((state, step, direction, attempt, backs_off), (name, version), times, trace, key, lists)| {
            let at = |halves: i64| Micros(START.0 + halves * 500_000);
            let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect::<Vec<String>>();
            let ended = matches!(state, StateKind::Completed | StateKind::Compensated);
            let active = matches!(state, StateKind::Running | StateKind::Compensating);
            let direction = match state {
                StateKind::Running | StateKind::Completed => 0,
                StateKind::Compensating | StateKind::Compensated => 1,
                StateKind::Stuck | StateKind::Paused => direction,
            };
            let step = if ended { 0 } else { step };
            let definition =
                known().into_iter().find(|known| (known.id().name.as_str(), known.id().version) == (name, version));
            // A row whose definition has no such step is damaged; filters are about rows that are not.
            let step = definition.as_ref().map_or(step, |known| step.min(known.steps().len() as u8 - 1));
            let named =
                definition.map_or_else(|| step.to_string(), |known| known.steps()[usize::from(step)].name.clone());
            let mut reasons = owned(lists.0);
            // One more if it tries again.
            let again = usize::from(backs_off);
            match (state, direction) {
                (StateKind::Completed, _) => reasons.clear(),
                (StateKind::Running, _) | (StateKind::Paused, 0) => reasons.resize(again, "abc".to_owned()),
                (StateKind::Compensating | StateKind::Paused, _) => reasons.resize(1 + again, "abc".to_owned()),
                (StateKind::Stuck, 1) => reasons.resize(2, "ab".to_owned()),
                (StateKind::Stuck | StateKind::Compensated, _) => reasons.resize(1, "abc".to_owned()),
            }
            let facts = Facts {
                state,
                step: (!ended).then_some(named),
                definition: name.to_owned(),
                definition_version: version,
                attempt: if ended { 0 } else { attempt },
                wait: match (active, backs_off) {
                    (false, _) => WaitKind::None,
                    (true, true) => WaitKind::Backoff,
                    (true, false) => WaitKind::Reply,
                },
                wake_at: active.then(|| at(times.0)),
                reasons,
                skipped: owned(lists.4),
                business_key: key.to_owned(),
                trace_id: trace.to_owned(),
                created_at: at(times.1),
                updated_at: at(times.2),
                attributes: [lists.1, lists.2, lists.3]
                    .into_iter()
                    .zip(ATTRIBUTES)
                    .flat_map(|(values, name)| values.into_iter().map(move |value| Attribute::new(name, value)))
                    .collect(),
            };
            Stored { facts, step, direction }
        },
    )
}

fn parse(text: &str) -> Expr {
    baton_query::filter::parse(text, &ATTRIBUTES).unwrap()
}

fn table(rows: &[Stored]) -> Connection {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(TABLE).unwrap();
    for (id, row) in (0_i64..).zip(rows) {
        let facts = &row.facts;
        let traceparent = match facts.trace_id.as_str() {
            "" => String::new(),
            trace => format!("00-{trace}-00f067aa0ba902b7-01"),
        };
        // As protobuf does: a tag and a length before each text.
        let blob = |texts: &mut dyn Iterator<Item = &String>| -> Vec<u8> {
            texts.flat_map(|text| [10, text.len() as u8].into_iter().chain(text.bytes())).collect()
        };
        db.execute(
            "INSERT INTO saga VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rusqlite::params![
                id,
                facts.definition,
                facts.definition_version,
                facts.state.code(),
                row.step,
                row.direction,
                facts.attempt,
                facts.wait.code(),
                facts.wake_at.map(|at| at.0),
                facts.business_key,
                traceparent,
                facts.created_at.0,
                facts.updated_at.0,
                blob(&mut facts.attributes.iter().map(|attribute| &attribute.value)),
                blob(&mut facts.reasons.iter().chain(&facts.skipped)),
                facts.wake_at.map(|at| at.0),
            ],
        )
        .unwrap();
    }
    db
}

fn selected(db: &Connection, translated: &Translated) -> Vec<i64> {
    let sql = format!("SELECT id FROM saga WHERE {} ORDER BY id", translated.condition);
    let mut statement = db.prepare(&sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
    let args = translated.args.iter().map(|arg| match arg {
        Arg::Int(int) => Value::Integer(*int),
        Arg::Text(text) => Value::Text(text.clone()),
        Arg::Bytes(bytes) => Value::Blob(bytes.clone()),
    });
    let rows = statement.query_map(rusqlite::params_from_iter(args), |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn translate(expr: &Expr, dialect: SqlDialect, verbatim_input: bool) -> Translated {
    let known = known();
    let definitions: Vec<&Definition> = known.iter().collect();
    to_sql(expr, &Translation { dialect, now: START, definitions: &definitions, verbatim_input })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn sql_selects_no_less_and_if_exact_no_more(
        rows in proptest::collection::vec(stored(), 1..40),
        expr in expr(),
        verbatim: bool,
    ) {
        let db = table(&rows);
        let translated = translate(&expr, SqlDialect::Sqlite, verbatim);
        let by_sql = selected(&db, &translated);
        let ids = (0_i64..).zip(&rows);
        let by_hand: Vec<i64> = ids.filter(|(_, row)| matches(&expr, &row.facts, START)).map(|(id, _)| id).collect();
        let missing: Vec<_> = by_hand.iter().filter(|id| !by_sql.contains(id)).collect();
        prop_assert!(missing.is_empty(), "{} -> {}\nlacks {:?}", expr, translated.condition, rows[*missing[0] as usize]);
        if translated.is_exact() {
            let extra: Vec<_> = by_sql.iter().filter(|id| !by_hand.contains(id)).collect();
            prop_assert!(extra.is_empty(), "{} -> {}\nhas {:?}", expr, translated.condition, rows[*extra[0] as usize]);
        }
    }

    /// The other dialect asks for as many parameters, and nothing written in a filter gets into the text.
    #[test]
    fn nothing_written_in_a_filter_stands_in_the_sql(expr in expr()) {
        for dialect in [SqlDialect::MariaDb, SqlDialect::Sqlite] {
            let translated = translate(&expr, dialect, true);
            prop_assert_eq!(translated.condition.matches('?').count(), translated.args.len());
            let ours = |c: char| c.is_ascii_alphanumeric() || "_ ().,?'!=<>".contains(c);
            prop_assert!(translated.condition.chars().all(ours), "{}", translated.condition);
        }
    }
}

fn condition(text: &str, dialect: SqlDialect) -> String {
    translate(&parse(text), dialect, false).condition
}

/// What the indexes are found by.
#[test]
fn presets_go_by_their_indexes() {
    let sql = |preset: Preset| condition(preset.filter(), SqlDialect::MariaDb);
    let active = "(look_at IS NOT NULL AND state IN (1, 2))";
    assert_eq!(sql(Preset::InFlight), "((look_at IS NOT NULL AND state = 1) OR unusual IN (2, 3, 4))");
    assert_eq!(sql(Preset::Retrying), format!("({active} AND attempt >= ?)"));
    assert_eq!(sql(Preset::Compensating), "unusual IN (2)");
    assert_eq!(sql(Preset::Stuck), "unusual IN (3)");
    assert_eq!(sql(Preset::Overdue), "(look_at IS NOT NULL AND wake_at < ?)");
    for preset in Preset::ALL {
        let translated = translate(&preset.expr(), SqlDialect::MariaDb, false);
        assert!(translated.is_exact_where_led(), "{preset:?}");
    }
    // What was skipped stands in no column: the index of attributes leads there.
    let skipped = translate(&Preset::Skipped.expr(), SqlDialect::MariaDb, false);
    assert_eq!((skipped.condition.as_str(), skipped.lead), ("1 = 1", Some(Attribute::new("skipped", ""))));
    let one = translate(&parse("skipped = order.open"), SqlDialect::MariaDb, false);
    assert_eq!(one.lead, Some(Attribute::new("skipped", "order.open")));
    assert_eq!(translate(&parse("NOT skipped:*"), SqlDialect::MariaDb, false).lead, None);
}

#[test]
fn sqlite_uses_the_indexes() {
    let db = table(&[]);
    for (text, index) in [
        ("state = stuck", "saga_by_unusual"),
        ("state = running", "saga_look"),
        ("next_wake < 5m", "saga_look"),
        ("key = ORD-1", "saga_business_key"),
        ("key:ORD", "saga_business_key"),
        ("reason = OUT_OF_STOCK", "saga_by_unusual"),
    ] {
        let translated = translate(&parse(text), SqlDialect::Sqlite, false);
        let sql = format!("EXPLAIN QUERY PLAN SELECT id FROM saga WHERE {}", translated.condition);
        let nulls = vec![Value::Null; translated.args.len()];
        let mut statement = db.prepare(&sql).unwrap();
        let plan: Vec<String> = statement
            .query_map(rusqlite::params_from_iter(nulls), |row| row.get::<_, String>(3))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert!(plan.iter().any(|line| line.contains(index)), "{text}: {plan:?}");
    }
}

#[test]
fn mariadb_is_asked_in_its_own_way() {
    for (text, sql) in [
        ("key = \"a \"", "(business_key = ? AND LENGTH(business_key) = 2)"),
        ("key != a", "NOT ((business_key = ? AND LENGTH(business_key) = 1))"),
        ("key:a", "business_key LIKE ? ESCAPE '!'"),
        ("key:*", "LENGTH(business_key) <> 0"),
        ("state = stuck AND reason = X", "(unusual IN (3) AND INSTR(data, ?) > 0)"),
        ("NOT (state = stuck OR state = paused)", "state IN (1, 2, 5, 6)"),
        ("-next_wake < 5m", "(wake_at IS NULL OR wake_at >= ?)"),
        ("age > 5m", "created_at < ?"),
        ("customer = anna OR state = stuck", "1 = 1"),
        ("state = stuck AND state = paused", "1 = 0"),
        ("", "1 = 1"),
    ] {
        assert_eq!(condition(text, SqlDialect::MariaDb), sql, "{text}");
    }
    let begins = translate(&parse("key:\"50%_!\""), SqlDialect::MariaDb, false);
    assert_eq!(begins.args, [Arg::Text("50!%!_!!%".to_owned())]);
}

/// Every field is either decided by columns or named as undecided.
#[test]
fn undecided_fields_are_named() {
    let attribute = Field::Text(TextField::Attribute("customer".to_owned()));
    for field in Field::ALL.into_iter().chain([attribute]) {
        let name = field.name();
        let text = match &field {
            Field::State => "state = stuck".to_owned(),
            Field::Wait => "wait = reply".to_owned(),
            Field::Text(TextField::TraceId) => "trace_id:4b".to_owned(),
            Field::Text(_) => format!("{name} = x"),
            Field::Number(NumberField::DefinitionVersion | NumberField::Attempt) => format!("{name} = 1"),
            Field::Age | Field::Time(_) => format!("{name} > 1s"),
        };
        let translated = translate(&parse(&text), SqlDialect::Sqlite, true);
        let open = matches!(field, Field::Text(TextField::Attribute(_) | TextField::Reason | TextField::Skipped));
        assert_eq!(translated.undecided.len(), usize::from(open), "{text}");
    }
}

/// Lists that operators look at all day must not walk through everything that ever ended.
#[test]
fn presets_and_what_is_narrowed_by_a_state_leave_few_rows() {
    let known = known();
    let definitions: Vec<&Definition> = known.iter().collect();
    let translation =
        Translation { dialect: SqlDialect::Sqlite, now: START, definitions: &definitions, verbatim_input: true };
    let narrow = |expr: &Expr| to_sql(expr, &translation).narrow;
    for preset in Preset::ALL {
        let is_led = to_sql(&preset.expr(), &translation).lead.is_some();
        assert!(narrow(&preset.expr()) || is_led, "{}", preset.name());
    }
    for filter in
        ["state = stuck age > 1h", "customer = c state = running", "key = x", "next_wake < 1m OR state = stuck"]
    {
        assert!(narrow(&parse(filter)), "{filter}");
    }
    for filter in [
        "",
        "state = completed",
        "state = stuck OR age > 1h",
        "NOT key = x",
        "key:x",
        "-state:stuck",
        "NOT next_wake < 1m",
    ] {
        assert!(!narrow(&parse(filter)), "{filter}");
    }
}
