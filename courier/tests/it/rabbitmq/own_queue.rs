//! Replies go to the orchestrator whose command they answer, and to any if that one is gone.

use super::{WITHIN, fresh, start, stock};
use baton_courier::bus::{CommandBus as _, Destination, Message};
use baton_courier::rabbitmq::RabbitBus;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

const REPLIES: usize = 20;

fn message(destination: Destination) -> Message {
    Message { id: Uuid::new_v4(), destination, body: Bytes::from_static(b"body") }
}

/// Tells which of them got which reply, until its bus closes.
async fn takes_replies(bus: &RabbitBus, who: char, told: mpsc::UnboundedSender<(Uuid, char)>) {
    let mut replies = bus.consume(Destination::Replies).await.unwrap();
    tokio::spawn(async move {
        while let Ok(taken) = replies.take(100).await {
            for delivery in taken {
                let _ = told.send((delivery.message_id.unwrap(), who));
                delivery.ack().await;
            }
        }
    });
}

/// Replies to `to` until one round of them went where it should go to the last: queues are declared meanwhile, and what is sent may
/// be lost.
async fn until_all_reach(
    who: char,
    participant: &RabbitBus,
    to: &Arc<str>,
    heard: &mut mpsc::UnboundedReceiver<(Uuid, char)>,
) {
    let asked = Instant::now();
    loop {
        assert!(asked.elapsed() < WITHIN, "replies never all reach {who}");
        let replies: Vec<Message> = (0..REPLIES).map(|_| message(Destination::Replies)).collect();
        let ids: Vec<Uuid> = replies.iter().map(|reply| reply.id).collect();
        participant.reply(Some(to), replies);
        let mut by = BTreeMap::new();
        let all = async {
            while by.len() < REPLIES {
                let (id, taker) = heard.recv().await.unwrap();
                by.extend(ids.contains(&id).then_some((id, taker)));
            }
        };
        let in_time = timeout(Duration::from_secs(2), all).await.is_ok();
        if in_time && by.values().all(|taker| *taker == who) {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_go_to_the_sender_of_their_command_and_to_any_other_if_it_is_gone() {
    let (first, url) = fresh().await;
    let (second, participant) = (start(&url), start(&url));
    let (told, mut heard) = mpsc::unbounded_channel();
    takes_replies(&first, 'a', told.clone()).await;
    takes_replies(&second, 'b', told).await;
    let mut commands = participant.consume(stock()).await.unwrap();
    let asked = Instant::now();
    let reply_to = loop {
        assert!(asked.elapsed() < WITHIN, "no command says where its reply should go");
        first.send(vec![message(stock())]);
        let Ok(taken) = timeout(Duration::from_secs(1), commands.take(1)).await else { continue };
        let command = taken.unwrap().remove(0);
        let reply_to = command.reply_to.clone();
        command.ack().await;
        if let Some(reply_to) = reply_to {
            break reply_to;
        }
    };
    until_all_reach('a', &participant, &reply_to, &mut heard).await;
    first.close().await;
    until_all_reach('b', &participant, &reply_to, &mut heard).await;
}
