//! All four kinds of method.

use futures_util::stream;
use service_runtime::client::PeerChannel;

use super::{Calls, calls, item, items, next};
use crate::{
    generated::streams_client::StreamsClient,
    service::{Act, InMemory, in_memory},
};

/// A server, and a client of its through the channel.
fn start() -> (InMemory, Calls, StreamsClient<PeerChannel>) {
    let peer = in_memory(|_| {}, None);
    let calls = calls(peer.server.clone());
    let client = calls.client();
    (peer, calls, client)
}

#[tokio::test(start_paused = true)]
async fn are_called_through_the_channel() {
    let (mut peer, calls, mut client) = start();
    assert_eq!(client.echo(item("one")).await.unwrap().into_inner(), item("one"));
    assert_eq!(client.upload(stream::iter([item("1"), item("2")])).await.unwrap().into_inner(), item("2"));

    let mut download = client.download(item("")).await.unwrap().into_inner();
    let acts = peer.downloads.recv().await.unwrap().acts;
    for content in ["a", "", "b"] {
        acts.send(Act::Send(content.into())).await.unwrap();
        assert_eq!(next(&mut download).await, Some(Ok(content.into())));
    }
    drop(acts);
    assert_eq!(next(&mut download).await, None);

    // Each item is answered before the next one is sent.
    let (send, sent) = items();
    let mut chat = client.chat(sent).await.unwrap().into_inner();
    for content in ["x", "y"] {
        send.send(item(content)).await.unwrap();
        assert_eq!(next(&mut chat).await, Some(Ok(content.into())));
    }
    drop(send);
    assert_eq!(next(&mut chat).await, None);
    assert_eq!(peer.server.calls_in_flight(), 0);
    assert_eq!(calls.context.call.peer_calls()[0].cause, None);
}

#[tokio::test(start_paused = true)]
async fn leave_a_note_each_where_two_peers_are_called() {
    let (_peer, one, mut client) = start();
    let (_other_peer, other, _) = start();
    client.echo(item("one")).await.unwrap();
    let elsewhere = service_runtime::client::UpstreamConfig::in_process();
    let elsewhere = service_runtime::client::Upstream::new(service_runtime::Peer::new("elsewhere"), elsewhere).unwrap();
    // Nobody listens there.
    let elsewhere = elsewhere.connect(&service_runtime::Identity::new("tester", "test.v1"));
    let mut client = StreamsClient::new(elsewhere.channel(&one.context));
    assert!(client.chat(stream::empty()).await.is_err());
    let notes: Vec<String> = one.context.call.peer_calls().iter().map(ToString::to_string).collect();
    assert_eq!(notes[0], "streams url=unix:in-process attempts=1");
    assert!(
        notes[1].starts_with("elsewhere url=unix:in-process attempts=1 cause=connect unix:in-process"),
        "{notes:?}"
    );
    assert!(other.context.call.peer_calls().is_empty());
}
