//! Dead letters: kept once, decided once.

use super::Suite;
use crate::letters::{Decided, LetterState, MAX_NOTED, NewLetter};
use baton_courier::bus::{Destination, MAX_BODY};
use baton_store::conformance::sample;
use bytes::Bytes;
use saga_core::time::Micros;
use uuid::Uuid;

pub(super) async fn exercise(suite: &Suite) {
    one_that_waits_is_kept_once(suite).await;
    a_decision_is_taken_once(suite).await;
    decided_ones_are_forgotten(suite).await;
}

fn letter(n: u128) -> NewLetter {
    NewLetter {
        id: Uuid::from_u128(n),
        destination: Destination::Replies,
        message_id: Some(Uuid::from_u128(7)),
        reason: "UNREADABLE".to_owned(),
        body: Bytes::from_static(b"\x00body\xff"),
        sagas: (0..20).map(|n| sample::id(70, n)).collect(),
    }
}

async fn one_that_waits_is_kept_once(suite: &Suite) {
    let operations = &suite.operations;
    let other = NewLetter { destination: Destination::Commands("agency".to_owned()), ..letter(3) };
    let kept = operations.keep_letters(&[letter(1), letter(2), other.clone()]).await.expect("kept");
    assert_eq!(kept, 2, "the second is the first");
    assert_eq!(operations.keep_letters(&[letter(1), letter(4)]).await.expect("known"), 0);
    assert_eq!(operations.waiting_letters().await.expect("count"), 2);
    let page = operations.letters(Some(LetterState::Waiting), None, 10).await.expect("letters");
    assert_eq!(page.iter().map(|letter| letter.id.as_u128()).collect::<Vec<_>>(), [3, 1], "newest first");
    let (read, body) = operations.letter(letter(1).id).await.expect("letter").expect("it is there");
    assert_eq!((&read, body), (&page[1], letter(1).body));
    assert_eq!((read.sagas.len(), read.size, read.message_id), (MAX_NOTED, 6, Some(Uuid::from_u128(7))));
    assert_eq!(operations.letters(None, Some(other.id), 10).await.expect("letters"), page[1..]);
    let newest = operations.letter_of_message(Uuid::from_u128(7)).await.expect("asked");
    assert_eq!(newest.as_ref(), Some(&page[0]), "the newest of them");
    assert_eq!(operations.letter_of_message(Uuid::from_u128(8)).await.expect("asked"), None);
    let large = NewLetter { body: vec![7; MAX_BODY + 1].into(), ..letter(5) };
    assert_eq!(operations.keep_letters(&[large]).await.expect("kept"), 1);
    let (read, body) = operations.letter(letter(5).id).await.expect("letter").expect("it is there");
    assert_eq!((read.size, body.len()), (MAX_BODY as u64 + 1, MAX_BODY));
}

async fn a_decision_is_taken_once(suite: &Suite) {
    let operations = &suite.operations;
    let act = |request| suite.act("replay", "deadLetters/1", request);
    let missing = operations.replay_letter(letter(9).id, act(70)).await.expect("asked");
    assert_eq!(missing, Decided::Missing);
    let large = operations.replay_letter(letter(5).id, act(70)).await.expect("asked");
    assert_eq!(large, Decided::TooLarge);
    assert!(!suite.is_audited(70).await, "nothing was done");
    assert!(operations.unsent_letters(10).await.expect("unsent").is_empty());
    let done = operations.replay_letter(letter(1).id, act(70)).await.expect("replayed");
    assert!(matches!(done, Decided::Done(letter) if letter.state == LetterState::Replayed));
    let unsent = operations.unsent_letters(10).await.expect("unsent");
    let unsent: Vec<_> = unsent.into_iter().map(|(letter, body)| (letter.id, letter.destination, body)).collect();
    assert_eq!(unsent, [(letter(1).id, letter(1).destination, letter(1).body)]);
    let replayed = operations.letters(Some(LetterState::Replayed), None, 10).await.expect("letters");
    operations.letters_sent(&[letter(1).id, letter(3).id]).await.expect("noted");
    assert!(operations.unsent_letters(10).await.expect("unsent").is_empty());
    assert_eq!(
        operations.letters(Some(LetterState::Replayed), None, 10).await.expect("letters"),
        replayed,
        "it looks alike"
    );
    assert_eq!(operations.waiting_letters().await.expect("count"), 2, "what was never replayed is not sent");
    let again = operations.drop_letter(letter(1).id, act(71)).await.expect("asked");
    assert_eq!(again, Decided::Before(LetterState::Replayed));
    let taken = operations.drop_letter(letter(3).id, act(70)).await.expect("asked");
    assert_eq!(taken, Decided::RequestTaken);
    assert_eq!(operations.waiting_letters().await.expect("count"), 2, "a refused act changes nothing");
    assert!(matches!(operations.drop_letter(letter(3).id, act(72)).await.expect("dropped"), Decided::Done(_)));
    assert!(matches!(operations.drop_letter(letter(5).id, act(73)).await.expect("dropped"), Decided::Done(_)));

    // Whoever asks again for the answer that was lost gets no second letter; the same message may die again.
    assert_eq!(operations.keep_letters(&[letter(1)]).await.expect("kept before"), 0);
    assert_eq!(operations.keep_letters(&[letter(6)]).await.expect("kept"), 1);
}

async fn decided_ones_are_forgotten(suite: &Suite) {
    let operations = &suite.operations;
    let later = Micros(operations.now().0 + 1);
    assert_eq!(operations.forget_letters(sample::START, 10).await.expect("forgotten"), 0, "none is that old");
    assert_eq!(operations.forget_letters(later, 2).await.expect("forgotten"), 2);
    assert_eq!(operations.forget_letters(later, 10).await.expect("forgotten"), 1);
    assert_eq!(operations.letters(None, None, 10).await.expect("letters").len(), 1, "what waits stays");
    let done =
        operations.replay_letter(letter(6).id, suite.act("replay", "deadLetters/6", 74)).await.expect("replayed");
    assert!(matches!(done, Decided::Done(_)), "{done:?}");
    let later = Micros(operations.now().0 + 1);
    assert_eq!(operations.forget_letters(later, 10).await.expect("forgotten"), 0, "it is still to be sent");
    operations.letters_sent(&[letter(6).id]).await.expect("noted");
    assert_eq!(operations.forget_letters(later, 10).await.expect("forgotten"), 1);
}
