//! How a stream ends: by a panic, by its deadline, by its caller.

use std::time::Duration;

use tokio::time::Instant;
use tonic::Code;

use crate::{
    caller::{Connection, DEFAULT_WINDOW, item, said, soon, turns},
    service::{Act, serve},
};

/// The contract allows 50 ms beyond a bound, 100 ms under full load (`docs/contract.md`, "Terms"). Tests run beside builds, on cores
/// that both share; all that is wrong here is wrong by seconds.
const SLACK: Duration = Duration::from_millis(300);

#[tokio::test]
async fn is_unknown_after_a_panic_and_keeps_what_was_sent() {
    let mut server = serve().await;
    let connection = Connection::open(server.address, DEFAULT_WINDOW).await;
    let call = connection.download(&[]).await;
    let download = server.download().await;
    download.acts.send(Act::Send(b"before".to_vec())).await.unwrap();
    download.acts.send(Act::Panic).await.unwrap();
    let answer = call.answer().await.unwrap();
    assert!(!answer.headers.contains_key("grpc-status"), "the status is in the trailers");
    assert_eq!(answer.body, item("before"));
    assert_eq!(said(&answer.status), (Code::Unknown, "PANIC".to_owned()));
    assert_eq!(connection.echo("lives").await.unwrap().body, item("lives"));
}

#[tokio::test]
async fn is_deadline_exceeded_in_the_trailers_and_gives_the_handler_back() {
    let mut server = serve().await;
    let connection = Connection::open(server.address, DEFAULT_WINDOW).await;
    let began = Instant::now();
    let call = connection.download(&[("grpc-timeout", "200m")]).await;
    let download = server.download().await;
    download.acts.send(Act::Send(b"before".to_vec())).await.unwrap();
    let answer = call.answer().await.unwrap();
    let took = began.elapsed();
    assert_eq!(answer.body, item("before"));
    assert_eq!(said(&answer.status), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".to_owned()));
    assert!((Duration::from_millis(200)..Duration::from_millis(200) + SLACK).contains(&took), "{took:?}");
    assert!(download.acts.is_closed());
}

#[tokio::test]
async fn is_deadline_exceeded_for_each_stream_of_the_caller() {
    let server = serve().await;
    let connection = Connection::open(server.address, DEFAULT_WINDOW).await;
    for method in ["Upload", "Chat"] {
        let mut call = connection.call(method, &[("grpc-timeout", "100m")]).await.unwrap();
        call.items.send_data(item("and no more"), false).unwrap();
        let status = call.answer().await.unwrap().status;
        assert_eq!(said(&status), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".to_owned()), "{method}");
    }
}

#[tokio::test]
async fn keeps_its_deadline_while_its_caller_does_not_read() {
    let mut server = serve().await;
    // A window that the first item fills.
    let connection = Connection::open(server.address, 10).await;
    let call = connection.download(&[("grpc-timeout", "200m")]).await;
    let download = server.download().await;
    let began = Instant::now();
    let sends = async { while download.acts.send(Act::Send(vec![7; 100])).await.is_ok() {} };
    soon(sends).await;
    assert!(began.elapsed() < Duration::from_millis(200) + SLACK, "{:?}", began.elapsed());
    let answer = call.answer().await.unwrap();
    assert!(answer.body.starts_with(&item(vec![7; 100])));
    assert_eq!(said(&answer.status), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".to_owned()));
}

#[tokio::test]
async fn ends_for_its_handler_once_its_caller_has_cancelled() {
    let mut server = serve().await;
    let connection = Connection::open(server.address, DEFAULT_WINDOW).await;
    let call = connection.download(&[]).await;
    let download = server.download().await;
    let began = Instant::now();
    drop(call);
    soon(download.acts.closed()).await;
    assert!(began.elapsed() < Duration::from_millis(50) + SLACK, "{:?}", began.elapsed());

    let mut upload = connection.call("Upload", &[]).await.unwrap();
    let mut chat = connection.call("Chat", &[]).await.unwrap();
    for call in [&mut upload, &mut chat] {
        call.items.send_data(item("wait"), false).unwrap();
    }
    let (mut items, mut answers) = chat.begun().await;
    assert_eq!(answers.next().await.unwrap().unwrap(), item("wait"));
    // Now the handler of the other waits for nothing that its caller does.
    turns(&connection).await;
    let began = Instant::now();
    items.send_reset(h2::Reason::CANCEL);
    assert_eq!(soon(server.ended.recv()).await, Some("Chat"));
    drop(upload);
    assert_eq!(soon(server.ended.recv()).await, Some("Upload"));
    assert!(began.elapsed() < Duration::from_millis(50) + SLACK, "{:?}", began.elapsed());
}
