//! Messages that are much smaller than a frame may be: h2 closes the connection of a peer that has sent too many of them unread.

use std::time::Duration;

use tokio::time::timeout;
use tonic::Code;

use crate::{
    caller::{Call, Connection, DEFAULT_WINDOW, item},
    service::serve,
};

/// Streams of one connection, all that it takes.
const STREAMS: usize = 100;

async fn streams(connection: &Connection, method: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    for _ in 0..STREAMS {
        calls.push(connection.call(method, &[]).await.unwrap());
    }
    calls
}

#[tokio::test]
async fn come_on_a_hundred_streams_as_fast_as_their_caller_can_send() {
    let server = serve().await;
    for method in ["Upload", "Chat"] {
        let connection = Connection::open(server.address, DEFAULT_WINDOW).await;
        let mut calls = streams(&connection, method).await;
        for call in &mut calls {
            for sent in 1..=200 {
                call.items.send_data(item("hi"), sent == 200).unwrap();
            }
        }
        let answers = futures_util::future::join_all(calls.into_iter().map(Call::answer));
        for answer in timeout(Duration::from_secs(30), answers).await.unwrap() {
            assert_eq!(answer.unwrap().status.code(), Code::Ok, "{method}");
        }
    }
}
