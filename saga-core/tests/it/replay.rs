//! A journal folded back gives the saga that wrote it, whatever happened to it.

use bytes::Bytes;
use proptest::prelude::*;
use saga_core::definition::{Definition, StepOptions};
use saga_core::event::{Entry, Event, JournalRecord};
use saga_core::machine;
use saga_core::replay::{ReplayError, replay};
use saga_core::saga::{Saga, SagaId};
use saga_core::time::Micros;
use saga_core::transition::{Applied, Ignored};
use saga_testing::exhaust::events_at;
use std::time::Duration;

fn definition() -> Definition {
    let options = StepOptions::new;
    Definition::builder("order", 1)
        .deadline(Duration::from_secs(90))
        .happened("payment.taken", "payment", "payment.cancel", options())
        .compensatable("order.open", "order", "order.open", "order.reject", options())
        .covered("payment.verify", "payment", "payment.verify", "payment.taken", options())
        .pivot_with_undo("stock.reserve", "stock", "stock.reserve", "stock.release", options())
        .retriable("order.confirm", "order", "order.confirm", options())
        .build()
        .unwrap()
}

/// A saga that lived through events chosen at random from all that make sense where it stood, and its journal.
fn lived(choices: &[(u16, i32)]) -> (Saga, Vec<Entry>) {
    let definition = definition();
    let first = machine::start(&definition, SagaId([9; 16]), Bytes::from_static(b"cart"), Micros(5));
    let (mut saga, mut journal) = (first.saga, vec![first.entry]);
    for (choice, skew_us) in choices {
        let events = events_at(&definition, &saga, true);
        let (event, at) = &events[usize::from(*choice) % events.len()];
        // The clock may jump, backwards too: a move is never earlier than the one before it.
        let now = Micros(at.0 + i64::from(*skew_us));
        if let Applied::Moved(transition) = machine::apply(&definition, &saga, event, now) {
            saga = transition.saga;
            journal.push(transition.entry);
        }
    }
    (saga, journal)
}

fn choices() -> impl Strategy<Value = Vec<(u16, i32)>> {
    proptest::collection::vec((any::<u16>(), -5_000_000..20_000_000), 0..80)
}

proptest! {
    #[test]
    fn a_journal_gives_the_saga_back(choices in choices()) {
        let (saga, journal) = lived(&choices);
        prop_assert_eq!(saga.version, journal.len() as u64);
        prop_assert_eq!(replay(&definition(), &journal), Ok(saga));
    }

    #[test]
    fn a_journal_with_a_hole_is_refused(choices in choices(), hole: prop::sample::Index) {
        let (_, mut journal) = lived(&choices);
        prop_assume!(journal.len() > 1);
        let hole = hole.index(journal.len() - 1);
        journal.remove(hole);
        let (expected, found) = (hole as u64 + 1, hole as u64 + 2);
        prop_assert_eq!(replay(&definition(), &journal), Err(ReplayError::Gap { expected, found }));
    }
}

#[test]
fn what_is_no_journal_is_named() {
    let definition = definition();
    let (_, journal) = lived(&[(9, 0), (12, 0)]);
    let with = |at: usize, change: &dyn Fn(&mut Entry)| {
        let mut journal = journal.clone();
        change(&mut journal[at]);
        replay(&definition, &journal).unwrap_err()
    };
    assert!(journal.len() >= 2, "the choices must move the saga");
    assert_eq!(replay(&definition, &[]), Err(ReplayError::Empty));
    let started = journal[0].record.clone();
    assert_eq!(with(1, &|e| e.record = started.clone()), ReplayError::WrongRecord { version: 2 });
    assert_eq!(with(0, &|e| e.record = JournalRecord::Moved(Event::Wake)), ReplayError::WrongRecord { version: 1 });
    assert_eq!(with(1, &|e| e.at = Micros(0)), ReplayError::TimeWentBack { version: 2 });
    assert_eq!(with(1, &|e| e.saga = SagaId([1; 16])), ReplayError::OtherSaga { version: 2 });
    assert_eq!(
        with(1, &|e| e.record = JournalRecord::Moved(Event::Wake)),
        ReplayError::Ignored { version: 2, why: Ignored::NotDue }
    );
    let other = Definition::builder("order", 2).pivot("go", "someone", "go", StepOptions::new()).build().unwrap();
    assert_eq!(replay(&other, &journal), Err(ReplayError::OtherDefinition));
}
