//! `load`, short and small: what is counted, and what becomes of calls that fail, in whatever way.

mod forms;
mod truth;

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{Ran, client, servers};

/// Calls A a few times.
fn load<'a>(url: &'a str, flags: &[&'a str]) -> Ran {
    let warmup = if flags.contains(&"--warmup") { &[][..] } else { &["--warmup", "0s"] };
    client([&["load", "--target", "echo", "--service-a", url], warmup, flags].concat())
}

/// The report as an object.
fn report(url: &str, flags: &[&str]) -> Value {
    let ran = load(url, &[&["--output", "json"], flags].concat());
    assert_eq!((ran.stderr.as_str(), ran.code), ("", 0));
    serde_json::from_str(&ran.stdout).unwrap()
}

/// What every report must satisfy: no call is told twice, and none is forgotten.
fn adds_up(report: &Value) {
    let number = |key: &str| report[key].as_u64().unwrap();
    let ended = report["outcomes"].as_array().unwrap().iter().map(|of| of["calls"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(number("calls"), ended + number("lost") + number("unfinished") + number("not_started"), "{report}");
    assert_eq!(ended, number("ok") + number("errors") - number("lost"), "{report}");
    let seconds = report["seconds"].as_array().unwrap();
    for key in ["calls", "rate"] {
        assert_eq!(seconds.iter().map(|second| second[key].as_u64().unwrap()).sum::<u64>(), ended, "{key} {report}");
    }
    let bins = report["histogram"].as_array().unwrap();
    assert_eq!(bins.iter().map(|bin| bin["calls"].as_u64().unwrap()).sum::<u64>(), ended, "{report}");
}

#[test]
fn makes_as_many_calls_as_asked_for_in_both_loops_and_on_all_threads() {
    let a = servers::service_a();
    for flags in [
        &["--requests", "103"][..],
        &["--requests", "103", "--rate", "500"],
        &["--requests", "103", "--rate", "500", "--threads", "2"],
        &["--requests", "103", "--threads", "2", "--concurrency", "3"],
        &["--requests", "103", "--rate", "500", "--warmup", "100ms"],
        &["--requests", "103", "--warmup", "100ms"],
    ] {
        let report = report(&a.url, flags);
        adds_up(&report);
        assert_eq!((&report["ok"], &report["calls"]), (&103.into(), &103.into()), "{flags:?} {report}");
        assert_eq!(report["instances"][0]["served_by"], "service-a/1");
        assert_eq!(report["instances"][0]["calls"], 103);
    }
}

#[test]
fn makes_a_call_again_that_was_not_looked_at() {
    let peer = hostile_peer::Peer::start("goaway-once").unwrap();
    let report = report(&peer.url(), &["--requests", "5", "--concurrency", "1", "--connections", "1"]);
    adds_up(&report);
    assert_eq!((&report["ok"], peer.calls()), (&5.into(), 6), "{report}");
}

#[test]
fn counts_no_failure_where_connections_end_by_their_age() {
    // A second: on a machine that is busy otherwise a connection may take a good part of that to be made, and one that ends before it is made
    // is a failure.
    let a = servers::service_a_with_age(Duration::from_secs(1));
    // Some twenty connections end, each with a call under way or about to be sent.
    let flags = ["--duration", "3s", "--connections", "8"];
    for kind in [["--rate", "400"], ["--concurrency", "20"]] {
        let report = report(&a.url, &[&flags[..], &kind].concat());
        adds_up(&report);
        assert_eq!((&report["errors"], &report["ok"]), (&0.into(), &report["calls"]), "{report}");
    }
}

#[test]
fn goes_through_b_to_a() {
    let a = servers::service_a();
    let b = servers::service_b(&a.url);
    let ran = client(["load", "--service-b", &b.url, "--warmup", "0s", "--requests", "20", "--output", "json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    adds_up(&report);
    assert_eq!((&report["target"], &report["ok"]), (&"call-echo".into(), &20.into()), "{report}");
    assert_eq!(report["instances"][0]["served_by"], "service-b/2, service-a/1");
}

#[test]
fn counts_failures_by_code_hop_and_reason() {
    let (_port, nobody) = servers::nobody();
    let b = servers::service_b(&nobody);
    let flags = ["load", "--service-b", &b.url, "--warmup", "0s", "--requests", "20", "--output", "json"];
    let report: Value = serde_json::from_str(&client(flags).stdout).unwrap();
    adds_up(&report);
    let outcome = serde_json::json!(
        {"code": "UNAVAILABLE", "hop": "service-b", "reason": "SERVICE_A_UNREACHABLE", "calls": 20}
    );
    assert_eq!(report["outcomes"], serde_json::json!([outcome]));
    assert_eq!(report["instances"][0]["errors"], 20);
}

#[test]
fn credits_a_proxys_answer_for_a_dead_service_to_the_service_or_a_proxy() {
    let envoy = hostile_peer::Peer::start("status-14").unwrap();
    let url = envoy.url();
    for (target, at, hop) in
        [("call-echo", "--service-b", "service-b-or-proxy"), ("echo", "--service-a", "service-a-or-proxy")]
    {
        let flags = ["load", "--target", target, at, &url, "--warmup", "0s", "--requests", "20", "--output", "json"];
        let report: Value = serde_json::from_str(&client(flags).stdout).unwrap();
        let outcome = serde_json::json!({"code": "UNAVAILABLE", "hop": hop, "reason": "", "calls": 20});
        assert_eq!(report["outcomes"], serde_json::json!([outcome]));
    }
}

#[test]
fn goes_on_while_nobody_is_there_and_says_at_the_end_that_it_made_no_call() {
    let (_port, nobody) = servers::nobody();
    for flags in [&["--requests", "50", "--rate", "500"][..], &["--requests", "50"]] {
        let ran = load(&nobody, &[&["--output", "json"], flags].concat());
        let why = format!("error: no call was made: cannot reach service-a at {nobody} (connection refused)\n");
        assert_eq!((ran.stderr, ran.code), (why, 78));
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        adds_up(&report);
        let outcome = &report["outcomes"][0];
        assert_eq!((&outcome["code"], &outcome["hop"]), (&"UNAVAILABLE".into(), &"test-client".into()), "{report}");
        assert_eq!((&outcome["reason"], &outcome["calls"]), (&"connection refused".into(), &50.into()), "{report}");
    }
}

#[test]
fn does_not_stand_still_where_a_connect_gets_no_answer() {
    let peer = hostile_peer::Peer::start("vanish").unwrap();
    let began = Instant::now();
    let ran = load(&peer.url(), &["--requests", "3", "--concurrency", "1", "--timeout", "200ms"]);
    let why = format!("error: no call was made: cannot reach service-a at {} (connect timeout)\n", peer.url());
    assert_eq!((ran.stderr, ran.code), (why, 68));
    // The first tries have as long as a call, then there are three calls.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn sees_answers_with_the_text_of_another_call() {
    let peer = hostile_peer::Peer::start("another-text").unwrap();
    let url = peer.address().to_string();
    let ran = load(&url, &["--requests", "30", "--output", "json", "--fail-if", "swapped>0"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    adds_up(&report);
    assert_eq!((&report["swapped"], &report["ok"], &report["errors"]), (&30.into(), &0.into(), &30.into()), "{report}");
    assert_eq!((ran.stderr.as_str(), ran.code), ("failed: swapped>0: swapped is 30 of 30, 100.00 %\n", 1));
}

#[test]
fn replaces_a_connection_that_was_lost() {
    let peer = hostile_peer::Peer::start("flap-100").unwrap();
    let url = peer.address().to_string();
    // Slower than the shortest life that a connection must have had to be replaced at once.
    let report = report(&url, &["--rate", "250", "--requests", "500", "--connections", "1"]);
    adds_up(&report);
    let ok = report["ok"].as_u64().unwrap();
    let errors = report["errors"].as_u64().unwrap();
    assert!(ok >= 250 && errors >= 4, "{report}");
    for outcome in report["outcomes"].as_array().unwrap().iter().skip(1) {
        assert_eq!((&outcome["code"], &outcome["hop"]), (&"UNAVAILABLE".into(), &"test-client".into()), "{report}");
    }
}

#[test]
fn ends_calls_at_their_deadline_and_loses_none() {
    for behavior in ["slow-60000ms", "headers-then-stall"] {
        let peer = hostile_peer::Peer::start(behavior).unwrap();
        let report = report(&peer.url(), &["--rate", "100", "--requests", "20", "--timeout", "100ms"]);
        adds_up(&report);
        let outcome = &report["outcomes"][0];
        assert_eq!((&outcome["code"], &outcome["calls"]), (&"DEADLINE_EXCEEDED".into(), &20.into()), "{report}");
        assert!(report["latency_ms"]["p50"].as_f64().unwrap() >= 100.0, "{report}");
    }
}

#[test]
fn says_which_calls_could_not_start() {
    let peer = hostile_peer::Peer::start("slow-60000ms").unwrap();
    let url = peer.address().to_string();
    let flags = ["--rate", "100", "--requests", "40", "--timeout", "200ms", "--concurrency", "2"];
    let report = report(&url, &flags);
    adds_up(&report);
    assert!(report["not_started"].as_u64().unwrap() > 0, "{report}");
    let warnings = report["warnings"].to_string();
    for warning in ["waited for their start until the timeout", "had to wait for one of the 2 in flight to end"] {
        assert!(warnings.contains(warning), "{report}");
    }
    // What waited for a slot has waited from its intended start on.
    assert!(report["lag_ms"]["max"].as_f64().unwrap() >= 100.0, "{report}");
    assert!(report["latency_ms"]["max"].as_f64().unwrap() >= 300.0, "{report}");
}
