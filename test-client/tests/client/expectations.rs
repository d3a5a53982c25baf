//! Everything expected came: exit code 0, whatever came. Something else: 1, and one line that tells the two apart.

use crate::{Ran, client, digits_out, servers};

/// A call of A with expectations.
fn echo(url: &str, expectations: &[&str]) -> Ran {
    client([&["echo", "x", "--service-a", url], expectations].concat())
}

#[test]
fn is_content_when_the_expected_answer_came() {
    let a = servers::service_a();
    for expectations in [
        &["--expect", "OK"][..],
        &["--within", "5s"],
        &["--expect-served-by", "service-a/?"],
        &["--expect", "OK", "--within", "5s", "--expect-served-by", "*/1"],
    ] {
        let ran = echo(&a.url, expectations);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str(), ran.code), ("{\"echo\": \"x\"}\n", "", 0), "{ran:?}");
    }
}

#[test]
fn is_content_when_the_expected_failure_came() {
    let (_port, nobody) = servers::nobody();
    let b = servers::service_b(&nobody);
    for expectations in [
        &["--expect", "UNAVAILABLE"][..],
        &["--expect-reason", "SERVICE_A_UNREACHABLE"],
        &["--expect-hop", "service-b"],
        &["--expect", "UNAVAILABLE", "--expect-hop", "service-b", "--within", "5s", "--output", "json"],
    ] {
        let ran = client([&["call-echo", "x", "--service-b", &b.url], expectations].concat());
        assert_eq!((ran.stdout.lines().count(), ran.code), (1, 0), "{ran:?}");
    }
    let ran = client(["health-b", "--service-b", &nobody, "--expect-hop", "test-client"]);
    assert_eq!((ran.stderr.lines().count(), ran.code), (1, 0), "{ran:?}");
}

#[test]
fn says_what_came_where_a_failure_was_expected() {
    let a = servers::service_a();
    for (expectations, line) in [
        (&["--expect", "UNAVAILABLE"][..], "expected UNAVAILABLE, got OK after # ms\n"),
        (
            &["--expect", "UNAVAILABLE", "--expect-hop", "service-a"],
            "expected UNAVAILABLE from service-a, got OK after # ms\n",
        ),
        (&["--expect-hop", "service-b"], "expected an error from service-b, got OK after # ms\n"),
        (&["--expect-reason", "OVERLOADED"], "expected an error [OVERLOADED], got OK after # ms\n"),
        (
            &["--expect-served-by", "service-b/*"],
            "expected OK served by service-b/*, got OK served by service-a/# after # ms\n",
        ),
    ] {
        for output in ["text", "json"] {
            let ran = echo(&a.url, &[expectations, &["--output", output]].concat());
            assert_eq!((digits_out(&ran.stderr).as_str(), ran.code), (line, 1), "{ran:?}");
        }
    }
}

#[test]
fn says_what_failed_where_an_answer_or_another_failure_was_expected() {
    let (_port, nobody) = servers::nobody();
    for (expectations, line) in [
        (&["--expect", "OK"][..], "expected OK, got UNAVAILABLE from test-client after # ms"),
        (&["--within", "5s"], "expected OK within # ms, got UNAVAILABLE from test-client after # ms"),
        (
            &["--expect-hop", "service-a"],
            "expected an error from service-a, got UNAVAILABLE from test-client after # ms",
        ),
        (&["--expect-reason", "DRAINING"], "expected an error [DRAINING], got UNAVAILABLE from test-client after # ms"),
        (
            &["--expect-served-by", "*"],
            "expected OK served by *, got UNAVAILABLE from test-client without served-by after # ms",
        ),
    ] {
        let ran = echo(&nobody, expectations);
        let told = digits_out(&ran.stderr);
        assert_eq!((told.lines().last(), ran.code), (Some(line), 1), "{ran:?}");
    }
}

#[test]
fn says_that_the_expected_came_too_late() {
    let (_listener, silent) = servers::silent();
    let flags = ["--timeout", "50ms", "--expect", "DEADLINE_EXCEEDED", "--within", "1ms", "--output", "json"];
    let ran = echo(&silent, &flags);
    let line = "expected DEADLINE_EXCEEDED within # ms, got DEADLINE_EXCEEDED from test-client after # ms\n";
    assert_eq!((digits_out(&ran.stderr).as_str(), ran.code), (line, 1), "{ran:?}");
}

#[test]
fn names_the_reason_that_came() {
    let a = servers::service_a();
    let ran = client(["echo", &"x".repeat(70_000), "--service-a", &a.url, "--expect", "OK", "--output", "json"]);
    let line = "expected OK, got RESOURCE_EXHAUSTED from service-a [MESSAGE_TOO_LARGE] after # ms\n";
    assert_eq!((digits_out(&ran.stderr).as_str(), ran.code), (line, 1));
}
