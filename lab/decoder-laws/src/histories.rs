//! Histories of clients: what is read is written as the same history; what a killed writer left reads as less, not as
//! something else.

use baton_verify::history::{Call, Line, Outcome, Phase, read};

/// Places at which a history is cut, at most: more would cost more than they find.
const CUTS: usize = 64;

/// The bytes are a history.
///
/// # Panics
/// If a law is broken.
pub fn check(data: &[u8]) {
    let Ok(calls) = read(data) else { return };
    for call in &calls {
        assert!(call.ended.is_none_or(|ended| ended > call.begun), "an end comes after its beginning");
        assert!(call.ended.is_some() || call.outcome == Outcome::Unknown, "a call without an end is unknown");
    }
    assert!(calls.is_sorted_by(|a, b| a.begun < b.begun), "in the order of time");
    let text = written(&calls);
    assert_eq!(read(text.as_bytes()).expect("what was written is read"), calls, "written again it is the same");
    for end in (0..text.len()).step_by(text.len() / CUTS + 1) {
        of_cut(&text.as_bytes()[..end], &calls);
    }
}

/// A writer was killed: the calls it began before are there, and nothing is invented.
fn of_cut(bytes: &[u8], calls: &[Call]) {
    let part = read(bytes).expect("a cut history is a history");
    assert!(part.len() <= calls.len());
    for (part, whole) in part.iter().zip(calls) {
        assert_eq!((&part.client, &part.request, part.begun), (&whole.client, &whole.request, whole.begun));
        assert!(part.ended.is_none() || part.outcome == whole.outcome);
    }
}

/// The lines of the calls at the positions they had; other positions are blank.
fn written(calls: &[Call]) -> String {
    let mut lines: Vec<(u64, Line)> = Vec::with_capacity(2 * calls.len());
    for (number, call) in (0..).zip(calls) {
        let begun = Phase::Invoke {
            kind: call.kind,
            client: call.client.clone(),
            request: call.request.clone(),
            key: call.key.clone(),
        };
        lines.push((call.begun, Line { call: number, phase: begun }));
        if let Some(at) = call.ended {
            let phase = match call.outcome.clone() {
                Outcome::Ok { saga, state, version } => Phase::Ok { saga, state, version },
                Outcome::Fail { code } => Phase::Fail { code },
                Outcome::Unknown => Phase::Unknown,
            };
            lines.push((at, Line { call: number, phase }));
        }
    }
    lines.sort_by_key(|(at, _)| *at);
    let (mut text, mut position) = (String::new(), 1);
    for (at, line) in lines {
        while position < at {
            text.push('\n');
            position += 1;
        }
        text.push_str(&serde_json::to_string(&line).expect("a line is JSON"));
        text.push('\n');
        position += 1;
    }
    text
}
