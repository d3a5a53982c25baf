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
    for command in ["health-a", "health-b", "echo", "call-echo"] {
        assert!(sentence.contains(command), "{sentence}");
    }
}

#[test]
fn asks_for_the_message() {
    assert!(mistake(&["echo"]).contains("<MESSAGE>"));
    assert!(mistake(&["call-echo"]).contains("<MESSAGE>"));
}

#[test]
fn says_what_a_flag_takes() {
    for (flag, value, right) in [
        ("--service-a", "nonsense", "expected one address such as http://127.0.0.1:8080"),
        ("--service-b", "ftp://x:1", "expected one address such as http://127.0.0.1:8080"),
        ("--timeout", "soon", "expected a duration such as 300ms, 2s or 1m"),
        ("--within", "5", "expected a duration such as 300ms, 2s or 1m"),
        ("--output", "xml", "[possible values: text, json]"),
        (
            "--expect",
            "NOPE",
            "expected one of OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, ",
        ),
        ("--expect-hop", "service-c", "[possible values: service-a, service-b, test-client]"),
        ("--authority", "http://x:1", "expected a host and a port such as echo.example:8080"),
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
fn explains_itself_when_asked() {
    let ran = client(["--help"]);
    assert_eq!((ran.stderr.as_str(), ran.code), ("", 0));
    for word in ["call-echo", "--timeout", "--expect-served-by", "--header"] {
        assert!(ran.stdout.contains(word), "{word}");
    }
}
