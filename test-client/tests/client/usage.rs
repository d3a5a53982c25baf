//! A wrong command line: one sentence that says what would be right, exit code 2, and no call.

use crate::client;

/// What the client says to a wrong command line.
fn mistake(args: &[&str]) -> String {
    let ran = client(args.iter().copied());
    assert_eq!((ran.stdout.as_str(), ran.stderr.lines().count(), ran.code), ("", 1, 2), "{args:?} {ran:?}");
    ran.stderr.trim_end().to_owned()
}

#[test]
fn names_the_flag_or_the_command_that_was_meant() {
    assert_eq!(
        mistake(&["echo", "x", "--timeou", "1s"]),
        "error: unexpected argument '--timeou' found; a similar argument exists: '--timeout'"
    );
    assert_eq!(
        mistake(&["call-ech", "x"]),
        "error: unrecognized subcommand 'call-ech'; a similar subcommand exists: 'call-echo'"
    );
}

#[test]
fn lists_the_commands_where_none_was_given() {
    let sentence = mistake(&[]);
    for command in ["health-a", "health-b", "echo", "call-echo", "load"] {
        assert!(sentence.contains(command), "{sentence}");
    }
}

#[test]
fn asks_for_the_message() {
    assert!(mistake(&["echo"]).contains("<MESSAGE>"));
    assert!(mistake(&["call-echo"]).contains("<MESSAGE>"));
}

const AUTHORITY: &str = "expected a host, with a port or without one, such as echo.example, echo.example:8080 or [::1]";

#[test]
fn says_what_a_flag_takes() {
    for (flag, value, right) in [
        ("--service-a", "nonsense", "expected one address such as http://127.0.0.1:8080"),
        ("--service-b", "ftp://x:1", "expected one address such as http://127.0.0.1:8080"),
        ("--timeout", "soon", "expected a duration such as 300ms, 2s or 1m"),
        ("--within", "5", "expected a duration such as 300ms, 2s or 1m"),
        ("--timeout", "18446744073709551615s", "expected a duration of at most 365d"),
        ("--within", "366d", "expected a duration of at most 365d"),
        ("--output", "xml", "[possible values: text, json, csv]"),
        (
            "--expect",
            "NOPE",
            "expected one of OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, ",
        ),
        (
            "--expect-hop",
            "service-c",
            "[possible values: service-a, service-a-or-proxy, service-b, service-b-or-proxy, test-client]",
        ),
        ("--expect-header", "two words: x", "expected 'key: value', or a key alone, such as 'x-gateway: envoy-*'"),
        ("--expect-header", ":status: 200", "expected 'key: value', or a key alone, such as 'x-gateway: envoy-*'"),
        ("--expect-header", "", "expected 'key: value', or a key alone, such as 'x-gateway: envoy-*'"),
        ("--expect-deadline-below", "0s", "expected a duration above zero, such as 300ms, 2s or 1m"),
        ("--expect-attempts", "many", "expected a whole number from 0 to 4294967295, such as 1"),
        ("--authority", "http://x:1", AUTHORITY),
        ("--authority", "::1", AUTHORITY),
        ("--authority", "echo.example:", AUTHORITY),
        ("--authority", "echo.example:99999", AUTHORITY),
        ("--authority", "a b", AUTHORITY),
        ("-H", "no colon", "expected 'key: value' in ASCII, such as 'x-request-id: 7'"),
        ("-H", "two words: x", "expected 'key: value' in ASCII, such as 'x-request-id: 7'"),
        ("-H", "x: grüße", "expected 'key: value' in ASCII, such as 'x-request-id: 7'"),
        ("-H", "te: x", "gRPC sets this one itself: expected a key of your own, such as 'x-request-id: 7'"),
    ] {
        for args in [[flag, value, "echo", "x"], ["echo", "x", flag, value]] {
            let sentence = mistake(&args);
            assert!(sentence.contains(right) && sentence.contains(value), "{sentence}");
        }
    }
}

#[test]
fn says_what_is_too_much_for_load() {
    let most = format!("expected a whole number from 1 to {}", usize::MAX);
    for (flag, value, right) in [
        ("--duration", "18446744073709551615s", "expected a duration of at most 365d"),
        ("--warmup", "99999999999999999999y", "expected a duration of at most 365d"),
        ("--threads", "1025", "expected a whole number from 1 to 1024"),
        ("--connections", "18446744073709551615", "expected a whole number from 1 to 100000"),
        ("--concurrency", "18446744073709551616", "expected a whole number from 1 to 1000000"),
        ("--requests", "18446744073709551616", &most),
    ] {
        let sentence = mistake(&["load", flag, value]);
        assert!(sentence.contains(right) && sentence.contains(value), "{sentence}");
    }
}

#[test]
fn explains_itself_when_asked() {
    let ran = client(["--help"]);
    assert_eq!((ran.stderr.as_str(), ran.code), ("", 0));
    for word in ["call-echo", "at most 365d", "--timeout", "--expect-served-by", "--header"] {
        assert!(ran.stdout.contains(word), "{word}");
    }
}

#[test]
fn says_what_does_not_go_together_with_load() {
    for (args, sentence) in [
        (&["load", "--expect", "OK"][..], "load makes many calls, not one to expect something of: use --fail-if"),
        (&["load", "--expect-header", "x"], "load makes many calls, not one to expect something of: use --fail-if"),
        (&["--expect-header", "x", "load"], "load makes many calls, not one to expect something of: use --fail-if"),
        (&["load", "--expect-attempts", "1"], "load makes many calls, not one to expect something of: use --fail-if"),
        (
            &["load", "--expect-deadline-below", "1s"],
            "load makes many calls, not one to expect something of: use --fail-if",
        ),
        (&["load", "--within", "1s"], "load makes many calls, not one to expect something of: use --fail-if"),
        (&["load", "--wait-for-ready"], "load does not take --wait-for-ready: a call without a connection is a result"),
        (&["load", "-v"], "load does not take --verbose: it tells the metadata of no call"),
        (&["load", "-H", "grpc-timeout: 1S"], "load sets grpc-timeout itself: use --timeout"),
        (&["load", "--threads", "3"], "--threads 3 needs --connections 3 or more, not 2"),
        (&["load", "--threads", "2", "--concurrency", "1"], "--threads 2 needs --concurrency 2 or more, not 1"),
        (&["echo", "x", "--output", "csv"], "--output csv is for load: use text or json"),
    ] {
        assert_eq!(mistake(args), format!("error: {sentence}"));
    }
}

#[test]
fn says_what_a_flag_of_load_takes() {
    for (flag, value, right) in [
        ("--rate", "fast", "expected calls per second such as 2000"),
        ("--rate", "0", "expected calls per second such as 2000"),
        ("--rate", "NaN", "expected calls per second such as 2000"),
        ("--size", "1B", "expected a size from 24B to 67108800B, such as 64B or 16KiB"),
        ("--requests", "0", "expected a whole number from 1"),
        ("--duration", "0s", "expected a duration above zero, such as 300ms, 2s or 1m"),
        (
            "--fail-if",
            "p99",
            "expected a condition such as 'p99>50ms', 'errors>0.1%', 'code:UNAVAILABLE>0' or 'rate<900/s'",
        ),
        ("--fail-if", "p99>fast", "'fast': expected a duration such as 50ms, 0.5ms or 2s"),
        ("--target", "health", "[possible values: echo, call-echo]"),
    ] {
        let sentence = mistake(&["load", flag, value]);
        assert!(sentence.contains(right) && sentence.contains(value), "{sentence}");
    }
    assert!(mistake(&["load", "--html", "/nowhere/x.html"]).starts_with("error: cannot write --html: "));
    assert!(mistake(&["load", "--requests", "1", "--duration", "1s"]).contains("cannot be used with"));
}
