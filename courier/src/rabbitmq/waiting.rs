//! Requests that wait for a lane, and how many of them make a round.
//!
//! A caller gives up at its deadline and asks again, with the same messages. While the broker is away or short of memory no
//! lane takes what it left behind, so that its messages are dropped with it and only an empty place stays in the queue.

use super::connection::lock;
use super::outgoing::Outgoing;
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// Messages of one request; larger calls are cut.
const MAX_REQUEST: usize = 256;
/// Bytes of the bodies of one request; larger calls are cut. A single message is never split.
const MAX_REQUEST_BYTES: usize = 1024 * 1024;
/// Messages of a round, at which a lane stops taking further requests.
const MAX_ROUND: usize = 1_024;
/// Bytes of the bodies of a round, the last request included, unless a single message has more. A round is settled as a whole:
/// one that is overdue throws away the confirms that came, so that it must fit through a slow line before its deadline.
const MAX_ROUND_BYTES: usize = 4 * 1024 * 1024;

/// The messages of one request, until a lane takes them or their caller gives up.
type Shelf = Arc<Mutex<Option<Vec<Outgoing>>>>;

/// A request in the queue.
#[derive(Debug)]
pub(super) struct Waiting {
    messages: Shelf,
    answer: oneshot::Sender<Vec<Uuid>>,
}

/// The caller's side of a request. Dropped before a lane takes the messages, it drops them.
#[derive(Debug)]
pub(super) struct Answer {
    messages: Shelf,
    received: oneshot::Receiver<Vec<Uuid>>,
}

/// A request that a lane has taken.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) messages: Vec<Outgoing>,
    /// The ids taken over for good. Closed if the caller gave up.
    pub(super) answer: oneshot::Sender<Vec<Uuid>>,
}

/// What one lane publishes at once.
pub(super) type Round = Vec<Request>;

impl Waiting {
    pub(super) fn new(messages: Vec<Outgoing>) -> (Self, Answer) {
        let messages = Arc::new(Mutex::new(Some(messages)));
        let (answer, received) = oneshot::channel();
        (Self { messages: messages.clone(), answer }, Answer { messages, received })
    }

    /// The request, unless its caller has gone.
    fn take(self) -> Option<Request> {
        let messages = lock(&self.messages).take()?;
        Some(Request { messages, answer: self.answer })
    }
}

impl Answer {
    /// The ids taken over for good; nothing if nothing is known.
    pub(super) async fn received(mut self) -> Option<Vec<Uuid>> {
        (&mut self.received).await.ok()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        lock(&self.messages).take();
    }
}

/// Cuts a call into requests within the bounds of one.
pub(super) fn requests(messages: Vec<Outgoing>) -> Vec<Vec<Outgoing>> {
    let mut requests: Vec<Vec<Outgoing>> = Vec::new();
    let mut bytes = 0;
    for message in messages {
        bytes += message.body.len();
        match requests.last_mut() {
            Some(request) if request.len() < MAX_REQUEST && bytes <= MAX_REQUEST_BYTES => request.push(message),
            _ => {
                bytes = message.body.len();
                requests.push(vec![message]);
            }
        }
    }
    requests
}

/// Whatever waits, without lingering; `None` once nobody can ask any more. After an outage most callers are gone, and their
/// messages will come again.
pub(super) async fn next_round(waiting: &mut mpsc::Receiver<Waiting>) -> Option<Round> {
    let mut round = Vec::new();
    let (mut count, mut bytes) = (0, 0);
    while count < MAX_ROUND && bytes + MAX_REQUEST_BYTES <= MAX_ROUND_BYTES {
        let next = if round.is_empty() { Some(waiting.recv().await?) } else { waiting.try_recv().ok() };
        let Some(next) = next else { break };
        if let Some(request) = next.take() {
            count += request.messages.len();
            bytes += bytes_of(&request.messages);
            round.push(request);
        }
    }
    Some(round)
}

fn bytes_of(messages: &[Outgoing]) -> usize {
    messages.iter().map(|message| message.body.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::{Destination, MAX_BODY, Message};
    use bytes::Bytes;
    use std::sync::Weak;
    use std::time::Duration;

    fn message(body: Bytes) -> Outgoing {
        Outgoing::message(Message { id: Uuid::now_v7(), destination: Destination::Replies, body }).unwrap()
    }

    /// A body that tells whether it is still held.
    fn watched() -> (Outgoing, Weak<Vec<u8>>) {
        struct Shared(Arc<Vec<u8>>);
        impl AsRef<[u8]> for Shared {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        let body = Arc::new(vec![0; 1_000]);
        let held = Arc::downgrade(&body);
        (message(Bytes::from_owner(Shared(body))), held)
    }

    #[tokio::test]
    async fn a_caller_that_gives_up_takes_its_messages_with_it() {
        let (requests, mut waiting) = mpsc::channel(4);
        let (given_up, gone) = watched();
        let (request, answer) = Waiting::new(vec![given_up]);
        requests.send(request).await.unwrap();
        assert!(gone.upgrade().is_some(), "as long as the caller waits");
        assert!(tokio::time::timeout(Duration::ZERO, answer.received()).await.is_err());
        assert!(gone.upgrade().is_none(), "no lane has come, and nobody will ask for them any more");

        let (wanted, held) = watched();
        let (request, answer) = Waiting::new(vec![wanted]);
        requests.send(request).await.unwrap();
        let round = next_round(&mut waiting).await.unwrap();
        assert_eq!(round.len(), 1, "the empty place is skipped");
        drop(answer);
        assert!(held.upgrade().is_some(), "a lane has them");
        assert!(round[0].answer.is_closed());
        drop((round, requests));
        assert!(next_round(&mut waiting).await.is_none() && held.upgrade().is_none());
    }

    #[tokio::test]
    async fn rounds_are_bounded_by_messages_and_by_bytes() {
        let large = Bytes::from(vec![0; MAX_BODY]);
        for (body, messages) in [(Bytes::from_static(b"small"), 5_000), (large, 70)] {
            let cut = requests(vec![message(body); messages]);
            let (send, mut waiting) = mpsc::channel(cut.len());
            let mut answers = Vec::new();
            for request in cut {
                assert!(request.len() <= MAX_REQUEST && bytes_of(&request) <= MAX_REQUEST_BYTES);
                let (request, answer) = Waiting::new(request);
                send.send(request).await.unwrap();
                answers.push(answer);
            }
            drop(send);
            let mut sizes = Vec::new();
            while let Some(round) = next_round(&mut waiting).await {
                let bytes: usize = round.iter().map(|request| bytes_of(&request.messages)).sum();
                sizes.push(round.iter().map(|request| request.messages.len()).sum::<usize>());
                assert!(bytes <= MAX_ROUND_BYTES && sizes.iter().all(|size| *size <= MAX_ROUND), "{bytes} {sizes:?}");
            }
            assert_eq!(sizes.iter().sum::<usize>(), messages, "nothing is lost: {sizes:?}");
            assert!(sizes.len() < 6, "and nothing goes alone: {sizes:?}");
        }
    }

    #[test]
    fn a_single_message_is_never_too_large() {
        let dead = |bytes| Outgoing::dead_letter(Destination::Replies, "q".to_owned(), Uuid::nil(), bytes, "REASON");
        let huge = dead(Bytes::from(vec![0; 2 * MAX_REQUEST_BYTES]));
        let small = message(Bytes::from_static(b"small"));
        let sizes: Vec<usize> = requests(vec![small.clone(), huge, small]).iter().map(Vec::len).collect();
        assert_eq!(sizes, [1, 1, 1]);
    }
}
