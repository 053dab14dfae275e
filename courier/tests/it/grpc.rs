//! Streams between orchestrators and a participant: commands there, replies back to whoever asked, and again after a break.

use baton_courier::bus::{CommandBus, Consumer, Delivery, Destination, MAX_BODY, Message};
use baton_courier::grpc::{GrpcCourier, GrpcEnd};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Server};
use uuid::Uuid;

/// Everything heals within this on a busy machine, or it does not heal.
const WITHIN: Duration = Duration::from_secs(60);

/// A process of a participant.
struct Served {
    end: GrpcEnd,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Served {
    /// The process ends: its streams, its connections and its listener.
    async fn end(self) {
        self.end.close().await;
        self.stop.cancel();
        timeout(WITHIN, self.task).await.expect("it ends").expect("it does not panic");
    }
}

async fn serve(participant: &str, listener: TcpListener) -> Served {
    let end = GrpcEnd::new(participant);
    let service = end.service();
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let task = tokio::spawn(async move {
        let served = Server::builder().add_service(service);
        served.serve_with_incoming_shutdown(TcpListenerStream::new(listener), stopped).await.expect("it serves");
    });
    Served { end, stop, task }
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

fn courier(address: SocketAddr) -> GrpcCourier {
    let channel = Channel::from_shared(format!("http://{address}")).expect("a URL").connect_lazy();
    GrpcCourier::start(BTreeMap::from([("stock".to_owned(), channel)]))
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < WITHIN, "{what} never comes");
        tokio::task::yield_now().await;
    }
}

fn stock() -> Destination {
    Destination::Commands("stock".to_owned())
}

fn message(destination: Destination, text: &str) -> Message {
    Message { id: Uuid::now_v7(), destination, body: Bytes::copy_from_slice(text.as_bytes()) }
}

async fn take(consumer: &mut dyn Consumer) -> Delivery {
    let mut taken = timeout(WITHIN, consumer.take(1)).await.expect("something comes").expect("the bus is open");
    taken.pop().expect("one delivery")
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_arrive_and_replies_go_back_to_whoever_asked() {
    let (listener, address) = listener().await;
    let served = serve("stock", listener).await;
    let couriers = [courier(address), courier(address)];
    let mut commands = served.end.consume(stock()).await.expect("a consumer");
    for (courier, text) in couriers.iter().zip(["first", "second"]) {
        until("a stream", || courier.carries("stock").is_ok()).await;
        let sent = message(stock(), text);
        courier.send(vec![sent.clone()]);
        let delivery = take(&mut *commands).await;
        assert_eq!((delivery.message_id, &delivery.body), (Some(sent.id), &sent.body));
        let reply = message(Destination::Replies, &format!("to the {text}"));
        served.end.reply(delivery.reply_to.clone().as_deref(), vec![reply.clone()]);
        delivery.ack().await;
        let mut replies = courier.consume(Destination::Replies).await.expect("a consumer");
        let answer = take(&mut *replies).await;
        assert_eq!((answer.message_id, &answer.body), (Some(reply.id), &reply.body));
        answer.ack().await;
    }
    // Whoever asked is gone: any other hears it.
    let [first, second] = couriers;
    let asked = message(stock(), "from one that goes");
    first.send(vec![asked]);
    let delivery = take(&mut *commands).await;
    drop(first);
    let mut replies = second.consume(Destination::Replies).await.expect("a consumer");
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < WITHIN, "nobody else hears it");
        served.end.reply(delivery.reply_to.as_deref(), vec![message(Destination::Replies, "to anybody")]);
        if let Ok(taken) = timeout(Duration::from_secs(1), replies.take(1)).await {
            assert_eq!(taken.expect("open")[0].body, "to anybody");
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_is_told_of_and_comes_back() {
    let (listener, address) = listener().await;
    let served = serve("stock", listener).await;
    let courier = courier(address);
    until("a stream", || courier.carries("stock").is_ok()).await;
    served.end().await;
    until("its end", || courier.carries("stock").is_err()).await;
    assert!(courier.health().is_ok(), "others may have theirs");
    courier.send(vec![message(stock(), "lost")]);
    assert!(courier.publish(vec![message(stock(), "lost, and told so")]).await.is_empty());

    let again = timeout(WITHIN, async {
        loop {
            if let Ok(listener) = TcpListener::bind(address).await {
                return listener;
            }
            tokio::task::yield_now().await;
        }
    });
    let served = serve("stock", again.await.expect("the port is free again")).await;
    until("another stream", || courier.carries("stock").is_ok()).await;
    let mut commands = served.end.consume(stock()).await.expect("a consumer");
    courier.send(vec![message(stock(), "again")]);
    assert_eq!(take(&mut *commands).await.body, "again", "what was lost stays lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_get_to_an_orchestrator() {
    let (listener, address) = listener().await;
    let served = serve("stock", listener).await;
    let courier = courier(address);
    until("a stream", || courier.carries("stock").is_ok()).await;
    let mut commands = served.end.consume(stock()).await.expect("a consumer");
    courier.send(vec![message(stock(), "gibberish")]);
    take(&mut *commands).await.dead_letter("BATCH_UNREADABLE").await;
    let mut letters = courier.consume_dead_letters(stock()).await.expect("letters");
    let letter = take(&mut *letters).await;
    assert_eq!((&letter.body[..], letter.reason.as_str()), (&b"gibberish"[..], "BATCH_UNREADABLE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_stream_takes_is_dropped_at_once() {
    let (listener, address) = listener().await;
    let served = serve("payment", listener).await;
    let courier = courier(address);
    let large = Message { body: vec![7; MAX_BODY + 1].into(), ..message(stock(), "") };
    courier.send(vec![large, message(stock(), "for another"), message(Destination::Commands("hotel".into()), "x")]);
    let why = courier.carries("hotel").expect_err("it has no endpoint").to_string();
    assert!(why.contains("hotel"), "{why}");
    let mut commands = served.end.consume(Destination::Commands("payment".into())).await.expect("a consumer");
    let nothing = timeout(Duration::from_millis(300), commands.take(1)).await;
    assert!(nothing.is_err(), "the process of another participant takes nothing");
    assert!(courier.carries("stock").is_err(), "and says that it is another");
}
