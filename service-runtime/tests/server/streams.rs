//! What streams do to each other on one connection, and who says why one has failed; all else of them is in `tests/streams/`.

use std::time::Duration;

use bytes::Bytes;
use tokio::{net::TcpStream, time::timeout};
use tonic::Code;

use crate::{
    raw,
    scripted::{LONG, ListenRequest, config, failed, scripted, server, start},
};

#[tokio::test]
async fn a_failure_in_the_middle_has_an_origin() {
    let running = start!(server(config(|_| {})));
    let lines = running.client().await.listen(scripted("error", ListenRequest {})).await;
    let mut lines = lines.unwrap().into_inner();
    assert_eq!(lines.message().await.unwrap().unwrap().text, "one");
    assert_eq!(failed(lines.message().await), (Code::DataLoss, "DATA_LOSS".into()));
}

#[tokio::test]
async fn small_messages_that_are_not_read_wait_for_their_reader_and_harm_no_other_call() {
    let running = start!(server(config(|_| {})));
    let stream = TcpStream::connect(running.address).await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut sender: h2::client::SendRequest<Bytes> = sender.ready().await.unwrap();
    let request = raw::request("/chat.v1.Chat/Talk", &[("script", "deaf")]);
    let (_answer, mut sent) = sender.send_request(request, false).unwrap();
    // Until the window of the stream is used up: some six thousand messages of six bytes.
    let message = Bytes::from_static(b"\0\0\0\0\x05\x0a\x03abc");
    let mut messages = 0;
    loop {
        sent.reserve_capacity(message.len());
        let capacity = std::future::poll_fn(|cx| sent.poll_capacity(cx));
        match timeout(Duration::from_millis(300), capacity).await {
            Ok(capacity) => assert!(capacity.unwrap().is_ok(), "after {messages} messages"),
            Err(_) => break,
        }
        if sent.capacity() >= message.len() {
            sent.send_data(message.clone(), false).unwrap();
            messages += 1;
        }
    }
    assert!(messages > 5_000, "{messages}");
    let (answer, mut sent) = sender.send_request(raw::request("/chat.v1.Chat/Say", &[]), false).unwrap();
    sent.send_data(Bytes::from_static(b"\0\0\0\0\0"), true).unwrap();
    let (head, body) = timeout(LONG, answer).await.unwrap().unwrap().into_parts();
    assert_eq!(head.status, 200);
    assert_eq!(timeout(LONG, raw::to_the_trailers(body)).await.unwrap()["grpc-status"], "0");
    assert!(!connection.is_finished());
}
