//! How an end is told: what operators skipped is missing from it, and what they resolved was done by hand.

use super::past::HalfByHand;
use super::phrases;

/// An end without what was skipped is told as such, with who skipped it and why.
pub(super) fn completed(by_hand: Option<&[HalfByHand]>) -> String {
    match by_hand.map(ended_by) {
        None => "It has completed.".to_owned(),
        Some((skipped, _)) if !skipped.is_empty() => format!("It has completed with {skipped}."),
        Some((_, resolved)) if !resolved.is_empty() => format!("It has completed: every step is done, {resolved}."),
        Some(_) => "It has completed: every step is done.".to_owned(),
    }
}

pub(super) fn compensated(because: &str, by_hand: Option<&[HalfByHand]>) -> String {
    match by_hand.map(ended_by) {
        None => format!("It is compensated{because}."),
        Some((skipped, _)) if !skipped.is_empty() => {
            format!("It is compensated{because} with {skipped}. Everything else that was done is undone.")
        }
        Some((_, resolved)) if !resolved.is_empty() => {
            format!("It is compensated{because}: everything that was done is undone, {resolved}.")
        }
        Some(_) => format!("It is compensated{because}: everything that was done is undone."),
    }
}

/// `room.book skipped by ada: no room`, and `hotel.book by hand (ada: by telephone)`.
fn ended_by(by_hand: &[HalfByHand]) -> (String, String) {
    let (skipped, resolved): (Vec<&HalfByHand>, Vec<&HalfByHand>) = by_hand.iter().partition(|one| one.is_skipped());
    let skipped = skipped.iter().map(|one| format!("{} skipped by {}{}", one.half, one.who, phrases::why(&one.why)));
    let resolved = resolved.iter().map(|one| format!("{} by hand ({}{})", one.half, one.who, phrases::why(&one.why)));
    (phrases::list(skipped.collect(), "and"), phrases::list(resolved.collect(), "and"))
}
