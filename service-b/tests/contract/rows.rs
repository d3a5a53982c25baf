//! The rows of the failure contract that one A is enough for: B as a real process, asked on both of its faces, in front of
//! an A that misbehaves on purpose. The rows that need A's own signals stand in the lab's tests.

use std::{
    net::TcpListener,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use crate::support::{
    B,
    peer::{Behaviour, Event, Peer},
};

const CAP: Duration = Duration::from_millis(600);
const SHORT: Duration = Duration::from_millis(300);

/// B in front of a peer, with a cap that is short enough to wait for.
fn b_before(peer: &Peer) -> B {
    B::start(&peer.address, &["--service-a-timeout", "600ms"])
}

/// An address where nobody listens.
fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn row_1_says_unreachable_at_once_while_nobody_listens() {
    let b = B::start(&nobody(), &[]);
    let mut latencies = Vec::new();
    for _ in 0..20 {
        for answer in b.both("hello", None).await {
            answer.is("UNAVAILABLE", 503, "SERVICE_A_UNREACHABLE", Duration::from_millis(50));
            assert_eq!(answer.text, "Service A is unavailable: cannot connect");
            latencies.push(answer.after);
        }
    }
    latencies.sort();
    // The contract's 5 ms while B backs off is the median of 20 calls or more; this adds the connect of the caller.
    assert!(latencies[latencies.len() / 2] < Duration::from_millis(50), "{latencies:?}");
}

#[tokio::test]
async fn row_5_says_connection_lost_when_it_is_closed_before_the_headers() {
    let peer = Peer::start(Behaviour::Close);
    let b = b_before(&peer);
    b.call("hello", None).await.is("UNAVAILABLE", 503, "SERVICE_A_CONNECTION_LOST", Duration::from_millis(50));
    let b = b_before(&peer);
    b.get("hello", None).is("UNAVAILABLE", 503, "SERVICE_A_CONNECTION_LOST", Duration::from_millis(50));
}

#[tokio::test]
async fn row_5_says_connection_lost_when_it_is_reset_before_the_headers() {
    let peer = Peer::start(Behaviour::Reset);
    let b = b_before(&peer);
    b.call("hello", None).await.is("UNAVAILABLE", 503, "SERVICE_A_CONNECTION_LOST", Duration::from_millis(50));
    let b = b_before(&peer);
    b.get("hello", None).is("UNAVAILABLE", 503, "SERVICE_A_CONNECTION_LOST", Duration::from_millis(50));
}

#[tokio::test]
async fn row_6_says_connection_lost_when_it_is_cut_in_the_middle_of_the_answer() {
    let peer = Peer::start(Behaviour::HalfMessageThenClose);
    let b = b_before(&peer);
    b.call("hello", None).await.is("UNAVAILABLE", 503, "SERVICE_A_CONNECTION_LOST", Duration::from_millis(50));
    let b = b_before(&peer);
    b.get("hello", None).is("UNAVAILABLE", 503, "SERVICE_A_CONNECTION_LOST", Duration::from_millis(50));
}

#[tokio::test]
async fn row_7_says_unavailable_when_its_own_cap_runs_out_first() {
    let b = b_before(&Peer::start(Behaviour::Stall));
    for answer in b.both("hello", Some("5S")).await {
        answer.is("UNAVAILABLE", 503, "SERVICE_A_TIMEOUT", CAP);
        assert!(answer.after >= CAP, "{answer:?}");
    }
}

#[tokio::test]
async fn row_8_says_deadline_exceeded_when_the_callers_deadline_passes_first() {
    let b = b_before(&Peer::start(Behaviour::Stall));
    for answer in b.both("hello", Some("300m")).await {
        answer.is("DEADLINE_EXCEEDED", 504, "DEADLINE_EXCEEDED", SHORT);
        assert!(answer.after >= SHORT - Duration::from_millis(10), "{answer:?}");
    }
}

#[tokio::test]
async fn row_19_never_hangs_on_a_peer_that_stalls_after_its_headers() {
    let b = b_before(&Peer::start(Behaviour::HeadersThenStall));
    for answer in b.both("hello", Some("5S")).await {
        answer.is("UNAVAILABLE", 503, "SERVICE_A_TIMEOUT", CAP);
    }
    for answer in b.both("hello", Some("300m")).await {
        answer.is("DEADLINE_EXCEEDED", 504, "DEADLINE_EXCEEDED", SHORT);
    }
}

#[tokio::test]
async fn row_25_refuses_an_empty_message_without_calling_a() {
    let peer = Peer::start(Behaviour::Stall);
    let b = b_before(&peer);
    for answer in b.both("", None).await {
        answer.is("INVALID_ARGUMENT", 400, "MSG_REQUIRED", Duration::ZERO);
        assert_eq!(answer.text, "Missing 'msg' parameter");
    }
    assert_eq!(peer.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn row_27_does_not_call_a_for_a_caller_whose_time_is_up() {
    let peer = Peer::start(Behaviour::Stall);
    let b = b_before(&peer);
    for timeout in ["0n", "1n", "4m"] {
        for answer in b.both("hello", Some(timeout)).await {
            answer.is("DEADLINE_EXCEEDED", 504, "DEADLINE_EXCEEDED", Duration::from_millis(5));
            assert_eq!(answer.text, "The deadline passed before Service A answered");
        }
    }
    assert_eq!(peer.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn row_28_caps_a_caller_without_a_deadline() {
    let b = b_before(&Peer::start(Behaviour::Stall));
    for answer in b.both("hello", None).await {
        answer.is("UNAVAILABLE", 503, "SERVICE_A_TIMEOUT", CAP);
    }
}

#[tokio::test]
async fn row_29_cancels_the_call_to_a_when_its_caller_cancels() {
    let mut peer = Peer::start(Behaviour::Stall);
    let b = B::start(&peer.address, &["--service-a-timeout", "60s"]);
    for _ in 0..10 {
        tokio::select! {
            answer = b.call("hello", None) => panic!("answered: {answer:?}"),
            (event, _) = peer.event() => assert_eq!(event, Event::Called),
        }
        sees_the_cancel(&mut peer).await;
        let waiting = b.send_get("hello", None);
        assert_eq!(peer.event().await.0, Event::Called);
        drop(waiting);
        sees_the_cancel(&mut peer).await;
    }
}

async fn sees_the_cancel(peer: &mut Peer) {
    let cancelled = Instant::now();
    let (event, at) = peer.event().await;
    assert_eq!(event, Event::Cancelled);
    assert!(at.duration_since(cancelled) <= Duration::from_millis(50) + crate::support::SLACK);
}

#[tokio::test]
async fn refuses_a_malformed_timeout() {
    let b = b_before(&Peer::start(Behaviour::Stall));
    for timeout in ["abc", "-1S", "+100m", "999999999S", "100X"] {
        for answer in b.both("hello", Some(timeout)).await {
            answer.is("INTERNAL", 500, "BAD_TIMEOUT", Duration::ZERO);
        }
    }
}

#[tokio::test]
async fn row_12_connects_at_most_eighty_times_a_minute_to_a_peer_that_only_closes() {
    let peer = Peer::start(Behaviour::Flap);
    let b = B::start(&peer.address, &["--workers", "1"]);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(6) {
        for answer in b.both("hello", None).await {
            assert_eq!((answer.code.as_str(), answer.http.unwrap_or(503)), ("UNAVAILABLE", 503), "{answer:?}");
        }
    }
    let connections = peer.connections.load(Ordering::SeqCst);
    // The first and its immediate second, then pauses of 200, 320, 512, 819 and 1000 ms, each 20 % shorter at the least.
    assert!((4..=10).contains(&connections), "{connections} connections in 6 s");
}
