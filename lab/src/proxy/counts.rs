//! What a proxy did.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counts of one proxy; they only grow.
        #[derive(Debug, Default)]
        pub struct Counts { $($(#[$doc])* pub $name: AtomicU64,)* }

        impl Counts {
            /// Every count with its name.
            #[must_use]
            pub fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.load(Ordering::Relaxed)),)*]
            }
        }
    };
}

counts! {
    /// Connections taken.
    accepted,
    /// Bytes handed on.
    bytes,
    /// Connections refused.
    refused,
    /// Connections reset on request.
    reset,
    /// Connections stranded.
    stranded,
    /// Chunks that came late.
    delayed,
    /// Chunks that waited for the rate limit.
    throttled,
    /// Chunks that were held back.
    held,
    /// Bytes that were swallowed.
    lost,
    /// Bits that were flipped.
    flipped,
    /// Connections cut after a number of bytes.
    cut,
    /// Connections cut at a COMMIT.
    cut_at_commit,
    /// Ends of a stream that were passed on late.
    closed_late,
}

impl Counts {
    pub(crate) fn add(count: &AtomicU64, by: u64) {
        count.fetch_add(by, Ordering::Relaxed);
    }

    /// How often any fault touched anything.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.all().into_iter().filter(|(name, _)| !matches!(*name, "accepted" | "bytes")).map(|(_, count)| count).sum()
    }
}
