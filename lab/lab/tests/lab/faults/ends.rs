//! A fault ends with its call: by the deadline, by the caller's cancel, by the end of a drain.

use std::time::Duration;

use lab::child::{Child, line_with};

use crate::faults::support::{Caller, OBEYS, a, b};

/// One call at a time: a second is refused for as long as the first is in flight, which tells from outside when it is.
const ONE: [&str; 3] = [OBEYS, "--max-concurrent-calls", "1"];
const OK: i32 = 0;
const RESOURCE_EXHAUSTED: i32 = 8;
const KEEP_OPEN: [(&str, &str); 1] = [("rpc-behavior", "keep-open")];

#[tokio::test]
async fn ends_with_the_callers_deadline() {
    let a = a(&[OBEYS]).await;
    for behavior in ["sleep-3", "keep-open", "sleep-50ms, sleep-3600"] {
        for answer in Caller::of(&a).both(&[("rpc-behavior", behavior), ("grpc-timeout", "200m")]).await {
            answer.is(4, "DEADLINE_EXCEEDED", Duration::from_millis(200));
            assert_eq!(answer.http.unwrap_or(504), 504);
        }
    }
}

#[tokio::test]
async fn ends_with_bs_own_cap_where_the_caller_has_more_time() {
    let a = a(&[OBEYS]).await;
    let b = b(&a, &["--service-a-timeout", "300ms"]).await;
    for answer in Caller::of(&b).asks("keep-open").await {
        answer.is(14, "SERVICE_A_TIMEOUT", Duration::from_millis(300));
    }
}

/// Makes a call that is kept open; and again where it was refused, because it met one of [`Caller::until`].
async fn keep_open(caller: Caller, as_json: bool) {
    loop {
        let answer = if as_json { caller.get(&KEEP_OPEN).await } else { caller.call(&KEEP_OPEN).await };
        assert_eq!(answer.code, RESOURCE_EXHAUSTED, "{answer:?}");
    }
}

/// A call that is kept open at `held`, made by `caller` until it gives up.
async fn gives_up(held: &Child, caller: Caller, as_json: bool) {
    let mut log = held.log_from_now();
    let waiting = tokio::spawn(keep_open(caller, as_json));
    Caller::of(held).until(RESOURCE_EXHAUSTED).await;
    assert!(!waiting.is_finished());
    waiting.abort();
    line_with(&mut log, "code=CANCELLED").await.unwrap();
    Caller::of(held).until(OK).await;
}

#[tokio::test]
async fn ends_when_the_caller_cancels() {
    let mut a = a(&ONE).await;
    let b = b(&a, &["--service-a-timeout", "60s"]).await;
    for caller in [Caller::of(&a), Caller::of(&b)] {
        for as_json in [false, true] {
            gives_up(&a, caller, as_json).await;
        }
    }
    let mut log = a.log_from_now();
    a.terminate().unwrap();
    line_with(&mut log, "state=draining in_flight=0").await.unwrap();
    line_with(&mut log, "state=drained calls_cut=0").await.unwrap();
    assert!(a.exited().await.unwrap().success());
}

#[tokio::test]
async fn ends_with_the_end_of_a_drain() {
    let mut a = a(&[&ONE[..], &["--drain-timeout", "300ms"]].concat()).await;
    let mut log = a.log_from_now();
    let waiting = tokio::spawn(keep_open(Caller::of(&a), false));
    Caller::of(&a).until(RESOURCE_EXHAUSTED).await;
    a.terminate().unwrap();
    line_with(&mut log, "state=draining in_flight=1").await.unwrap();
    line_with(&mut log, "state=drained calls_cut=1").await.unwrap();
    assert!(a.exited().await.unwrap().success());
    waiting.await.expect_err("it was cut");
}
