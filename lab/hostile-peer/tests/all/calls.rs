//! Several calls: now and then, at once, large, and while the behavior changes.

use std::{future::poll_fn, time::Duration};

use crate::support::{HEALTHY, HELLO, ask, seen};
use h2::client::{self, SendRequest};
use hostile_peer::{End, EventKind, Role, serve};
use http::Request;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    task::JoinHandle,
    time::{Instant, timeout},
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// HEADERS of stream 1 with END_STREAM and END_HEADERS, and an empty block.
const CALL: &[u8] = b"\0\0\0\x01\x05\0\0\0\x01";

fn role(behavior: &str) -> Role {
    Role::new(behavior.parse().unwrap())
}

/// A connection of that peer.
fn connect(role: &Role) -> (DuplexStream, JoinHandle<End>) {
    let (ours, theirs) = duplex(1 << 20);
    let role = role.clone();
    (ours, tokio::spawn(async move { serve(theirs, &role).await }))
}

/// An HTTP/2 connection of that peer; it has seen the peer's SETTINGS.
async fn connect_http2(role: &Role) -> (SendRequest<&'static [u8]>, JoinHandle<End>) {
    let (io, end) = connect(role);
    let (sender, connection) = client::Builder::new().handshake(io).await.unwrap();
    tokio::spawn(connection);
    // A paused clock only goes on when nobody has anything left to do.
    tokio::time::sleep(Duration::from_millis(1)).await;
    (sender, end)
}

/// How the peer ends a connection, which it must.
async fn ended(end: JoinHandle<End>) -> End {
    timeout(Duration::from_secs(100), end).await.unwrap().unwrap()
}

/// What the calls of one client see, each on a connection of its own.
async fn calls(role: &Role, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(seen(connect(role).0).await);
    }
    all
}

#[tokio::test(start_paused = true)]
async fn once_is_the_first_call_since_the_behavior_was_set() {
    let unavailable = "200 application/grpc grpc-status=14 grpc-message=on purpose";
    for (name, once) in
        [("goaway-once", "GOAWAY 0"), ("refuse-stream-once", "RST 7"), ("unavailable-once", unavailable)]
    {
        let role = role(name);
        assert_eq!(calls(&role, 3).await, [once, HEALTHY, HEALTHY], "{name}");
        role.behave(name.parse().unwrap());
        assert_eq!(calls(&role, 2).await, [once, HEALTHY], "{name} again");
        assert_eq!((role.calls(), role.connections()), (5, 5));
    }
}

#[tokio::test(start_paused = true)]
async fn a_flapping_peer_closes_on_every_nth_call_also_of_one_connection() {
    assert_eq!(calls(&role("flap-3"), 6).await, [HEALTHY, HEALTHY, "lost", HEALTHY, HEALTHY, "lost"]);
    let role = role("flap-2");
    let (mut sender, end) = connect_http2(&role).await;
    assert_eq!(ask(&mut sender, HELLO).await, HEALTHY);
    assert_eq!(ask(&mut sender, HELLO).await, "lost");
    assert_eq!(ended(end).await, End::Close);
}

#[tokio::test(start_paused = true)]
async fn a_slow_peer_answers_calls_side_by_side_after_its_time() {
    let role = role("slow-300ms");
    let (sender, _end) = connect_http2(&role).await;
    let from = Instant::now();
    let calls = (0..50).map(|_| {
        let mut sender = sender.clone();
        tokio::spawn(async move { ask(&mut sender, HELLO).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), HEALTHY);
        assert_eq!(from.elapsed(), Duration::from_millis(300));
    }
    assert_eq!((role.calls(), role.connections()), (50, 1));
}

#[tokio::test(start_paused = true)]
async fn settings_can_be_late() {
    let (mut io, _end) = connect(&role("settings-late"));
    io.write_all(&[PREFACE, CALL].concat()).await.unwrap();
    let from = Instant::now();
    io.read_u8().await.unwrap();
    assert_eq!(from.elapsed(), Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn a_message_larger_than_every_window_comes_back_whole() {
    let mut message = vec![0, 0, 0x0f, 0, 0];
    message.resize(5 + 0x0f_0000, b'x');
    let message: &'static [u8] = message.leak();
    let role = role("echo");
    let (mut sender, _end) = connect_http2(&role).await;
    assert_eq!(ask(&mut sender, message).await, "200 application/grpc · 983045 bytes · grpc-status=0");
}

#[tokio::test(start_paused = true)]
async fn a_connection_goes_on_with_the_next_behavior_on_its_next_call() {
    let role = role("echo");
    let (mut sender, end) = connect_http2(&role).await;
    for (name, expected) in [("rst-8-before-headers", "RST 8"), ("echo", HEALTHY)] {
        role.behave(name.parse().unwrap());
        assert_eq!(ask(&mut sender, HELLO).await, expected, "{name}");
    }
    assert_eq!(role.connections(), 1);
    role.behave("refuse".parse().unwrap());
    assert_eq!(ended(end).await, End::Close, "a peer that refuses has no connections");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_spoilt_is_closed_when_the_peer_is_healed() {
    for name in ["silent", "garbage", "http1-503", "tls-alert", "window-0", "streams-0"] {
        let role = role(name);
        let (_io, end) = connect(&role);
        assert_eq!(role.event().await.kind, EventKind::Connected);
        role.behave("echo".parse().unwrap());
        assert_eq!(ended(end).await, End::Close, "{name}");
        assert_eq!(role.event().await.kind, EventKind::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_of_0_lets_no_body_through() {
    let (mut sender, _end) = connect_http2(&role("window-0")).await;
    let request = Request::post("http://peer/echo.v1.EchoService/Echo").body(()).unwrap();
    let (_response, mut body) = sender.send_request(request, false).unwrap();
    body.reserve_capacity(1);
    assert!(timeout(Duration::from_secs(100), poll_fn(|context| body.poll_capacity(context))).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn no_streams_let_no_call_through() {
    let role = role("streams-0");
    let (mut sender, _end) = connect_http2(&role).await;
    assert_eq!(ask(&mut sender, HELLO).await, "stall");
    assert_eq!(role.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn goaway_names_the_last_stream_and_a_reset_comes_behind_the_answer() {
    let ok_then_reset = b"\x0bgrpc-status\x010\0\0\x04\x03\0\0\0\0\x01\0\0\0\x08";
    let table: [(&str, &[u8]); 5] = [
        ("goaway-0", b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        ("goaway-0-error-11", b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0b"),
        ("goaway-then-close", b"\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\0"),
        ("goaway-error-then-close", b"\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\x02"),
        ("answer-then-rst-8", ok_then_reset),
    ];
    for (name, ends) in table {
        let (mut io, _end) = connect(&role(name));
        io.write_all(&[PREFACE, CALL].concat()).await.unwrap();
        let mut heard = Vec::new();
        let _ = timeout(Duration::from_millis(1), io.read_to_end(&mut heard)).await;
        assert!(heard.ends_with(ends), "{name}: {}", heard.escape_ascii());
    }
}
