//! Streams and the end of their connection: the drain.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tonic::Code;

use crate::{
    caller::{Connection, DEFAULT_WINDOW, item},
    service::{Act, serve, serve_with},
};

#[tokio::test]
async fn lets_a_stream_go_on_in_a_drain_until_the_drain_timeout() {
    let drain_timeout = Duration::from_millis(500);
    let mut server = serve_with(|config| config.drain_timeout = drain_timeout, None).await;
    let connection = Connection::open(server.address, DEFAULT_WINDOW).await;
    let (_, mut answers) = connection.download(&[]).await.begun().await;
    let download = server.download().await;
    let began = Instant::now();
    server.shutdown.ask();
    download.draining.begun().await;
    sleep_until(began + drain_timeout / 2).await;
    download.acts.send(Act::Send(b"in the drain".to_vec())).await.unwrap();
    assert_eq!(answers.next().await.unwrap().unwrap(), item("in the drain"));
    assert!(answers.rest().await.is_err(), "it is cut");
    let took = began.elapsed();
    assert!((drain_timeout..drain_timeout + Duration::from_millis(300)).contains(&took), "{took:?}");
    server.served.await.unwrap().unwrap();
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
    server.served.await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}, and the drain timeout is 10 s", began.elapsed());
    handler.await.unwrap();
}
