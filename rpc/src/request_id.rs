//! The id that makes a repeated request the same request.

use crate::errors::Flaw;
use crate::reason::Reason;
use uuid::Uuid;

/// Any UUID in any of its usual spellings, so that every caller's UUID library will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(Uuid);

impl RequestId {
    /// Parses a request id.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        Uuid::try_parse(text).map(Self).map_err(|_| Flaw::new(Reason::REQUEST_ID_INVALID, "must be a UUID"))
    }

    /// The 16 bytes of a row.
    #[must_use]
    pub fn bytes(&self) -> [u8; 16] {
        self.0.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::RequestId;

    #[test]
    fn a_request_id_has_many_spellings() {
        let id = "0190a3c2-7b1d-7c3e-8f00-0123456789ab";
        let spellings =
            [id.to_owned(), id.to_uppercase(), id.replace('-', ""), format!("{{{id}}}"), format!("urn:uuid:{id}")];
        for spelling in &spellings {
            assert_eq!(RequestId::parse(spelling).unwrap(), RequestId::parse(id).unwrap(), "{spelling}");
        }
        assert!(RequestId::parse("x").is_err());
    }
}
