//! The filter language: what it says of mistakes, that it prints what it parses, and that no text breaks it.

use crate::support;
use baton_query::filter::{
    Attribute, Beside, Expr, Facts, Field, FilterError, MAX_BYTES, MAX_DEPTH, MAX_TERMS, Preset, StateKind, matches,
};
use baton_query::skips::{self, SkippedHalf};
use proptest::prelude::*;
use saga_core::saga::{Cause, Direction, State};
use saga_core::time::Micros;
use support::exprs::{ATTRIBUTES, expr};
use support::{Lived, reachable, short_order, succeeded};

fn parse(text: &str) -> Result<Expr, FilterError> {
    baton_query::filter::parse(text, &ATTRIBUTES)
}

fn error(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn mistakes_are_explained() {
    for (text, said) in [
        ("stat = stuck", "at byte 1: there is no field \"stat\"; did you mean state?"),
        ("state = stuck AND business_key = X", "at byte 19: there is no field \"business_key\"; did you mean key?"),
        (
            "colour = red",
            "at byte 1: there is no field \"colour\"; the fields are state, step, definition, definition_version, age, \
             attempt, wait, next_wake, reason, skipped, key, trace_id, created_at, updated_at, customer, item, payment",
        ),
        (
            "state = stuk",
            "at byte 9: state takes running, compensating, stuck, paused, completed or compensated, not \"stuk\"; did \
             you mean stuck?",
        ),
        ("custmer = anna", "at byte 1: there is no field \"custmer\"; did you mean customer?"),
        ("item > A", "at byte 6: item is compared with =, != or :, not with >"),
        ("state > stuck", "at byte 7: state is compared with =, != or :, not with >"),
        ("age > 5", "at byte 7: age takes a duration like 5m, 90s, 2h or 7d, not \"5\""),
        ("age = 5m", "at byte 5: age is compared with <, <=, > or >=, not with ="),
        (
            "created_at > yesterday",
            "at byte 14: created_at takes a time like 2026-11-27T09:00:00Z, or a duration from now like 5m or -5m, not \
             \"yesterday\"",
        ),
        ("attempt >= three", "at byte 12: attempt takes a whole number from 0 to 4294967295, not \"three\""),
        ("attempt = -1", "at byte 11: attempt takes a whole number from 0 to 4294967295, not \"-1\""),
        ("key < A", "at byte 5: key is compared with =, != or :, not with <"),
        ("key = ORD-*", "at byte 7: * is no wildcard here; write key:ORD- instead"),
        ("key = *", "at byte 7: * is no wildcard here; write key:* instead"),
        ("state:*", "at byte 6: every saga has a state; state:* says nothing"),
        ("trace_id = 4bf9", "at byte 12: trace_id takes 32 hex digits, or the first of them after :, not \"4bf9\""),
        ("next_wake > overdue", "at byte 11: next_wake is compared with = or : where overdue follows, not with >"),
        ("ORD-2026-1", "at byte 1: expected a field, an operator and a value, as in key = ORD-1, found \"ORD-2026-1\""),
        ("state", "at byte 6: expected one of = != < <= > >= : after the field, found the end"),
        ("state =", "at byte 8: expected a value, in quotation marks if it is more than a word, found the end"),
        (
            "state = stuck and age > 5m",
            "at byte 15: expected a field; AND, OR and NOT are written in capitals, found \"and\"",
        ),
        ("(state = stuck", "at byte 15: expected AND, OR or ), found the end"),
        ("state = stuck)", "at byte 14: expected AND, OR or the end, found \")\""),
        ("state = stuck AND", "at byte 18: expected a field, as in state = stuck, or (, found the end"),
        ("NOT NOT state = stuck", "at byte 5: expected a field, as in state = stuck, or (, found \"NOT\""),
        ("- state = stuck", "at byte 1: expected a comparison right after -, as in -state:stuck, found \"-\""),
        ("key = \"ORD", "at byte 7: the text that begins with this quotation mark has no end"),
        ("state == stuck", "at byte 8: expected a value, in quotation marks if it is more than a word, found \"=\""),
    ] {
        assert_eq!(error(text), said, "{text}");
    }
}

#[test]
fn bounds_are_kept() {
    let terms = |count: usize| vec!["attempt = 1"; count].join(" ");
    assert!(parse(&terms(MAX_TERMS)).is_ok());
    assert!(error(&terms(MAX_TERMS + 1)).ends_with("the filter compares more than 32 times"));
    let deep = |count: usize| format!("{}attempt = 1{}", "(".repeat(count), ")".repeat(count));
    assert!(parse(&deep(MAX_DEPTH)).is_ok());
    assert!(error(&deep(MAX_DEPTH + 1)).ends_with("more than 16 parentheses stand in one another"));
    let long = |bytes: usize| format!("key = {}", "x".repeat(bytes - 6));
    assert!(parse(&long(MAX_BYTES)).is_ok());
    assert_eq!(parse(&long(MAX_BYTES + 1)).unwrap_err().at, MAX_BYTES);
}

#[test]
fn what_was_meant_is_understood() {
    for (written, meant) in [
        ("", ""),
        ("  ", ""),
        ("state:stuck", "state = stuck"),
        ("state = STUCK", "state = stuck"),
        ("-state:stuck", "NOT state = stuck"),
        ("attempt>=3", "attempt >= 3"),
        ("attempt:3", "attempt = 3"),
        ("a", "error"),
        // OR binds tighter than AND, and nothing means AND.
        ("attempt=1 OR attempt=2 AND attempt=3", "(attempt = 1 OR attempt = 2) AND attempt = 3"),
        ("attempt=1 attempt=2 OR attempt=3", "attempt = 1 AND (attempt = 2 OR attempt = 3)"),
        ("NOT (attempt=1 AND attempt=2)", "NOT (attempt = 1 AND attempt = 2)"),
        ("((attempt=1))", "attempt = 1"),
        ("key = 'it''", "error"),
        ("key = \"a \\\"b\\\" c\"", "key = \"a \\\"b\\\" c\""),
        ("key='ORD 1'", "key = \"ORD 1\""),
        ("key = AND", "key = AND"),
        ("key = \"*\"", "key = \"*\""),
        ("key:\"*\"", "key:\"*\""),
        ("item:*", "item:*"),
        ("created_at>2026-11-27T09:00:00+09:00", "created_at > 2026-11-27T00:00:00Z"),
        ("updated_at < -90s", "updated_at < -90s"),
        ("next_wake:overdue", "next_wake <= 0s"),
        ("age > 1h30m", "age > 90m"),
        ("trace_id:4BF9", "trace_id:4bf9"),
    ] {
        let understood = parse(written).map_or_else(|_| "error".to_owned(), |expr| expr.to_string());
        assert_eq!(understood, meant, "{written}");
    }
}

fn selects(text: &str, facts: &Facts, now: Micros) -> bool {
    matches(&parse(text).unwrap(), facts, now)
}

#[test]
fn filters_select_by_what_is_known() {
    let definition = short_order();
    let lived = Lived::start(&definition).answered(&definition, succeeded(), 1_000);
    let beside = Beside {
        business_key: "ORD-1",
        traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        last_failure: None,
        skipped: &[SkippedHalf { step: "order.open".to_owned(), direction: Direction::Undo }],
    };
    let attributes = [("customer", "anna"), ("item", "MUG"), ("item", "CUP")];
    let attributes = attributes.map(|(name, value)| Attribute::new(name, value)).to_vec();
    let facts = Facts::of(&lived.saga, Some(&definition), beside, attributes);
    let now = Micros(lived.saga.updated_at.0 + 60_000_000);
    for (text, selected) in [
        ("state = running step = payment.verify attempt = 1 wait = reply", true),
        ("step:payment", true),
        ("step = payment", false),
        ("age > 1m", true),
        ("age > 2m", false),
        ("updated_at > -1m", false),
        ("updated_at >= -1m", true),
        ("next_wake = overdue", true),
        ("next_wake < -50s", true),
        ("next_wake > 0s", false),
        ("created_at = x OR key = ORD-1", false),
        ("key:ORD AND item = CUP AND item != HAT", true),
        ("item != CUP", false),
        ("payment:*", false),
        ("-payment:*", true),
        ("reason:* OR reason = X", false),
        ("reason != X", true),
        ("trace_id:4bf92f", true),
        ("trace_id = 4BF92F3577B34DA6A3CE929D0E0E4736", true),
        ("definition = order definition_version < 2", true),
        ("skipped = order.open", true),
        ("skipped:order skipped:*", true),
        ("skipped != order.open OR skipped = order", false),
    ] {
        assert_eq!(parse(text).is_ok_and(|expr| matches(&expr, &facts, now)), selected, "{text}");
    }
    let away = Cause { step: 2, reason: "PROVIDER_AWAY".to_owned(), message: String::new() };
    let failed = Beside { last_failure: Some(&away), ..beside };
    let failed = Facts::of(&lived.saga, Some(&definition), failed, Vec::new());
    assert!(selects("reason:PROVIDER state = running", &failed, now));
    let unknown = Facts::of(&lived.saga, None, beside, Vec::new());
    assert!(selects("step = 2", &unknown, now));
}

#[test]
fn presets_select_what_they_say() {
    let definition = short_order();
    let mut seen = [0; Preset::ALL.len()];
    for lived in reachable(&definition, 2) {
        let saga = &lived.saga;
        let skipped = skips::of_journal(&definition, &lived.journal).unwrap();
        let beside = Beside { skipped: &skipped, ..Beside::default() };
        let facts = Facts::of(saga, Some(&definition), beside, Vec::new());
        let now = Micros(saga.updated_at.0 + 7_000_000);
        let selected = |preset: Preset| matches(&preset.expr(), &facts, now);
        for (count, preset) in seen.iter_mut().zip(Preset::ALL) {
            *count += usize::from(selected(preset));
        }
        assert_eq!(selected(Preset::InFlight), !saga.has_ended());
        assert_eq!(selected(Preset::Stuck), matches!(saga.state, State::Stuck { .. }));
        assert_eq!(selected(Preset::Compensating), matches!(saga.state, State::Compensating { .. }));
        assert_eq!(selected(Preset::Skipped), !skipped.is_empty());
        let passed = saga.wake_at().is_some_and(|at| at.0 + 5_000_000 < now.0);
        assert_eq!(selected(Preset::Overdue), passed);
        if selected(Preset::InDoubt) {
            assert!(facts.attempt >= 1 && facts.state != StateKind::Stuck && !saga.has_ended());
        }
        if selected(Preset::Retrying) {
            assert!(facts.attempt >= 3 && facts.wake_at.is_some());
        }
    }
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_reads_back(expr in expr()) {
        prop_assert_eq!(parse(&expr.to_string()), Ok(expr));
    }

    #[test]
    fn no_text_panics(bytes in proptest::collection::vec(any::<u8>(), 0..3_000)) {
        check(&String::from_utf8_lossy(&bytes));
    }

    /// Texts made of pieces of filters go further than random ones.
    #[test]
    fn no_mixture_panics(pieces in proptest::collection::vec(piece(), 0..60)) {
        check(&pieces.concat());
    }

    /// A filter that is cut off, or has one character changed for another, is a filter or is refused.
    #[test]
    fn no_damage_panics(expr in expr(), at: prop::sample::Index, put in any::<char>()) {
        let text = expr.to_string();
        let chars: Vec<char> = text.chars().collect();
        prop_assume!(!chars.is_empty());
        let at = at.index(chars.len());
        check(&chars[..at].iter().collect::<String>());
        let mut changed = chars;
        changed[at] = put;
        check(&changed.into_iter().collect::<String>());
    }
}

/// Whatever is refused is refused at a place inside the text, in words that cannot act; whatever is not reads back.
fn check(text: &str) {
    match parse(text) {
        Ok(expr) => {
            // Written out it may be longer than it came in, and then too long.
            let printed = expr.to_string();
            if printed.len() <= MAX_BYTES {
                assert_eq!(parse(&printed), Ok(expr), "{text:?}");
            }
        }
        Err(error) => {
            assert!(error.at <= text.len());
            assert!(text.is_char_boundary(error.at) || error.at == MAX_BYTES);
            let said = error.to_string();
            assert!(said.len() < 800 && !said.chars().any(char::is_control), "{said:?}");
        }
    }
}

fn piece() -> impl Strategy<Value = String> {
    let fixed = [
        "(",
        ")",
        " ",
        "-",
        "NOT ",
        " AND ",
        " OR ",
        " = ",
        " != ",
        " < ",
        ">=",
        ":",
        "*",
        "\"",
        "'",
        "\\",
        "5m",
        "-10s",
        "7",
        "2026-11-27T09:00:00Z",
        "stuck",
        "overdue",
        "ORD-1",
        "\u{202e}",
        "é",
        "\0",
        "\n",
        ",",
    ];
    let fields = Field::ALL.map(|field| field.name().to_owned()).into_iter().chain(ATTRIBUTES.map(str::to_owned));
    prop_oneof![
        prop::sample::select(fixed.to_vec()).prop_map(str::to_owned),
        prop::sample::select(fields.collect::<Vec<_>>()),
        "\\PC{0,3}",
    ]
}

#[test]
fn an_expression_made_by_hand_has_a_meaning_too() {
    let definition = short_order();
    let facts = Facts::of(&Lived::start(&definition).saga, None, Beside::default(), Vec::new());
    assert!(matches(&Expr::All(Vec::new()), &facts, support::START));
    assert!(!matches(&Expr::Any(Vec::new()), &facts, support::START));
}
