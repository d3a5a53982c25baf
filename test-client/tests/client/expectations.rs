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

#[test]
fn is_content_when_the_expected_headers_came_in_headers_or_trailers() {
    let url = servers::stranger_that_says_more();
    for expectations in [
        &["x-both"][..],
        &["x-both: h2"],
        &["x-both: t1"],
        &["X-Both:?1"],
        &["x-both: h1, h2, t1, t2"],
        &["x-h: only", "x-t: o*"],
        &["x-bin: 3q2+7w=="],
        &["content-type: application/grpc*", "grpc-status: 0"],
    ] {
        let flags: Vec<&str> = expectations.iter().flat_map(|header| ["--expect-header", header]).collect();
        // Before the command and after it, and some on either side.
        for before in 0..=expectations.len() {
            let (before, after) = flags.split_at(before * 2);
            let ran = client([before, &["echo", "x", "--service-a", &url], after].concat());
            assert_eq!((ran.stderr.as_str(), ran.code), ("", 0), "{before:?} {after:?}");
        }
    }
    let flags = ["--expect", "NOT_FOUND", "--expect-header", "x-both: h1", "--expect-header", "grpc-status: 5"];
    assert_eq!(client([&["call-echo", "x", "--service-b", &url], &flags[..]].concat()).code, 0);
}

#[test]
fn says_which_headers_came_instead() {
    let url = servers::stranger_that_says_more();
    for (expectations, line) in [
        (&["x-both: h3"][..], "expected OK with x-both: h3, got OK with x-both: h1, h2, t1, t2 after "),
        (&["x-other"], "expected OK with x-other, got OK without x-other after "),
        (&["x-h:"], "expected OK with x-h: , got OK with x-h: only after "),
        (&["x-h", "x-t: no"], "expected OK with x-h with x-t: no, got OK with x-h: only with x-t: only after "),
    ] {
        let flags: Vec<&str> = expectations.iter().flat_map(|header| ["--expect-header", header]).collect();
        // One that is not met is enough, on whichever side of the command it stands.
        for at in [0, flags.len()] {
            let (before, after) = flags.split_at(at);
            let ran = client([before, &["echo", "x", "--service-a", &url], after].concat());
            assert!(ran.stderr.starts_with(line) && ran.stderr.lines().count() == 1, "{ran:?}");
            assert_eq!(ran.code, 1);
        }
    }
}

#[test]
fn compares_the_deadline_that_the_called_service_got() {
    let a = servers::service_a();
    let b = servers::service_b(&a.url);
    let call = ["call-echo", "x", "--service-b", &b.url, "--timeout", "10s"];
    let expecting = |below| client([&call[..], &["--expect-deadline-below", below]].concat());
    // B got less than 10 s, and far more than the 2 s that it gives A.
    let met = expecting("10s");
    assert_eq!((met.stderr.as_str(), met.code), ("", 0));
    let unmet = expecting("3s");
    let line = "expected OK with a deadline below # ms, got OK with a deadline of # ms after # ms\n";
    assert_eq!((digits_out(&unmet.stderr).as_str(), unmet.code), (line, 1), "{unmet:?}");
    assert!(
        unmet.stderr.starts_with("expected OK with a deadline below 3000 ms, got OK with a deadline of 9"),
        "{unmet:?}"
    );
    let refused = ["--expect", "INVALID_ARGUMENT", "--expect-deadline-below", "10s"];
    assert_eq!(client([&["call-echo", "", "--service-b", &b.url, "--timeout", "10s"], &refused[..]].concat()).code, 0);
    let ran = echo(&servers::stranger(), &["--expect-deadline-below", "1m"]);
    let line = "expected OK with a deadline below # ms, got OK without received-timeout-ms after # ms\n";
    assert_eq!((digits_out(&ran.stderr).as_str(), ran.code), (line, 1));
}

#[test]
fn counts_the_attempts_at_a_whatever_came_of_them() {
    let a = servers::service_a_with_faults();
    let b = servers::service_b(&a.url);
    let once = ["--expect-attempts", "1"];
    let retried = ["-H", "rpc-behavior: succeed-on-retry-attempt-1", "--expect-attempts", "2"];
    let in_vain = ["-H", "rpc-behavior: error-code-14", "--expect", "UNAVAILABLE", "--expect-attempts", "3"];
    for flags in [&once[..], &retried, &in_vain] {
        let ran = client([&["call-echo", "x", "--output", "json", "--service-b", &b.url], flags].concat());
        assert_eq!((ran.stderr.as_str(), ran.code), ("", 0), "{flags:?} {ran:?}");
        let object: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(object["attempts"].to_string(), *flags.last().unwrap(), "{object}");
    }
    for call in [&["echo", "x"][..], &["health-a"], &["health-b"]] {
        let ran = client([call, &["--service-a", &a.url, "--service-b", &b.url], &once].concat());
        assert_eq!((ran.stderr.as_str(), ran.code), ("", 0), "{call:?}");
    }
    let ran = client(["call-echo", "x", "--service-b", &b.url, "--expect-attempts", "2"]);
    let line = "expected OK in 2 attempts, got OK in 1 attempt after ";
    assert!(ran.stderr.starts_with(line) && ran.code == 1, "{ran:?}");
    // What refuses a call makes no attempt at another service.
    let refused = ["--expect", "INVALID_ARGUMENT", "--expect-attempts", "1"];
    let ran = client([&["call-echo", "", "--service-b", &b.url], &refused[..]].concat());
    assert!(ran.stderr.contains(" [MSG_REQUIRED] in an unknown number of attempts after "), "{ran:?}");
    assert_eq!(ran.code, 1);
}

#[test]
fn asks_for_an_explanation_where_it_is_shown_or_compared() {
    let url = servers::stranger();
    let asked = |flags: &[&str]| {
        let ran = client([&["echo", "x-explain", "--service-a", &url], flags].concat());
        let said: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        said.get("response").unwrap_or(&said)["echo"].as_str().unwrap().to_owned()
    };
    for flags in [
        &["-v"][..],
        &["--output", "json"],
        &["--expect-deadline-below", "1s"],
        &["--expect-attempts", "1"],
        &["-v", "--output", "json", "-H", "x-explain: 1"],
    ] {
        assert_eq!(asked(flags), "1", "{flags:?}");
    }
    assert_eq!((asked(&[]), asked(&["--expect", "OK", "--within", "5s"])), (String::new(), String::new()));
    assert_eq!(asked(&["-v", "-H", "x-explain: 0"]), "0");
}
