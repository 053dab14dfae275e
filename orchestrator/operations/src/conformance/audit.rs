//! The audit: what commits of sagas and acts of operators write is one chain.

use super::Suite;
use crate::jobs::Control;
use baton_engine::store::audit::{JournalDigest, NOTHING_BEFORE};
use baton_engine::store::{Changes, StoreError};
use baton_store::conformance::sample::{self, advance, always, record, running};
use baton_store::row::journal::encode;
use baton_store::row::version_value;
use saga_core::saga::State;
use uuid::Uuid;

pub(super) async fn exercise(suite: &Suite) {
    a_saga_and_its_act_are_one_commit(suite).await;
    pages_are_newest_first_and_one_chain(suite).await;
}

async fn a_saga_and_its_act_are_one_commit(suite: &Suite) {
    let moved = record(sample::id(40, 1), running(0, sample::START));
    suite.put(moved.clone()).await;
    let request = Uuid::from_u128(40);
    let mut changes = Changes::default();
    advance(&mut changes, &moved, State::Completed);
    changes.audits.push(sample::audit(&moved.saga, Some(request)));
    suite.store.commit(vec![moved.saga.id], always(changes)).await.expect("moved");
    let row = suite.operations.audited(request).await.expect("audit").expect("an entry");
    // The same digest wherever it is kept: an audit recomputes it.
    let mut digest = JournalDigest::new(moved.saga.id);
    for entry in suite.store.journal(moved.saga.id, 0, 10).await.expect("journal") {
        digest.add(version_value(entry.version), entry.at.0, &encode(&entry.record, &moved.saga.input));
    }
    assert_eq!(row.journal, Some(digest.value()), "the entry binds the journal");

    // A taken id takes the whole commit back.
    let other = record(sample::id(40, 2), running(0, sample::START));
    suite.put(other.clone()).await;
    let mut changes = Changes::default();
    advance(&mut changes, &other, State::Completed);
    changes.audits.push(sample::audit(&other.saga, Some(request)));
    let refused = suite.store.commit(vec![other.saga.id], always(changes)).await;
    assert!(matches!(refused, Err(StoreError::RequestTaken)), "{refused:?}");
    assert_eq!(suite.store.get(other.saga.id).await.expect("get"), Some(other), "nothing was written");
}

async fn pages_are_newest_first_and_one_chain(suite: &Suite) {
    let refused =
        suite.operations.control_job(Uuid::nil(), Control::Pause, suite.act("pause-job", "jobs/none", 41)).await;
    refused.expect("asked");
    assert!(!suite.is_audited(41).await, "what was not done is not written down");
    let all = suite.operations.audit_page(None, None, None, 100).await.expect("audit");
    assert!(all.is_sorted_by(|one, next| one.number == next.number + 1), "without gaps");
    for (row, before) in all.iter().zip(all.iter().skip(1).map(|row| row.hash).chain([NOTHING_BEFORE])) {
        assert_eq!((row.previous, row.hash), (before, row.expected_hash()), "entry {}", row.number);
    }
    let first = &all[all.len() - 1];
    let of_first = suite.operations.audit_page(None, Some(first.audit.subject.clone()), None, 100).await;
    assert_eq!(of_first.expect("audit"), std::slice::from_ref(first));
    assert!(suite.operations.audit_page(Some(1), None, None, 100).await.expect("audit").is_empty());
    let nobody = Some("ad".to_owned());
    assert!(suite.operations.audit_page(None, None, nobody, 100).await.expect("audit").is_empty(), "whole names");
}
