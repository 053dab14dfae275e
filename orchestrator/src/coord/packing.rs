//! Hints as bytes: who sent them, then each with a fixed length.

use baton_engine::coord::Hint;
use saga_core::saga::SagaId;
use uuid::Uuid;

/// Hints of one message.
pub const MAX_HINTS: usize = 256;
/// Bytes of a packed hint: saga id, version, ended.
const HINT_BYTES: usize = 16 + 8 + 1;
/// Bytes before the hints: who sent them.
const ORIGIN_BYTES: usize = 16;

/// A message of `origin`'s; at most [`MAX_HINTS`] hints are read by others.
#[must_use]
pub fn pack(origin: Uuid, hints: &[Hint]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ORIGIN_BYTES + hints.len() * HINT_BYTES);
    bytes.extend_from_slice(origin.as_bytes());
    for hint in hints {
        bytes.extend_from_slice(&hint.saga.0);
        bytes.extend_from_slice(&hint.version.to_be_bytes());
        bytes.push(u8::from(hint.ended));
    }
    bytes
}

/// The hints of another process. Our own were delivered when they were published; anything of another length is not
/// from us and is ignored.
#[must_use]
pub fn unpack(own: Uuid, bytes: &[u8]) -> Vec<Hint> {
    let Some((origin, packed)) = bytes.split_first_chunk::<ORIGIN_BYTES>() else { return Vec::new() };
    if origin == own.as_bytes() || packed.len() % HINT_BYTES != 0 || packed.len() > MAX_HINTS * HINT_BYTES {
        return Vec::new();
    }
    let hints = packed.chunks_exact(HINT_BYTES).filter_map(|packed| {
        let (saga, rest) = packed.split_first_chunk::<16>()?;
        let (version, ended) = rest.split_first_chunk::<8>()?;
        Some(Hint { saga: SagaId(*saga), version: u64::from_be_bytes(*version), ended: ended == [1] })
    });
    hints.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_by_others_only() {
        let hint = Hint { saga: SagaId([7; 16]), version: u64::MAX - 1, ended: true };
        let (ours, theirs) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let bytes = pack(ours, &[hint, Hint { ended: false, ..hint }]);
        assert_eq!(bytes.len(), 16 + 2 * 25);
        assert_eq!(unpack(theirs, &bytes), vec![hint, Hint { ended: false, ..hint }]);
        assert!(unpack(ours, &bytes).is_empty());
        for length in 0..bytes.len() {
            assert!(unpack(theirs, &bytes[..length]).len() < 2, "{length}");
        }
        assert!(unpack(theirs, &[9; 16 + 257 * 25]).is_empty());
    }
}
