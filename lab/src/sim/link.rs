//! The way of one process to the broker, and what the process was told of it.

use super::life::Us;

/// One process's link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BusLink {
    /// Until when it carries nothing away.
    pub away_until: Us,
    /// The process was told that it does not carry.
    pub is_told: bool,
    /// When the process was told that it carries again.
    pub back_at: Option<Us>,
}

impl BusLink {
    /// The process asks, and is told.
    pub fn asked(&mut self, now: Us, is_away: bool) {
        if !is_away && self.is_told {
            self.back_at = Some(now);
        }
        self.is_told = is_away;
    }

    /// The same link as a new process finds it, which was told nothing yet.
    pub fn forgotten(&mut self) {
        *self = Self { away_until: self.away_until, ..Self::default() };
    }
}
