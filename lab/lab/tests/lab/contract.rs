//! The rows of the contract that one question does not show: what happens again and again, what does not reach A, and what
//! reaches it.

use std::time::{Duration, Instant};

use hostile_peer::{EventKind, Peer};
use lab::{
    child::Child,
    failures::{CallOutcome, Face, Question},
    program::Program,
};
use tokio::time::timeout;

const HELLO: Question = Question { msg: "hello", timeout: None };
/// What a loaded 2-core machine adds to the contract's bounds.
const SLACK: Duration = Duration::from_millis(400);

async fn b_before(peer: &Peer, flags: &[&str]) -> Child {
    let program = Program::at(env!("CARGO_BIN_EXE_lab")).with_defaults();
    let to = ["--listen", "127.0.0.1:0", "--service-a", &peer.url()];
    Child::start(&program, "service-b", &[&to, flags].concat()).await.unwrap()
}

/// Asks on both faces.
async fn asked(b: &Child, question: Question) -> [CallOutcome; 2] {
    let ask = |face| question.ask(b.address(), face, None);
    [ask(Face::Grpc).await.unwrap(), ask(Face::Json).await.unwrap()]
}

#[track_caller]
fn is(seen: &CallOutcome, code: &str, http: u16, reason: &str) {
    assert_eq!((seen.code.as_str(), seen.http.unwrap_or(http), seen.reason.as_str()), (code, http, reason), "{seen}");
}

#[tokio::test]
async fn row_1_is_told_at_once_every_time_while_b_backs_off() {
    let peer = Peer::start("refuse").unwrap();
    let b = b_before(&peer, &[]).await;
    let mut latencies = Vec::new();
    for _ in 0..20 {
        for seen in asked(&b, HELLO).await {
            is(&seen, "UNAVAILABLE", 503, "SERVICE_A_UNREACHABLE");
            assert_eq!((seen.text.as_str(), seen.pushback), ("Service A is unavailable: cannot connect", None));
            latencies.push(seen.took);
        }
    }
    latencies.sort();
    // The contract's 5 ms are the median of 20 calls or more; this adds the caller's connect, and other tests' load.
    assert!(latencies[latencies.len() / 2] < Duration::from_millis(50), "{latencies:?}");
}

#[tokio::test]
async fn rows_7_14_and_21_ask_not_to_be_retried_where_that_would_make_it_worse() {
    for (name, pushback) in [
        ("stall", Some("-1")),
        ("http-429-html", Some("-1")),
        ("status-8", Some("-1")),
        ("rst-11-before-headers", Some("-1")),
        ("http-503-html", None),
        ("status-14", None),
        ("close-before-headers", None),
    ] {
        let peer = Peer::start(name).unwrap();
        let b = b_before(&peer, &["--service-a-timeout", "200ms"]).await;
        for seen in asked(&b, HELLO).await {
            let told = seen.pushback.as_deref();
            // gRPC's own header; a JSON caller gets `retry-after` where a retry makes sense.
            assert!(told == pushback || (seen.http.is_some() && told.is_none()), "{name}: {seen} {told:?}");
        }
    }
}

#[tokio::test]
async fn tries_as_often_as_the_contract_says_and_tells_how_often() {
    // A transparent retry where A did not process the call, and two more where retries make sense. A connection that does not
    // last is replaced at once only once: a retry that finds none is no attempt.
    for (name, with_retries, without) in [
        ("goaway-0", 2..=4, 2),
        ("rst-7-before-headers", 4..=4, 2),
        ("close-before-headers", 2..=3, 1),
        ("half-message-then-reset", 2..=3, 1),
        ("http-503-html", 3..=3, 1),
        ("status-14", 3..=3, 1),
        ("pushback-0", 3..=3, 1),
        ("pushback-negative", 1..=1, 1),
        ("pushback-abc", 1..=1, 1),
        ("http-429-html", 1..=1, 1),
        ("status-8", 1..=1, 1),
        ("status-5", 1..=1, 1),
        ("rst-2-before-headers", 1..=1, 1),
        ("rst-8-before-headers", 1..=1, 1),
        ("two-messages", 1..=1, 1),
        ("stall", 1..=1, 1),
    ] {
        for (attempts, flag) in [(with_retries, "--retry-attempts=3"), (without..=without, "--retry-attempts=1")] {
            for face in [Face::Grpc, Face::Json] {
                let peer = Peer::start(name).unwrap();
                let b = b_before(&peer, &["--workers=1", "--service-a-timeout=500ms", flag]).await;
                let seen = HELLO.ask(b.address(), face, None).await.unwrap();
                assert!(attempts.contains(&peer.calls()), "{name} {flag}, {face}: {} calls, {seen}", peer.calls());
                // Over HTTP nobody is told.
                let told = seen.attempts.map_or(peer.calls(), |told| told as usize);
                assert_eq!(told, peer.calls(), "{name} {flag}: {seen}");
            }
        }
    }
}

#[tokio::test]
async fn tells_a_how_many_attempts_went_before() {
    let program = Program::at(env!("CARGO_BIN_EXE_lab")).with_defaults();
    let a = Child::start(&program, "service-a", &["--listen", "127.0.0.1:0", "--fault-injection"]).await.unwrap();
    let b = Child::start(&program, "service-b", &["--listen", "127.0.0.1:0", "--service-a", &a.url()]).await.unwrap();
    // A counts by `grpc-previous-rpc-attempts`: B's third attempt is its second retry, and there is no third.
    for (behavior, code) in [("succeed-on-retry-attempt-2", "OK"), ("succeed-on-retry-attempt-3", "UNAVAILABLE")] {
        for face in [Face::Grpc, Face::Json] {
            let seen = HELLO.ask(b.address(), face, Some(behavior)).await.unwrap();
            assert_eq!(seen.code, code, "{behavior}, {face}: {seen}");
        }
    }
}

#[tokio::test]
async fn row_23_tells_as_own_code_and_its_number_where_it_has_no_name() {
    for (name, code) in [("status-5", "NOT_FOUND"), ("status-16", "UNAUTHENTICATED"), ("status-99", "99")] {
        let peer = Peer::start(name).unwrap();
        let b = b_before(&peer, &[]).await;
        for seen in asked(&b, HELLO).await {
            is(&seen, "INTERNAL", 500, "SERVICE_A_ERROR");
            assert_eq!((seen.details.as_deref(), seen.text.as_str()), (Some(code), "Service A answered with an error"));
        }
    }
}

#[tokio::test]
async fn row_25_does_not_call_a_for_an_empty_message() {
    let peer = Peer::start("echo").unwrap();
    let b = b_before(&peer, &[]).await;
    for seen in asked(&b, Question { msg: "", timeout: None }).await {
        is(&seen, "INVALID_ARGUMENT", 400, "MSG_REQUIRED");
        assert_eq!(seen.text, "Missing 'msg' parameter");
    }
    assert_eq!(peer.calls(), 0);
}

#[tokio::test]
async fn row_27_does_not_call_a_for_a_caller_whose_time_is_up() {
    let peer = Peer::start("echo").unwrap();
    let b = b_before(&peer, &[]).await;
    for timeout in ["0n", "1n", "4m"] {
        for seen in asked(&b, Question { msg: "hello", timeout: Some(timeout) }).await {
            is(&seen, "DEADLINE_EXCEEDED", 504, "DEADLINE_EXCEEDED");
            assert_eq!(seen.text, "The deadline passed before Service A answered");
        }
    }
    assert_eq!(peer.calls(), 0);
}

#[tokio::test]
async fn a_malformed_timeout_is_refused_on_both_faces() {
    let peer = Peer::start("echo").unwrap();
    let b = b_before(&peer, &[]).await;
    for timeout in ["abc", "-1S", "+100m", "999999999S", "100X"] {
        for seen in asked(&b, Question { msg: "hello", timeout: Some(timeout) }).await {
            is(&seen, "INTERNAL", 500, "BAD_TIMEOUT");
        }
    }
}

#[tokio::test]
async fn row_29_cancels_the_call_to_a_when_its_caller_leaves() {
    let peer = Peer::start("stall").unwrap();
    let b = b_before(&peer, &["--service-a-timeout", "60s"]).await;
    for face in [Face::Grpc, Face::Json].repeat(10) {
        let call = tokio::spawn(HELLO.ask(b.address(), face, None));
        sees(&peer, |kind| matches!(kind, EventKind::Called { .. })).await;
        let left = Instant::now();
        call.abort();
        let cancelled = sees(&peer, |kind| *kind == EventKind::Cancelled).await;
        let after = cancelled.saturating_duration_since(left);
        assert!(after <= Duration::from_millis(50) + SLACK, "{face:?}: {after:?}");
    }
}

/// When the peer sees that, which must be soon.
async fn sees(peer: &Peer, what: impl Fn(&EventKind) -> bool) -> Instant {
    let seen = async {
        loop {
            let event = peer.event().await;
            if what(&event.kind) {
                return event.at;
            }
        }
    };
    timeout(Duration::from_secs(10), seen).await.unwrap()
}

#[tokio::test]
async fn row_12_connects_at_most_eighty_times_a_minute_to_a_peer_that_only_closes() {
    let peer = Peer::start("settings-then-close").unwrap();
    let b = b_before(&peer, &["--workers", "1"]).await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(6) {
        for seen in asked(&b, HELLO).await {
            assert_eq!((seen.code.as_str(), seen.http.unwrap_or(503)), ("UNAVAILABLE", 503), "{seen}");
        }
    }
    // The first and its immediate second, then pauses of 200, 320, 512, 819 and 1000 ms, each 20 % shorter at the least.
    assert!((4..=10).contains(&peer.connections()), "{} connections in 6 s", peer.connections());
}
