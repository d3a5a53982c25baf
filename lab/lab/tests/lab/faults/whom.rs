//! Whom a fault is for: by hop, by host name, by flag. And whoever does not obey says so.

use std::time::Duration;

use crate::faults::support::{Answer, Caller, OBEYS, a, b};

const AT_ONCE: Duration = Duration::ZERO;

#[tokio::test]
async fn reaches_a_through_b_unless_it_names_b() {
    let a = a(&[OBEYS]).await;
    let b = b(&a, &[OBEYS]).await;
    for behavior in ["error-code-14", "hop=service-a error-code-14", "hop=service-b error-code-0, error-code-14"] {
        let [call, get] = Caller::of(&b).asks(behavior).await;
        assert_eq!(call.hop.as_deref(), Some("service-a"), "{call:?}");
        [call, get].iter().for_each(|answer| answer.is(14, "SERVICE_A_UNAVAILABLE", AT_ONCE));
    }
    let [call, get] = Caller::of(&b).asks("error-code-5, hop=service-b error-code-6").await;
    assert_eq!(call.hop.as_deref(), Some("service-b"), "{call:?}");
    [call, get].iter().for_each(|answer| answer.is(6, "FAULT_INJECTED", AT_ONCE));
    for answer in Caller::of(&b).asks("hop=service-b sleep-200ms, sleep-200ms").await {
        answer.is(0, "", Duration::from_millis(400));
        assert!(!answer.is_ignored(), "{answer:?}");
    }
}

#[tokio::test]
async fn counts_only_on_the_instance_that_it_names() {
    let a = a(&[OBEYS, "--instance", "one"]).await;
    let b = b(&a, &[OBEYS, "--instance", "two"]).await;
    for (behavior, code, reason) in [
        ("hostname=one error-code-14", 14, "SERVICE_A_UNAVAILABLE"),
        ("hostname=two error-code-14", 0, ""),
        ("hop=service-b hostname=two error-code-14", 14, "FAULT_INJECTED"),
        ("hop=service-b hostname=one error-code-14", 0, ""),
        ("hop=service-a hostname=one error-code-14", 14, "SERVICE_A_UNAVAILABLE"),
    ] {
        for answer in Caller::of(&b).asks(behavior).await {
            answer.is(code, reason, AT_ONCE);
            assert!(!answer.is_ignored(), "{behavior}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn is_not_obeyed_without_the_flag_and_the_answer_says_so() {
    let a = a(&[]).await;
    for behavior in ["error-code-14", "nonsense", "hop=service-a sleep-1"] {
        for answer in Caller::of(&a).asks(behavior).await {
            answer.is(0, "", AT_ONCE);
            assert!(answer.is_ignored(), "{behavior}: {answer:?}");
        }
    }
    let metadata = [("rpc-behavior", "sleep-3"), ("grpc-timeout", "0n")];
    for answer in Caller::of(&a).both(&metadata).await {
        answer.is(4, "DEADLINE_EXCEEDED", AT_ONCE);
        assert!(answer.is_ignored(), "on errors too: {answer:?}");
    }
    for answer in Caller::of(&a).both(&[]).await {
        assert!(!answer.is_ignored(), "{answer:?}");
    }
}

#[tokio::test]
async fn says_so_where_there_is_nobody_for_it() {
    let a = a(&[OBEYS]).await;
    for answer in Caller::of(&a).asks("hop=service-b error-code-14").await {
        answer.is(0, "", AT_ONCE);
        assert!(answer.is_ignored(), "{answer:?}");
    }
}

#[tokio::test]
async fn a_caller_of_b_sees_that_a_does_not_obey() {
    let a = a(&["--rpc-behavior", "error-code-8:50%"]).await;
    let b = b(&a, &[OBEYS]).await;
    let mut answers: Vec<Answer> = Vec::new();
    for _ in 0..25 {
        answers.extend(Caller::of(&b).asks("error-code-5").await);
    }
    assert!(answers.iter().all(Answer::is_ignored), "{answers:?}");
    // What is overloaded is not tried again, so each call is one draw.
    for code in [0, 8] {
        // Each comes once in 50 calls but by chance once in 10^15.
        assert!(answers.iter().any(|answer| answer.code == code), "{answers:?}");
    }
    for answer in Caller::of(&b).asks("hop=service-b error-code-5").await {
        answer.is(5, "FAULT_INJECTED", AT_ONCE);
        assert!(!answer.is_ignored(), "{answer:?}");
    }
}

#[tokio::test]
async fn b_passes_on_what_is_for_a_though_it_does_not_obey_itself() {
    let a = a(&[OBEYS]).await;
    let b = b(&a, &[]).await;
    for answer in Caller::of(&b).asks("hop=service-b error-code-5, error-code-14").await {
        answer.is(14, "SERVICE_A_UNAVAILABLE", AT_ONCE);
        assert!(answer.is_ignored(), "{answer:?}");
    }
    for answer in Caller::of(&b).asks("error-code-14").await {
        answer.is(14, "SERVICE_A_UNAVAILABLE", AT_ONCE);
        assert!(!answer.is_ignored(), "{answer:?}");
    }
}

#[tokio::test]
async fn leaves_health_alone() {
    let a = a(&[OBEYS, "--rpc-behavior", "error-code-14"]).await;
    for answer in Caller::of_health(&a, "/echo.v1.HealthService/Check").asks("error-code-14, nonsense").await {
        answer.is(0, "", AT_ONCE);
        assert!(answer.is_ignored(), "{answer:?}");
    }
    let metadata = [("rpc-behavior", "keep-open")];
    Caller::of_health(&a, "/grpc.health.v1.Health/Check").call(&metadata).await.is(0, "", AT_ONCE);
    for answer in Caller::of(&a).both(&[]).await {
        answer.is(14, "FAULT_INJECTED", AT_ONCE);
    }
}

#[tokio::test]
async fn says_in_its_log_that_faults_are_on_and_only_then() {
    for (flags, on) in [(&[OBEYS][..], true), (&["--rpc-behavior", "sleep-0"], true), (&[], false)] {
        let mut a = a(&[flags, &["--log", "warn"]].concat()).await;
        let mut log = a.log();
        a.terminate().unwrap();
        a.exited().await.unwrap();
        // Nothing but the first line, and what it warns of.
        let mut warned = false;
        while let Ok(line) = log.recv().await {
            warned |= line.contains("faults are on");
        }
        assert_eq!(warned, on, "{flags:?}");
    }
}
