//! The laws of the quarantine: what nobody can use is kept, and taken out by whoever looks after it.

use super::{Subject, WITHIN, ack_all, commands, message, publish_and, take_all};
use crate::local::DeadLetter;
use bytes::Bytes;
use std::collections::BTreeSet;
use tokio::time::timeout;
use uuid::Uuid;

pub(super) async fn poison_ends_in_quarantine<S: Subject>(subject: &S) {
    let bus = subject.bus();
    let here = commands("poison");
    let mut consumer = bus.consume(here.clone()).await.unwrap();
    let (bad, good) = (message(&here, "gibberish"), message(&here, "fine"));
    let bad_id = bad.id;
    let (confirmed, ()) = publish_and(&*bus, vec![bad, good], async {
        for delivery in take_all(&mut *consumer, 2).await {
            if delivery.message_id == Some(bad_id) {
                delivery.dead_letter("UNDECODABLE").await;
            } else {
                delivery.ack().await;
            }
        }
    })
    .await;
    assert_eq!(confirmed.len(), 2, "a quarantined message is settled");
    let expected = DeadLetter {
        source: here.clone(),
        message_id: Some(bad_id),
        reason: "UNDECODABLE".to_owned(),
        body: Bytes::from_static(b"gibberish"),
    };
    assert_eq!(subject.dead_letters(&here).await, vec![expected.clone()]);
    assert_eq!(subject.dead_letters(&here).await, vec![expected], "reading removes nothing");
}

pub(super) async fn dead_letters_are_taken_out_once_acknowledged<S: Subject>(subject: &S) {
    let bus = subject.bus();
    let (here, elsewhere) = (commands("graveyard"), commands("other-graveyard"));
    let mut dead = bus.consume_dead_letters(here.clone()).await.unwrap();
    let messages = [message(&here, "one"), message(&here, "two"), message(&elsewhere, "elsewhere")];
    let ids: BTreeSet<Uuid> = messages[..2].iter().map(|message| message.id).collect();
    let mut consumers = Vec::new();
    for (destination, count) in [(&here, 2), (&elsewhere, 1)] {
        consumers.push((bus.consume(destination.clone()).await.unwrap(), count));
    }
    publish_and(&*bus, messages.to_vec(), async {
        for (consumer, count) in &mut consumers {
            for delivery in take_all(&mut **consumer, *count).await {
                delivery.dead_letter("UNREADABLE").await;
            }
        }
    })
    .await;
    let taken = take_all(&mut *dead, 2).await;
    assert_eq!(taken.iter().filter_map(|delivery| delivery.message_id).collect::<BTreeSet<_>>(), ids);
    assert!(taken.iter().all(|delivery| delivery.reason == "UNREADABLE"), "{taken:?}");
    // Released or dead-lettered again it stays, acknowledged it is gone.
    let mut taken = taken.into_iter();
    taken.next().unwrap().release().await;
    taken.next().unwrap().dead_letter("AGAIN").await;
    let again = take_all(&mut *dead, 2).await;
    assert_eq!(again.iter().filter_map(|delivery| delivery.message_id).collect::<BTreeSet<_>>(), ids);
    assert!(again.iter().all(|delivery| delivery.reason == "UNREADABLE"), "{again:?}");
    ack_all(again).await;
    let gone = async {
        while !subject.dead_letters(&here).await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(WITHIN, gone).await.expect("what was acknowledged stays");
    assert_eq!(subject.dead_letters(&elsewhere).await.len(), 1, "another destination's stays");
}
