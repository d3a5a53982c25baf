//! Peers without a call: they are told, where they can be, and hold the exit back 250 ms at the most.

use std::time::Duration;

use hostile_peer::frame::PREFACE;
use lab::{
    http::{self, Ask},
    raw::{ConnectionConfig, Plain, closed},
    watch::Watch,
};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use crate::drains::support::{ENDS_WITHIN, IDLE, SLACK, on_each};

#[tokio::test]
async fn idle_connections_are_closed() {
    on_each(&[], async |process| {
        let mut http2 = process.call(ConnectionConfig::DEFAULT, "sleep-0").await;
        http2.answered().await.unwrap();
        let mut http1 = Plain::connect(process.address()).await.unwrap();
        http1.ask(process.child.name(), "hello", "").await.unwrap();
        assert!(!http1.answer().await.unwrap().says_close());
        let signalled = process.signal();
        let (http2, http1) = tokio::join!(http2.ended(ENDS_WITHIN), http1.closed());
        assert!(http2.closed && !http2.goaways.is_empty(), "{http2:?}");
        http1.unwrap();
        process.exits_soon_after(signalled).await;
    })
    .await;
}

#[tokio::test]
async fn an_open_watch_is_told_and_ended() {
    on_each(&[], async |process| {
        let watch = Watch::open(process.address()).await.unwrap();
        let signalled = process.signal();
        let told = watch.end().await;
        assert!(told.is_drained(), "{told:?}");
        process.exits_soon_after(signalled).await;
    })
    .await;
}

#[tokio::test]
async fn peers_that_say_nothing_or_not_enough_are_closed() {
    let unfinished_headers =
        [PREFACE, &[0, 0, 0, 4, 0, 0, 0, 0, 0], &[0, 0, 4, 1, 0, 0, 0, 0, 1, 0, 1, b'x', 1]].concat();
    on_each(&[], async |process| {
        let mut peers = Vec::new();
        for said in [b"", &PREFACE[..10], PREFACE, b"GET /echo HTTP/1.1\r\nhost:", &unfinished_headers] {
            let mut peer = TcpStream::connect(process.address()).await.unwrap();
            peer.write_all(said).await.unwrap();
            peers.push(peer);
        }
        let signalled = process.signal();
        for peer in peers {
            closed(peer).await.unwrap();
        }
        process.exits_soon_after(signalled).await;
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_goes_250_ms_after_its_last_call() {
    on_each(&[], async |process| {
        let deaf = process.call(ConnectionConfig::WITHOUT_PING_ACKS, "sleep-1").await;
        let signalled = process.signal();
        let ended = deaf.ended(ENDS_WITHIN).await;
        let answered = ended.last_answer().unwrap();
        assert!(ended.calls[0].is_whole(), "{ended:?}");
        assert!(answered - signalled >= Duration::from_millis(500), "it was in flight");
        let kept = ended.at - answered;
        assert!(ended.closed && kept <= IDLE + SLACK, "{kept:?}");
        process.exits_soon_after(answered).await;
    })
    .await;
}

#[tokio::test]
async fn new_connections_are_refused() {
    on_each(&[], async |mut process| {
        let call = process.call(ConnectionConfig::DEFAULT, "sleep-1").await;
        process.signal();
        process.drains().await;
        // The listener goes right after that line; the queue may still take a connection, but nobody serves it.
        let refused = async {
            while TcpStream::connect(process.address()).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        // Long before the call is over: a process that has ended refuses everybody.
        timeout(SLACK, refused).await.expect("new connections are refused");
        assert!(call.ended(ENDS_WITHIN).await.calls[0].is_whole());
        process.exits(0).await;
    })
    .await;
}

#[tokio::test]
async fn a_lame_duck_says_not_serving_and_still_serves() {
    const LAME_DUCK: Duration = Duration::from_secs(2);
    on_each(&["--lame-duck", "2s"], async |mut process| {
        let watch = Watch::open(process.address()).await.unwrap();
        let signalled = process.signal();
        process.drains().await;
        let told = watch.end().await;
        assert!(told.is_drained() && told.end.unwrap().1 - signalled < LAME_DUCK, "{told:?}");
        let health = http::ask(process.address(), &Ask::get("/health")).await.unwrap();
        assert_eq!((health.status, health.body.as_str()), (503, r#"{"status":"not_serving"}"#));
        let line = process.logs("endpoint=/health").await;
        assert!(line.contains(" code=OK http=503 "), "{line}");
        let mut newcomer = process.call(ConnectionConfig::DEFAULT, "sleep-0").await;
        newcomer.answered().await.unwrap();
        assert!(!newcomer.is_told_to_go());
        let ended = newcomer.ended(ENDS_WITHIN).await;
        assert!(ended.closed && ended.at - signalled >= LAME_DUCK, "{ended:?}");
        process.exits_soon_after(signalled + LAME_DUCK).await;
    })
    .await;
}
