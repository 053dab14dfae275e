//! Stable reasons, `ErrorInfo.reason` of calls and `reason` of answers to commands. Every service and participant may have
//! its own; here are those that all listeners share. The documentation's tables come from such lists.

use std::fmt;

/// Longest reason, bytes.
pub const MAX_REASON: usize = 63;

/// Why something was refused: a text that `^[A-Z][A-Z0-9_]{0,62}$` matches, stable for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason(&'static str);

impl Reason {
    /// The reason of this text. Belongs into a constant: there, a text that is none does not compile.
    ///
    /// # Panics
    /// If the text is none.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        assert!(is_reason(text), "a reason is 1 to 63 of A-Z, 0-9 and _, a letter first");
        Self(text)
    }

    /// Its text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// True if `^[A-Z][A-Z0-9_]{0,62}$` matches.
#[must_use]
pub const fn is_reason(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.is_empty() || bytes.len() > MAX_REASON || !bytes[0].is_ascii_uppercase() {
        return false;
    }
    // A constant function has no iterators.
    let mut at = 1;
    while at < bytes.len() {
        if !bytes[at].is_ascii_uppercase() && !bytes[at].is_ascii_digit() && bytes[at] != b'_' {
            return false;
        }
        at += 1;
    }
    true
}

/// Constants that are called as their reasons read, and the list of them with a sentence each for the documentation.
///
/// ```
/// baton_rpc::reasons! {
///     /// Why a room was not booked.
///     ROOMS {
///         NO_ROOM: "Rejected: the hotel is full.";
///     }
/// }
/// assert_eq!(NO_ROOM.as_str(), "NO_ROOM");
/// assert_eq!(ROOMS[0], (NO_ROOM, "Rejected: the hotel is full."));
/// ```
#[macro_export]
macro_rules! reasons {
    ($(#[$outer:meta])* $list:ident { $($reason:ident: $meaning:literal;)* }) => {
        $(
            #[doc = $meaning]
            pub const $reason: $crate::reason::Reason = $crate::reason::Reason::new(stringify!($reason));
        )*
        $(#[$outer])*
        pub const $list: &'static [($crate::reason::Reason, &'static str)] =
            &[$(($crate::reason::Reason::new(stringify!($reason)), $meaning)),*];
    };
}

impl Reason {
    reasons! {
        /// What any listener may answer, in the order of the documentation.
        SHARED {
            FIELD_REQUIRED: "A required field is missing.";
            NAME_INVALID: "A resource name does not have the form its field asks for.";
            REQUEST_ID_INVALID: "request_id is not a UUID.";
            ENUM_UNKNOWN: "An enum field holds a value this server does not know.";
            PAGE_SIZE_NEGATIVE: "page_size is negative.";
            PAGE_TOKEN_INVALID: "page_token is not one this server gave for this query.";
            FILTER_INVALID: "A filter breaks the filter language; ErrorInfo has its position and the nearest field.";
            ORDER_BY_INVALID: "order_by names no field that lists can be ordered by, or says more than a direction.";
            PRESET_UNKNOWN: "No preset has this name.";
            DEFINITION_INVALID: "The steps, or a retry policy, break a rule of definitions.";
            ATTRIBUTE_INVALID: "An attribute that the saga declares has more than 128 bytes, or there are more than 256.";
            DURATION_INVALID: "A duration is negative or malformed.";
            ACTOR_INVALID: "An actor is not 1 to 128 characters, or has control characters.";
            ACTION_REASON_INVALID: "The reason of an operator's action is not 1 to 500 characters, or has control characters.";
            TARGET_UNKNOWN: "Nothing of this name can be killed here.";
            RATE_OUT_OF_RANGE: "A job's rate is above 1,000 actions a second.";
            TOO_MANY_KEYS: "Probe asks for more than 256 commands.";
            COMMAND_KEY_INVALID: "A command key has no 16-byte saga id, a step above 63 or no direction.";
            REQUEST_ID_REUSED: "The request id was used before with other content.";
            MESSAGE_TOO_LARGE: "A request, or the answer it asks for, is longer than 4 MiB.";
            MESSAGE_MALFORMED: "A request's bytes are not the message that its method takes; text that is not UTF-8, for example.";
            COMPRESSION_UNSUPPORTED: "A request is compressed in a way this server does not read.";
            UNKNOWN_METHOD: "No service of this port has this method.";
            DEADLINE_EXCEEDED: "The call took longer than its caller or the server waits; its outcome is not known.";
            STORE_UNAVAILABLE: "The database is away or busy; nothing was written. Retry.";
            OUTCOME_UNKNOWN: "The database was lost at commit. Repeat the same request, with its request id if it has one, to learn the outcome.";
            OVERLOADED: "Too many requests wait; nothing was done. Retry.";
            INTERNAL: "A defect of this server; its log has the cause.";
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_REASON, Reason, is_reason};
    use std::collections::HashSet;

    #[test]
    fn a_reason_is_upper_snake_and_short() {
        for good in ["A", "NO_ROOM", "HTTP_404", &"X".repeat(MAX_REASON)] {
            assert!(is_reason(good), "{good}");
        }
        for bad in ["", "a", "_A", "4XX", "NO ROOM", "NO-ROOM", "ÜBER", &"X".repeat(MAX_REASON + 1)] {
            assert!(!is_reason(bad), "{bad}");
        }
    }

    #[test]
    fn every_shared_reason_is_listed_once() {
        let distinct: HashSet<_> = Reason::SHARED.iter().map(|(reason, _)| reason).collect();
        assert_eq!(distinct.len(), Reason::SHARED.len());
    }
}
