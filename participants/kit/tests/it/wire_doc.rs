//! The page about the wire protocol says what the programs do: its names and bounds are the constants'.

use baton_courier::bus::{Destination, MAX_BODY};
use baton_courier::topology::{self, Route, route};
use baton_participant_kit::codec::{MAX_ITEMS, MAX_NAME, MAX_PAYLOAD, MAX_STEP};
use baton_participant_kit::participant::{MAX_MESSAGE, MAX_OUTPUT};
use baton_participant_kit::probe::MAX_KEYS;
use baton_participant_kit::reason::{MALFORMED_COMMAND, UNDONE_BEFORE_ACTION};
use baton_rpc::reason::MAX_REASON;

const PAGE: &str = include_str!("../../../../docs/wire-protocol.md");

/// The row of the page's tables that begins with this cell.
fn row(first: &str) -> Vec<&'static str> {
    let cells = PAGE.lines().map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    let mut found = cells.filter(|cells| cells[0] == first);
    let row = found.next().unwrap_or_else(|| panic!("no row {first:?}"));
    assert!(found.next().is_none(), "two rows {first:?}");
    row
}

fn thousands(number: u32) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group).into_owned());
    groups.collect::<Vec<_>>().join(",")
}

#[test]
fn the_names_in_the_page_are_the_topologys() {
    let expect = |first: &str, letters: &str, name: &str, destination: Destination| {
        let Route { exchange, routing_key, queue, dead_letter_queue } = route(&destination).unwrap();
        let cells = [format!("`{exchange}` (direct)"), format!("`{routing_key}`"), format!("`{queue}`")];
        assert_eq!(row(first)[1..], cells.map(|cell| cell.replace(name, "NAME")));
        let dead = format!("`{}` (direct)", topology::DEAD_LETTER_EXCHANGE);
        let cells = [dead, format!("`{queue}`"), format!("`{dead_letter_queue}`")];
        assert_eq!(row(letters)[1..], cells.map(|cell| cell.replace(name, "NAME")));
    };
    let commands = Destination::Commands("any-name".to_owned());
    expect("commands of participant `NAME`", "dead letters of commands", "any-name", commands);
    expect("replies", "dead letters of replies", "any-name", Destination::Replies);
    let own = row("replies to the orchestrator that asked");
    assert_eq!(
        own[1..3],
        [format!("`{}` (direct)", topology::OWN_REPLY_EXCHANGE).as_str(), "the command's `reply_to`"]
    );
    assert!(own[3].starts_with(&format!("`{}*`", topology::OWN_REPLY_PREFIX)), "{own:?}");
    assert!(PAGE.contains(&format!("`{}` (fanout)", topology::ANY_REPLY_EXCHANGE)));
    let lost = (format!("`{}` (fanout)", topology::UNROUTABLE_EXCHANGE), format!("`{}`", topology::UNROUTABLE_QUEUE));
    assert_eq!(row("dead letters without such a queue")[1..], [&lost.0, "any", &lost.1]);
    let key = format!("`{}` with the key `{}`", topology::REPLY_EXCHANGE, topology::REPLY_KEY);
    assert!(PAGE.contains(&key), "{key}");
    assert!(PAGE.contains(&format!("header `{}`", topology::REASON_HEADER)));
    for reason in [topology::TOO_LARGE, "BATCH_UNREADABLE", "COMMAND_UNREADABLE"] {
        assert!(PAGE.contains(&format!("`{reason}`")), "{reason}");
    }
    for reason in [UNDONE_BEFORE_ACTION, MALFORMED_COMMAND] {
        assert!(PAGE.contains(&format!("`{reason}`")), "{reason}");
    }
}

#[test]
fn the_bounds_in_the_page_are_the_programs() {
    let kib = |bytes: usize| format!("{} KiB", bytes / 1024);
    let table = [
        ("commands or replies in a message", MAX_ITEMS.to_string()),
        ("body", kib(MAX_BODY)),
        ("step", format!("0 to {MAX_STEP}")),
        ("command name", format!("{MAX_NAME} bytes")),
        ("payload", kib(MAX_PAYLOAD)),
        ("output of a success", kib(MAX_OUTPUT)),
        ("reason", format!("{MAX_REASON} bytes, UPPER_SNAKE")),
        ("message for people", format!("{MAX_MESSAGE} bytes, no secrets")),
        ("keys in a probe", MAX_KEYS.to_string()),
    ];
    for (what, bound) in table {
        assert_eq!(row(what)[1], bound, "{what}");
    }
    for text in [
        format!("A body is at most\n{}.", kib(MAX_BODY)),
        format!("up to {MAX_ITEMS} `Command`s"),
        format!("the business message, at most {} ", kib(MAX_PAYLOAD)),
        format!("for example `stock.reserve`, at most {MAX_NAME} bytes"),
        format!("beyond\n{};", thousands(topology::QUEUE_LIMIT)),
        format!("oldest beyond {}.", thousands(topology::DEAD_LETTER_LIMIT)),
    ] {
        assert!(PAGE.contains(&text), "{text}");
    }
    let named = |length| route(&Destination::Commands("a".repeat(length))).is_ok();
    assert!(named(1) && named(32) && !named(33) && !named(0), "the page says 1 to 32");
    assert!(PAGE.contains("`NAME` is 1 to 32 of `[a-z0-9-]`"));
}
