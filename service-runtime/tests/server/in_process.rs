//! A server without a port: reached by a tonic channel, and as a peer; on a paused clock.

use std::{future::ready, sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use service_runtime::{
    Identity, InProcess, Peer,
    client::{Upstream, UpstreamConfig, WorkerUpstream},
    context::Context,
};
use tokio::{sync::mpsc, time::Instant};
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};
use tower::service_fn;

use crate::scripted::{self, ChatClient, DESCRIPTORS, Scripted, config, failed, line, server};

fn start() -> (InProcess, mpsc::UnboundedReceiver<()>) {
    let (scripted, dropped) = Scripted::new();
    (server(config(|_| {})).in_process(|_| scripted.services(None)).unwrap(), dropped)
}

async fn client(chat: &InProcess) -> ChatClient<Channel> {
    let channel = Endpoint::from_static("http://chat").connect_with_connector(chat.clone()).await;
    ChatClient::new(channel.unwrap())
}

fn upstream(chat: InProcess) -> WorkerUpstream {
    let peer = Peer::new("chatter").descriptors(DESCRIPTORS);
    let upstream = Upstream::new(peer, UpstreamConfig::in_process()).unwrap().dialer(Arc::new(chat));
    upstream.connect(&Identity::new("tester", "test.v1"))
}

#[tokio::test(start_paused = true)]
async fn answers_over_a_channel_of_tonics() {
    let (chat, _dropped) = start();
    let mut client = client(&chat).await;
    assert_eq!(client.say(line("hello")).await.unwrap().into_inner().lines, 1);
    assert_eq!(failed(client.say(scripted::scripted("bare", line(""))).await).0, Code::NotFound);
}

#[tokio::test(start_paused = true)]
async fn is_a_peer_whose_calls_end_at_the_cap_to_the_millisecond() {
    let (chat, mut dropped) = start();
    let upstream = upstream(chat.clone());
    let mut client = ChatClient::new(upstream.channel(&Context::new()));
    assert_eq!(client.say(line("hello")).await.unwrap().into_inner().lines, 1);
    let began = Instant::now();
    let answer = client.say(scripted::scripted("pending", line("hello"))).await;
    let late = began.elapsed().checked_sub(Duration::from_secs(2)).expect("not before the cap");
    assert!(late <= Duration::from_millis(1), "{late:?}");
    assert_eq!(failed(answer), (Code::Unavailable, "CHATTER_TIMEOUT".into()));
    dropped.recv().await.unwrap();
    assert_eq!(chat.calls_in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn is_called_with_the_largest_values_that_a_configuration_can_hold() {
    let (scripted, _dropped) = Scripted::new();
    let endless = config(|config| {
        config.max_connection_age = Duration::MAX;
        config.max_connection_idle = Duration::MAX;
        config.http1_keep_alive = Duration::MAX;
    });
    let chat = server(endless).in_process(|_| scripted.services(None)).unwrap();
    let mut config = UpstreamConfig::in_process();
    config.timeout = Duration::MAX;
    config.connect_timeout = Duration::MAX;
    config.max_backoff = Duration::MAX;
    config.keepalive = Some(Duration::MAX);
    [config.retry_attempts, config.connections, config.subset, config.max_message_size] = [usize::MAX; 4];
    let upstream = Upstream::new(Peer::new("chatter").descriptors(DESCRIPTORS), config).unwrap().dialer(Arc::new(chat));
    let upstream = upstream.connect(&Identity::new("tester", "test.v1"));
    let mut client = ChatClient::new(upstream.channel(&Context::new()));
    assert_eq!(client.say(line("hello")).await.unwrap().into_inner().lines, 1);
    assert_eq!(failed(client.say(scripted::scripted("bare", line(""))).await).0, Code::Internal);
}

#[tokio::test(start_paused = true)]
async fn is_gone_with_its_last_clone() {
    let (chat, mut dropped) = start();
    // The connector of `client` would be a clone.
    let mut once = Some(TokioIo::new(chat.connect()));
    let connector = service_fn(move |_| ready(once.take().ok_or("it connects once")));
    let channel = Endpoint::from_static("http://chat").connect_with_connector(connector).await.unwrap();
    let mut client = ChatClient::new(channel);
    let call = tokio::spawn(async move { client.say(scripted::scripted("pending", line("hello"))).await });
    while chat.calls_in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    let began = Instant::now();
    drop(chat);
    dropped.recv().await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(call.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn finishes_what_is_in_flight_when_it_drains() {
    let (chat, _dropped) = start();
    let mut client = client(&chat).await;
    let (say, said) = mpsc::channel(1);
    let mut talk = client.talk(stream_of(said)).await.unwrap().into_inner();
    chat.drain();
    say.send(line("still there")).await.unwrap();
    assert_eq!(talk.message().await.unwrap().unwrap().text, "still there");
    drop(say);
    assert_eq!(talk.message().await.unwrap(), None);
}

/// What comes out of a channel, as a stream.
fn stream_of<T: Send + 'static>(receiver: mpsc::Receiver<T>) -> impl futures_util::Stream<Item = T> + Send {
    futures_util::stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) })
}
