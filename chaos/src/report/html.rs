//! The page.

use super::model::Campaign;

/// The page.
#[must_use]
pub fn page(_campaign: &Campaign) -> String {
    String::new()
}
