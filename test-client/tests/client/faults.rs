//! A fault that was asked for and not injected is no silent success: one line says so, and which flag turns faults on.

use crate::{client, servers};

const ASK: [&str; 2] = ["-H", "rpc-behavior: error-code-5"];

#[test]
fn says_that_nobody_obeyed_and_which_flag_is_missing() {
    let a = servers::service_a();
    let b = servers::service_b(&a.url);
    let where_they_are = ["--service-a", &a.url, "--service-b", &b.url];
    let flag = "did not do what rpc-behavior asks: start it with --fault-injection\n";
    for (call, who) in [
        (&["echo", "x"][..], "service-a"),
        (&["health-a"], "service-a"),
        (&["call-echo", "x"], "service-b, or service-a behind it,"),
        (&["health-b"], "service-b, or service-a behind it,"),
    ] {
        // Only B itself can say whether it did what is asked of it alone: its health check goes no further.
        let ask = if call == ["health-b"] { ["-H", "rpc-behavior: hop=service-b sleep-1"] } else { ASK };
        for output in ["text", "json"] {
            let ran = client([call, &where_they_are, &ask, &["--output", output]].concat());
            assert_eq!((ran.stderr, ran.code), (format!("warning: {who} {flag}"), 0), "{call:?}");
        }
    }
}

#[test]
fn says_so_once_for_many_calls() {
    let a = servers::service_a();
    for output in ["text", "json", "csv"] {
        let flags = ["load", "--target", "echo", "--service-a", &a.url, "--requests", "20", "--warmup", "0s"];
        let ran = client([&flags[..], &ASK, &["--output", output]].concat());
        let line = "warning: service-a did not do what rpc-behavior asks: start it with --fault-injection\n";
        assert_eq!((ran.stderr.as_str(), ran.code), (line, 0));
    }
}

#[test]
fn says_nothing_where_the_service_obeyed_or_nothing_was_asked() {
    let a = servers::service_a_with_faults();
    let ran = client([&["echo", "x", "--service-a", &a.url][..], &ASK].concat());
    assert!(ran.stderr.starts_with("NOT_FOUND (5) from service-a: ") && ran.stderr.lines().count() == 1, "{ran:?}");
    let load = ["load", "--target", "echo", "--service-a", &a.url, "--requests", "5", "--warmup", "0s"];
    assert_eq!(client([&load[..], &ASK].concat()).stderr, "");
    assert_eq!(client(["echo", "x", "--service-a", &a.url]).stderr, "");
}
