//! Streams and the end of their connection: its age, and the drain.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tonic::Code;

use crate::{
    caller::{Call, Connection, DEFAULT_WINDOW, item, soon, turns},
    service::{Act, Running, serve, serve_with},
};

#[tokio::test]
async fn lets_an_open_stream_of_each_kind_finish_when_its_connection_is_old() {
    let (age, grace) = (Duration::from_millis(500), Duration::from_millis(100));
    let configured = serve_with(
        |config| {
            config.max_connection_age = age;
            config.drain_timeout = grace;
        },
        None,
    );
    let mut server = configured.await;
    let began = Instant::now();
    let (down_connection, down) = old_with_a_stream(&server, "Download").await;
    let (up_connection, mut up) = old_with_a_stream(&server, "Upload").await;
    let (chat_connection, mut chat) = old_with_a_stream(&server, "Chat").await;
    let download = server.download().await;
    for old in [&down_connection, &up_connection, &chat_connection] {
        let refused = call_until_refused(old).await;
        assert!(refused.is_go_away() && refused.reason() == Some(h2::Reason::NO_ERROR), "{refused:?}");
    }
    let new = Connection::open(server.address, DEFAULT_WINDOW).await;
    assert_eq!(new.echo("new").await.unwrap().body, item("new"));

    // The age may be a tenth more; then the grace is over, and so is a quarter of a second without a call.
    sleep_until(began + age.mul_f64(1.1) + grace + Duration::from_millis(500)).await;
    download.acts.send(Act::Send(vec![7; 100])).await.unwrap();
    drop(download);
    // The handler's stream is over, and its caller reads a little later: until then most of the item waits in the server.
    turns(&Connection::open(serve().await.address, DEFAULT_WINDOW).await).await;
    let down = down.answer().await.unwrap();
    assert_eq!((down.body, down.status.code()), (item(vec![7; 100]), Code::Ok));
    up.items.send_data(item("two"), true).unwrap();
    assert_eq!(up.answer().await.unwrap().body, item("2"));
    chat.items.send_data(item("two"), true).unwrap();
    assert_eq!(chat.answer().await.unwrap().body, [item("one"), item("two")].concat());
    for old in [down_connection, up_connection, chat_connection] {
        soon(old.over).await.unwrap().unwrap();
    }
}

/// A connection with an open stream that has brought one item.
async fn old_with_a_stream(server: &Running, method: &str) -> (Connection, Call) {
    let window = if method == "Download" { 10 } else { DEFAULT_WINDOW };
    let connection = Connection::open(server.address, window).await;
    let mut call = connection.call(method, &[]).await.unwrap();
    call.items.send_data(item("one"), method == "Download").unwrap();
    (connection, call)
}

/// Makes calls, each of them OK, until the connection takes no more.
async fn call_until_refused(connection: &Connection) -> h2::Error {
    loop {
        match connection.echo("still").await {
            Ok(answer) => assert_eq!(answer.status.code(), Code::Ok),
            Err(error) => return error,
        }
    }
}

#[tokio::test]
async fn lets_a_stream_go_on_in_a_drain_until_the_drain_timeout() {
    let drain_timeout = Duration::from_millis(500);
    let mut server = serve_with(|config| config.drain_timeout = drain_timeout, None).await;
    let connection = Connection::open(server.address, DEFAULT_WINDOW).await;
    let (_, mut answers) = connection.download(&[]).await.begun().await;
    let download = server.download().await;
    let began = Instant::now();
    server.shutdown.ask();
    soon(download.draining.begun()).await;
    sleep_until(began + drain_timeout / 2).await;
    download.acts.send(Act::Send(b"in the drain".to_vec())).await.unwrap();
    assert_eq!(answers.next().await.unwrap().unwrap(), item("in the drain"));
    assert!(answers.rest().await.is_err(), "it is cut");
    let took = began.elapsed();
    assert!((drain_timeout..drain_timeout + Duration::from_millis(300)).contains(&took), "{took:?}");
    soon(server.served).await.unwrap().unwrap();
    assert!(download.acts.is_closed());
}

#[tokio::test]
async fn ends_a_drain_with_the_last_stream_whose_handler_sees_the_drain_begin() {
    let mut server = serve().await;
    let connection = Connection::open(server.address, DEFAULT_WINDOW).await;
    let call = connection.download(&[]).await;
    let download = server.download().await;
    let handler = tokio::spawn(async move {
        download.draining.begun().await;
        download.acts.send(Act::Send(b"goodbye".to_vec())).await.unwrap();
    });
    let began = Instant::now();
    server.shutdown.ask();
    let answer = call.answer().await.unwrap();
    assert_eq!((answer.body, answer.status.code()), (item("goodbye"), Code::Ok));
    soon(server.served).await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}, and the drain timeout is 10 s", began.elapsed());
    handler.await.unwrap();
}
