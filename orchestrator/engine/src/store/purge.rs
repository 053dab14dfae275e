//! Forgetting finished sagas: what a step may take, and what is left of those it took. The same for every store.

use crate::store::StateCode;
use saga_core::saga::SagaId;
use saga_core::time::Micros;

/// Journal entries one step deletes at most, unless a single saga has more. A saga of five steps has six; one that was retried for
/// days has thousands, and two hundred of those must not become one transaction.
const MAX_ENTRIES: u64 = 5_000;

/// What is left of a saga besides its start keys once it is forgotten. Kept for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// How it ended: [`StateCode::Completed`] or [`StateCode::Compensated`].
    pub state: StateCode,
    /// When it ended.
    pub ended_at: Micros,
    /// When it was forgotten.
    pub forgotten_at: Micros,
}

/// What one step came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// How many sagas it forgot.
    pub forgotten: usize,
    /// The last saga it looked at, whether it forgot that one or not; `None` if none that is old enough comes after.
    pub reached: Option<SagaId>,
}

/// A saga as far as forgetting is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    pub id: SagaId,
    /// True if it is completed or compensated.
    pub finished: bool,
    /// When it last moved: its end, if it is finished.
    pub moved_at: Micros,
    /// Its version, which is the number of its journal entries.
    pub entries: u64,
}

/// True for the two states that no event leaves.
#[must_use]
pub fn is_finished(state: StateCode) -> bool {
    match state {
        StateCode::Completed | StateCode::Compensated => true,
        StateCode::Running | StateCode::Compensating | StateCode::Stuck | StateCode::Paused => false,
    }
}

/// Which of `page`, the next sagas in id order and at most `limit`, are to be forgotten, and how far the step gets.
pub fn choose(page: &[Candidate], before: Micros, limit: u32) -> (Vec<SagaId>, Option<SagaId>) {
    let mut chosen = Vec::new();
    let mut entries = 0;
    let mut reached = None;
    for candidate in page {
        if candidate.finished && candidate.moved_at < before {
            entries += candidate.entries;
            if entries > MAX_ENTRIES && !chosen.is_empty() {
                return (chosen, reached);
            }
            chosen.push(candidate.id);
        }
        reached = Some(candidate.id);
    }
    (chosen, reached.filter(|_| page.len() >= limit as usize))
}

/// The smallest id a saga can have that was created at this time: ids are UUIDv7, which begin with 48 bits of milliseconds.
/// What is older than a time is so a range of the primary key.
#[must_use]
pub fn first_id_at(at: Micros) -> SagaId {
    let millis = u64::try_from(at.0 / 1_000).unwrap_or(0).min((1 << 48) - 1);
    let mut id = [0; 16];
    id[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    SagaId(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn candidate(n: u8, entries: u64) -> Candidate {
        Candidate { id: SagaId([n; 16]), finished: true, moved_at: Micros(9), entries }
    }

    fn chosen(page: &[Candidate], limit: u32) -> (Vec<u8>, Option<u8>) {
        let (ids, reached) = choose(page, Micros(10), limit);
        (ids.iter().map(|id| id.0[0]).collect(), reached.map(|id| id.0[0]))
    }

    #[test]
    fn only_what_is_finished_and_old_is_taken_and_the_page_goes_on_behind_the_rest() {
        let active = Candidate { finished: false, ..candidate(2, 5) };
        let young = Candidate { moved_at: Micros(10), ..candidate(3, 5) };
        assert_eq!(chosen(&[candidate(1, 5), active, young], 3), (vec![1], Some(3)));
        assert_eq!(chosen(&[candidate(1, 5), active], 3), (vec![1], None), "a page that is not full is the last");
        assert_eq!(chosen(&[], 3), (vec![], None));
    }

    #[test]
    fn a_step_ends_before_too_many_journal_entries_but_takes_one_saga_of_any_length() {
        let half = MAX_ENTRIES / 2;
        let page = [candidate(1, half), candidate(2, half), candidate(3, 1)];
        assert_eq!(chosen(&page, 100), (vec![1, 2], Some(2)));
        assert_eq!(chosen(&[candidate(1, MAX_ENTRIES + 1), candidate(2, 1)], 100), (vec![1], Some(1)));
    }

    #[test]
    fn ids_of_a_time_lie_around_its_first() {
        let at = |millis: i64| first_id_at(Micros(millis * 1_000 + 999)).0;
        let id = Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, 1_700_000_000, 5_000_000)).into_bytes();
        assert!(at(1_700_000_000_005) <= id && id < at(1_700_000_000_006));
        assert_eq!(first_id_at(Micros(-1)).0, [0; 16]);
        assert!(first_id_at(Micros(i64::MAX)).0 > id);
    }
}
