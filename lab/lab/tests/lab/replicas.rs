//! Every row of the contract with two replicas of A, one of them well: what a caller of B still notices, and who was asked.

use std::ops::RangeInclusive;

use futures_util::future::join_all;
use hostile_peer::Peer;
use lab::{
    child::{Child, line_with},
    failures::{CallOutcome, Face, Question},
    http::{self, Ask},
    program::Program,
};

const HELLO: Question = Question { msg: "hello", timeout: None };
const CALLS: usize = 40;
/// The number of failures in a row after which a replica gets no more calls.
const EJECTED: RangeInclusive<usize> = 5..=5;
/// A connection that is closed early is not replaced at once for ever, so that there are fewer calls to fail.
const EJECTED_OR_AWAY: RangeInclusive<usize> = 1..=5;
/// Calls go to both in turn, and what failed here is no reason to go elsewhere.
const HALF: RangeInclusive<usize> = 18..=22;

const RETRIES: &str = "--retry-attempts=3";
const NO_RETRIES: &str = "--retry-attempts=1";
const BOTH: [&str; 2] = [RETRIES, NO_RETRIES];

/// One B of one worker, and before it a replica that is sick and one that is well.
struct Replicas {
    sick: Peer,
    well: Peer,
    b: Child,
}

impl Replicas {
    /// B runs, and the one that is well is ready.
    async fn set(sick: &str, flag: &str) -> Self {
        let (sick, well) = (Peer::start(sick).unwrap(), Peer::start("echo").unwrap());
        let mut b = b_before(&[&sick.url(), &well.url()], &["--workers=1", "--service-a-timeout=200ms", flag]).await;
        line_with(&mut b.log(), &format!("url={}", well.url())).await.unwrap();
        Replicas { sick, well, b }
    }

    /// The calls that failed, of forty made one after the other.
    async fn failed(&self, face: Face) -> Vec<CallOutcome> {
        let mut failed = Vec::new();
        for _ in 0..CALLS {
            let seen = HELLO.ask(self.b.address(), face, None).await.unwrap();
            if seen.code != "OK" {
                failed.push(seen);
            }
        }
        failed
    }
}

async fn b_before(replicas: &[&str], flags: &[&str]) -> Child {
    let program = Program::at(env!("CARGO_BIN_EXE_lab")).with_defaults();
    let to = ["--listen", "127.0.0.1:0", "--service-a", &replicas.join(",")];
    Child::start(&program, "service-b", &[&to, flags].concat()).await.unwrap()
}

/// Whatever the sick replica does, no caller notices; it is asked so often, and the other one answers every call.
async fn nobody_notices(sick: &str, flags: &[&str], asked: RangeInclusive<usize>) {
    for flag in flags {
        for face in [Face::Grpc, Face::Json] {
            let replicas = Replicas::set(sick, flag).await;
            let failed = replicas.failed(face).await;
            assert!(failed.is_empty(), "{sick} {flag}: {} failed, {}", failed.len(), failed[0]);
            let calls = (replicas.sick.calls(), replicas.well.calls());
            assert!(asked.contains(&calls.0) && calls.1 == CALLS, "{sick} {flag}, {face}: {calls:?} calls");
        }
    }
}

/// `how_many` callers get the code and the reason of the sick replica's row, one for each call that it got.
async fn some_notice(sick: &str, flags: &[&str], (code, reason): (&str, &str), how_many: RangeInclusive<usize>) {
    for flag in flags {
        for face in [Face::Grpc, Face::Json] {
            let replicas = Replicas::set(sick, flag).await;
            let failed = replicas.failed(face).await;
            for seen in &failed {
                assert_eq!((seen.code.as_str(), seen.reason.as_str()), (code, reason), "{sick} {flag}: {seen}");
            }
            assert!(how_many.contains(&failed.len()), "{sick} {flag}, {face}: {} failed", failed.len());
            let calls = (replicas.sick.calls(), replicas.well.calls());
            assert_eq!(calls, (failed.len(), CALLS - failed.len()), "{sick} {flag}, {face}");
        }
    }
}

#[tokio::test]
async fn rows_1_10_and_13_are_ok_for_no_call_goes_where_nobody_is_ready() {
    for sick in ["refuse", "vanish", "silent", "close-on-accept", "reset-after-preface", "http1-400", "garbage"] {
        nobody_notices(sick, &BOTH, 0..=0).await;
    }
}

#[tokio::test]
async fn row_4_is_ok_for_the_call_is_made_again_elsewhere_with_retries_or_without() {
    nobody_notices("goaway-0", &BOTH, 1..=*HALF.end()).await;
    // It says nothing against the replica, which gets its share, and not more than that.
    nobody_notices("rst-7-before-headers", &BOTH, HALF).await;
}

#[tokio::test]
async fn row_4_is_ok_also_where_the_replica_that_is_well_has_more_to_do() {
    let replicas = Replicas::set("rst-7-before-headers", NO_RETRIES).await;
    replicas.well.behave("slow-50ms").unwrap();
    let calls = (0..CALLS).map(|_| HELLO.ask(replicas.b.address(), Face::Grpc, None));
    for seen in join_all(calls).await {
        let seen = seen.unwrap();
        assert_eq!(seen.code, "OK", "{seen}");
    }
    assert!(replicas.sick.calls() > 0, "it was asked first now and then");
}

#[tokio::test]
async fn rows_5_and_6_are_ok_with_retries() {
    for sick in ["close-before-headers", "reset-before-headers", "half-message-then-close"] {
        nobody_notices(sick, &[RETRIES], EJECTED_OR_AWAY).await;
    }
}

#[tokio::test]
async fn rows_14_and_20_are_ok_with_retries() {
    for sick in ["http-503-html", "status-14", "pushback-20"] {
        nobody_notices(sick, &[RETRIES], EJECTED).await;
    }
}

#[tokio::test]
async fn rows_5_and_6_cost_a_few_calls_without_retries() {
    for sick in ["close-before-headers", "reset-before-headers", "half-message-then-close"] {
        some_notice(sick, &[NO_RETRIES], ("UNAVAILABLE", "SERVICE_A_CONNECTION_LOST"), EJECTED_OR_AWAY).await;
    }
}

#[tokio::test]
async fn rows_14_and_20_cost_five_calls_without_retries() {
    some_notice("http-503-html", &[NO_RETRIES], ("UNAVAILABLE", "SERVICE_A_UNREACHABLE"), EJECTED).await;
    for sick in ["status-14", "pushback-20"] {
        some_notice(sick, &[NO_RETRIES], ("UNAVAILABLE", "SERVICE_A_UNAVAILABLE"), EJECTED).await;
    }
}

#[tokio::test]
async fn rows_7_14_and_19_cost_five_calls_where_a_retry_would_make_it_worse() {
    for sick in ["stall", "headers-then-stall"] {
        some_notice(sick, &BOTH, ("UNAVAILABLE", "SERVICE_A_TIMEOUT"), EJECTED).await;
    }
    some_notice("http-429-html", &BOTH, ("UNAVAILABLE", "SERVICE_A_UNREACHABLE"), EJECTED).await;
    some_notice("pushback-negative", &BOTH, ("UNAVAILABLE", "SERVICE_A_UNAVAILABLE"), EJECTED).await;
}

#[tokio::test]
async fn rows_15_to_18_and_21_to_23_cost_a_replicas_share() {
    for (sick, told) in [
        ("http-200-html", ("INTERNAL", "SERVICE_A_NOT_GRPC")),
        ("rst-2-before-headers", ("INTERNAL", "SERVICE_A_BROKEN")),
        ("rst-8-before-headers", ("UNAVAILABLE", "SERVICE_A_CONNECTION_LOST")),
        ("no-status", ("INTERNAL", "SERVICE_A_BROKEN")),
        ("two-messages", ("INTERNAL", "SERVICE_A_BROKEN")),
        ("status-8", ("RESOURCE_EXHAUSTED", "SERVICE_A_OVERLOADED")),
        ("status-1", ("UNAVAILABLE", "SERVICE_A_UNAVAILABLE")),
        ("status-5", ("INTERNAL", "SERVICE_A_ERROR")),
    ] {
        some_notice(sick, &BOTH, told, HALF).await;
    }
}

#[tokio::test]
async fn row_2_fails_no_call_when_an_idle_replica_is_stopped() {
    let program = Program::at(env!("CARGO_BIN_EXE_lab")).with_defaults();
    let a = async || Child::start(&program, "service-a", &["--listen", "127.0.0.1:0"]).await.unwrap();
    let (mut stopped, other) = (a().await, a().await);
    let b = b_before(&[&stopped.url(), &other.url()], &[]).await;
    let call_echo = async || http::ask_every_worker(b.address(), &Ask::get("/call-echo?msg=hello")).await;
    call_echo().await;
    stopped.terminate().unwrap();
    let mut gone = false;
    while !gone {
        gone =
            stopped.pid().is_none() || tokio::time::timeout(std::time::Duration::ZERO, stopped.exited()).await.is_ok();
        for answer in call_echo().await {
            let answer = answer.unwrap();
            assert_eq!(answer.status, 200, "{answer}");
        }
    }
}
