//! Replayed letters: published until the bus has taken them over, and not again.

use crate::support::office::{Office, both};
use baton_courier::bus::{Destination, MAX_BODY};
use baton_orchestrator::operations::letters::{NewLetter, replay_id};
use baton_orchestrator::workers::replays::Replays;
use baton_proto::baton::saga::v1 as wire;
use baton_proto::baton::saga::v1::saga_admin_service_server::SagaAdminService as _;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use tonic::Request;
use uuid::Uuid;

fn letter(n: u8) -> NewLetter {
    NewLetter {
        id: Uuid::now_v7(),
        destination: Destination::Commands("stock".to_owned()),
        message_id: Some(Uuid::from_bytes([n; 16])),
        reason: "UNREADABLE".to_owned(),
        body: Bytes::from(vec![n; 3]),
        sagas: Vec::new(),
    }
}

/// Letters that are kept and replayed.
async fn replayed(office: &Office, letters: &[NewLetter]) {
    assert_eq!(office.operations.keep_letters(letters).await.expect("kept"), letters.len());
    for letter in letters {
        let request = wire::ReplayDeadLetterRequest {
            name: format!("deadLetters/{}", letter.id),
            reason: "the reader is mended".into(),
            actor: "ada".into(),
            request_id: String::new(),
        };
        office.api.replay_dead_letter(Request::new(request)).await.expect("replayed");
    }
}

fn worker(office: &Office) -> Replays {
    Replays::new(office.operations.clone(), office.bus.clone())
}

/// Bodies and message ids of what was published since, in order.
fn published(office: &Office) -> (Vec<Bytes>, BTreeSet<Uuid>) {
    let published = std::mem::take(&mut *office.bus.published.lock().unwrap());
    assert!(published.iter().all(|message| message.destination == letter(0).destination));
    let ids = published.iter().map(|message| message.id).collect();
    (published.into_iter().map(|message| message.body).collect(), ids)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_letter_is_kept_until_the_bus_has_it_and_sent_once() {
    for office in both().await {
        let letters = [letter(1), letter(2)];
        let bodies = letters.clone().map(|letter| letter.body);
        replayed(&office, &letters).await;
        let (worker, mut ids) = (worker(&office), BTreeSet::new());
        office.bus.mute.store(true, Ordering::SeqCst);
        for _ in 0..2 {
            assert_eq!(worker.run_once().await.expect("a round"), 0, "nothing is confirmed");
            let (again, as_ids) = published(&office);
            assert_eq!(again, bodies);
            ids.extend(as_ids);
        }
        office.bus.mute.store(false, Ordering::SeqCst);
        assert_eq!(worker.run_once().await.expect("a round"), 2);
        let (sent, as_ids) = published(&office);
        assert_eq!(sent, bodies);
        ids.extend(as_ids);
        let own = letters.iter().map(|letter| replay_id(letter.id));
        assert_eq!(ids, own.collect(), "as the letters' own messages, however often");
        for _ in 0..2 {
            assert_eq!(worker.run_once().await.expect("a round"), 0);
        }
        assert!(published(&office).0.is_empty(), "sent once");
        assert!(office.bus.sent.lock().unwrap().is_empty(), "what nobody can derive again is not merely sent");
    }
}

/// A worker that died between the bus and the note: the next one sends it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_nobody_noted_as_sent_is_sent_by_the_next_worker() {
    for office in both().await {
        replayed(&office, &[letter(1)]).await;
        office.bus.mute.store(true, Ordering::SeqCst);
        worker(&office).run_once().await.expect("a round");
        office.bus.mute.store(false, Ordering::SeqCst);
        assert_eq!(worker(&office).run_once().await.expect("a round"), 1);
        assert_eq!(published(&office).0.len(), 2);
    }
}

/// A replay that fails again leads to the letter that came of it, and that one back.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_comes_back_is_linked_both_ways() {
    for office in both().await {
        let first = letter(1);
        let get = async |id: Uuid| {
            let request = wire::GetDeadLetterRequest { name: format!("deadLetters/{id}") };
            let answer = office.api.get_dead_letter(Request::new(request)).await.expect("a letter");
            let told = answer.into_inner().dead_letter.expect("a letter");
            (told.replay_of, told.came_back_as)
        };
        replayed(&office, std::slice::from_ref(&first)).await;
        worker(&office).run_once().await.expect("a round");
        assert_eq!(get(first.id).await, (String::new(), String::new()), "it may have been read");
        let sent = office.bus.published.lock().unwrap().pop().expect("sent");
        let back = NewLetter { id: Uuid::now_v7(), message_id: Some(sent.id), ..letter(1) };
        assert_eq!(office.operations.keep_letters(std::slice::from_ref(&back)).await.expect("kept"), 1);
        let names = [first.id, back.id].map(|id| format!("deadLetters/{id}"));
        assert_eq!(get(first.id).await, (String::new(), names[1].clone()));
        assert_eq!(get(back.id).await, (names[0].clone(), String::new()));
        let listed = office.api.list_dead_letters(Request::new(wire::ListDeadLettersRequest::default())).await;
        let listed = listed.expect("a list").into_inner().dead_letters;
        let links: Vec<_> = listed.iter().map(|it| (it.replay_of.as_str(), it.came_back_as.as_str())).collect();
        assert_eq!(links, [(names[0].as_str(), ""), ("", names[1].as_str())]);
    }
}

/// More of them than one round sends, and what is not replayed stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_is_sent_in_rounds() {
    for office in both().await {
        let letters: Vec<NewLetter> = (0..70).map(letter).collect();
        replayed(&office, &letters).await;
        let large = NewLetter { body: vec![7; MAX_BODY].into(), ..letter(100) };
        assert_eq!(office.operations.keep_letters(&[large]).await.expect("kept"), 1);
        let worker = worker(&office);
        let mut rounds = Vec::new();
        while rounds.last() != Some(&0) {
            rounds.push(worker.run_once().await.expect("a round"));
        }
        assert_eq!(rounds, [64, 6, 0]);
        assert_eq!(published(&office).0, letters.into_iter().map(|letter| letter.body).collect::<Vec<_>>());
        assert_eq!(office.operations.waiting_letters().await.expect("a count"), 1);
    }
}
