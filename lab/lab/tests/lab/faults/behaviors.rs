//! What each behavior does, on both faces; and what is refused.

use std::time::Duration;

use service_runtime::status::http_status;
use tonic::Code;

use crate::faults::support::{Caller, OBEYS, a};

const AT_ONCE: Duration = Duration::ZERO;

#[tokio::test]
async fn sleeps_and_then_goes_on() {
    let a = a(&[OBEYS]).await;
    for (behavior, pause) in
        [("sleep-1", 1000), ("sleep-200ms", 200), ("sleep-150ms, sleep-150ms", 300), ("sleep-0", 0)]
    {
        for answer in Caller::of(&a).asks(behavior).await {
            answer.is(0, "", Duration::from_millis(pause));
            assert!(!answer.is_ignored(), "{answer:?}");
        }
    }
    for answer in Caller::of(&a).asks("sleep-200ms, error-code-5, sleep-3").await {
        answer.is(5, "FAULT_INJECTED", Duration::from_millis(200));
    }
}

#[tokio::test]
async fn answers_every_code_that_has_a_name() {
    let a = a(&[OBEYS]).await;
    for code in 1..=16 {
        for answer in Caller::of(&a).asks(&format!("error-code-{code}")).await {
            answer.is(code, "FAULT_INJECTED", AT_ONCE);
            assert!(answer.hop.as_deref().is_none_or(|hop| hop == "service-a"), "{answer:?}");
            let expected = http_status(Code::from(code), None).as_u16();
            assert_eq!(answer.http.unwrap_or(expected), expected);
        }
    }
    for answer in Caller::of(&a).asks("error-code-0").await {
        answer.is(0, "", AT_ONCE);
    }
}

#[tokio::test]
async fn answers_a_code_without_a_name_as_its_number() {
    let a = a(&[OBEYS]).await;
    for code in [17, 99, i32::MAX] {
        let [call, get] = Caller::of(&a).asks(&format!("error-code-{code}")).await;
        call.is(code, "FAULT_INJECTED", AT_ONCE);
        get.is(Code::Unknown as i32, "FAULT_INJECTED", AT_ONCE);
        assert_eq!(get.http, Some(500));
    }
}

#[tokio::test]
async fn succeeds_on_the_attempt_that_is_asked_for() {
    let a = a(&[OBEYS]).await;
    for (behavior, attempts, code) in [
        ("succeed-on-retry-attempt-2", "", 14),
        ("succeed-on-retry-attempt-2", "1", 14),
        ("succeed-on-retry-attempt-2", "2", 0),
        ("succeed-on-retry-attempt-2, error-code-8", "1", 8),
        ("succeed-on-retry-attempt-2, error-code-8", "3", 0),
    ] {
        let metadata = [("rpc-behavior", behavior), ("grpc-previous-rpc-attempts", attempts)];
        for answer in Caller::of(&a).both(&metadata).await {
            answer.is(code, if code == 0 { "" } else { "FAULT_INJECTED" }, AT_ONCE);
        }
    }
}

#[tokio::test]
async fn takes_several_headers_for_one_list() {
    let a = a(&[OBEYS]).await;
    let metadata = [("rpc-behavior", "sleep-200ms"), ("x-other", "x"), ("rpc-behavior", "error-code-5")];
    for answer in Caller::of(&a).both(&metadata).await {
        answer.is(5, "FAULT_INJECTED", Duration::from_millis(200));
    }
}

#[tokio::test]
async fn draws_a_share_for_each_call() {
    let a = a(&[OBEYS]).await;
    let mut failed = 0;
    for _ in 0..100 {
        for answer in Caller::of(&a).asks("error-code-14:50%").await {
            assert!([0, 14].contains(&answer.code), "{answer:?}");
            failed += i32::from(answer.code == 14);
        }
    }
    // 100 and seven standard deviations: by chance once in 10^11.
    assert!((50..=150).contains(&failed), "{failed} of 200");
    for answer in Caller::of(&a).asks("error-code-14:0%").await {
        answer.is(0, "", AT_ONCE);
    }
}

#[tokio::test]
async fn obeys_the_flag_without_metadata_and_before_it() {
    let a_once = a(&["--rpc-behavior", "sleep-200ms"]).await;
    for answer in Caller::of(&a_once).both(&[]).await {
        answer.is(0, "", Duration::from_millis(200));
    }
    let both = a(&["--rpc-behavior", "error-code-0,error-code-5:100%", OBEYS]).await;
    for answer in Caller::of(&both).asks("error-code-6").await {
        answer.is(5, "FAULT_INJECTED", AT_ONCE);
    }
}

#[tokio::test]
async fn refuses_what_it_cannot_read() {
    let a = a(&[OBEYS]).await;
    let long = format!("sleep-0{}", " ".repeat(1024));
    let many = ["sleep-0"; 17].join(",");
    for behavior in ["nonsense", "sleep-3601", "error-code-14:5", "grüße", "hop=service-a", &long, &many] {
        // A trailing space is no part of a header's value.
        for answer in Caller::of(&a).asks(&format!("{behavior},sleep-3")).await {
            answer.is(3, "BAD_RPC_BEHAVIOR", AT_ONCE);
            assert_eq!(answer.http.unwrap_or(400), 400, "{behavior}");
        }
    }
}

#[tokio::test]
async fn refuses_a_bad_request_first() {
    let a = a(&[OBEYS]).await;
    let asked = ("rpc-behavior", "error-code-14");
    for answer in Caller::of(&a).both(&[asked, ("grpc-timeout", "abc")]).await {
        answer.is(13, "BAD_TIMEOUT", AT_ONCE);
    }
    Caller::of(&a).sending(b"\0\0\0\0\x07half").call(&[asked]).await.is(13, "BAD_FRAME", AT_ONCE);
}

#[tokio::test]
async fn refuses_a_message_that_it_cannot_decode_without_naming_its_fields() {
    let a = a(&[]).await;
    let not_utf8 = b"\0\0\0\0\x04\x0a\x02\xff\xfe";
    let not_protobuf = b"\0\0\0\0\x02\xff\xff";
    for message in [&not_utf8[..], not_protobuf] {
        let answer = Caller::of(&a).sending(message).call(&[]).await;
        answer.is(13, "BAD_MESSAGE", AT_ONCE);
    }
}
