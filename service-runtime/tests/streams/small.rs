//! Messages that are much smaller than a frame may be: h2 closes the connection of a peer that has sent too many of them unread.

use tonic::Code;

use crate::{
    caller::{Call, Connection, DEFAULT_WINDOW, item, soon, turns},
    service::{Running, serve},
};

async fn open(connection: &Connection, method: &str, streams: usize) -> Vec<Call> {
    let mut calls = Vec::new();
    for _ in 0..streams {
        calls.push(connection.call(method, &[]).await.unwrap());
    }
    calls
}

#[tokio::test]
async fn come_on_a_hundred_streams_as_fast_as_their_caller_can_send() {
    let server = serve().await;
    for method in ["Upload", "Chat"] {
        let connection = Connection::open(server.address, DEFAULT_WINDOW).await;
        let mut calls = open(&connection, method, 100).await;
        for call in &mut calls {
            for sent in 1..=200 {
                call.items.send_data(item("hi"), sent == 200).unwrap();
            }
        }
        for answer in futures_util::future::join_all(calls.into_iter().map(Call::answer)).await {
            assert_eq!(answer.unwrap().status.code(), Code::Ok, "{method}");
        }
    }
}

/// A connection with streams whose handlers do not read: they send back what comes, and of that their caller takes 10 bytes. Each
/// of them has sent `messages` of the smallest messages there are, or as many as its window takes.
async fn unread(server: &Running, streams: usize, messages: usize) -> (Connection, Vec<Call>) {
    let connection = Connection::open(server.address, 10).await;
    let mut calls = open(&connection, "Chat", streams).await;
    for call in &mut calls {
        for _ in 0..messages {
            call.items.send_data(item(""), false).unwrap();
        }
    }
    turns(&Connection::open(server.address, DEFAULT_WINDOW).await).await;
    (connection, calls)
}

#[tokio::test]
async fn do_not_cost_a_caller_its_connection_on_a_stream_whose_window_they_fill() {
    let server = serve().await;
    let (connection, _calls) = unread(&server, 1, 20_000).await;
    assert_eq!(connection.echo("hi").await.unwrap().body, item("hi"));
}

#[tokio::test]
async fn do_not_cost_a_caller_its_connection_where_each_of_its_streams_has_some_unread() {
    let server = serve().await;
    let (connection, calls) = unread(&server, 99, 150).await;
    assert_eq!(connection.echo("hi").await.unwrap().body, item("hi"));
    drop(calls);
    // What was unread counts no more: as many again.
    for mut call in open(&connection, "Chat", 99).await {
        (0..150).for_each(|_| call.items.send_data(item(""), false).unwrap());
    }
    assert_eq!(connection.echo("hi").await.unwrap().body, item("hi"));
}

#[tokio::test]
async fn cost_a_caller_its_connection_where_there_are_more_than_memory_is_meant_for() {
    let server = serve().await;
    let (connection, _calls) = unread(&server, 99, 300).await;
    let error = soon(connection.over).await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(h2::Reason::ENHANCE_YOUR_CALM), "{error:?}");
    turns(&Connection::open(server.address, DEFAULT_WINDOW).await).await;
}
