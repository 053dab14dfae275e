//! What tells a repeated request from another one.

/// Digest of everything a start asks for; tells a repeated request from another one under the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);
