//! Bytes of other programs' streams: hints from Redis, and COMMIT in what a client says to MariaDB.

use crate::input::Input;
use baton_lab::proxy::commit::CommitSpotter;
use baton_orchestrator::coord::packing::{pack, unpack};
use uuid::Uuid;

/// Most hints in one message, and bytes of one.
const HINTS: (usize, usize) = (256, 25);

/// The first byte chooses the stream.
///
/// # Panics
/// If a law is broken.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    if input.byte().is_multiple_of(2) { of_hints(&mut input) } else { of_commits(input) }
}

/// Hints of another process are read as they were sent; our own, and what is none, as nothing.
fn of_hints(input: &mut Input<'_>) {
    let own = Uuid::from_bytes(input.array());
    let mut message = input.array::<16>().to_vec();
    let origin = Uuid::from_slice(&message).expect("16 bytes");
    while !input.is_empty() {
        message.extend_from_slice(&input.array::<25>()[..HINTS.1]);
    }
    let hints = unpack(own, &message);
    let wanted = (message.len() - 16) / HINTS.1;
    assert_eq!(hints.len(), if origin == own || wanted > HINTS.0 { 0 } else { wanted });
    assert_eq!(unpack(own, &pack(origin, &hints)), hints, "packed again they are the same");
    message.pop();
    assert!(unpack(own, &message).is_empty(), "a message of another length is none of ours");
}

/// COMMIT is found however the bytes are cut, and as often as it was said.
fn of_commits(mut input: Input<'_>) {
    let size = usize::from(input.byte()).max(1);
    let stream = input.rest();
    let mut apart = CommitSpotter::default();
    let cut = stream.chunks(size).filter(|chunk| apart.feed(chunk)).count();
    let mut single = CommitSpotter::default();
    let each = stream.iter().filter(|byte| single.feed(std::slice::from_ref(byte))).count();
    let mut whole = CommitSpotter::default();
    assert_eq!(whole.feed(stream), each > 0, "found in one piece if found byte by byte");
    assert!(cut <= each && (cut > 0) == (each > 0), "found however it is cut");
    assert_eq!(each, said(stream), "as often as it was said");
}

/// The same by a reader that has the whole stream before it.
fn said(mut stream: &[u8]) -> usize {
    let mut found = 0;
    while let Some(([a, b, c, _], rest)) = stream.split_first_chunk::<4>() {
        let length = usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16;
        let Some((body, rest)) = rest.split_at_checked(length) else { break };
        found += usize::from(body == b"\x03COMMIT");
        stream = rest;
    }
    found
}
