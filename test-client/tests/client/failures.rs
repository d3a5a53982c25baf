//! What the client says of a call that failed: who decided it, why, and after how long.

use std::time::Duration;

use hostile_peer::{EventKind, Peer};

use crate::{client, digits_out, servers};

#[test]
fn prints_the_labs_line_while_a_is_down() {
    let (_port, nobody) = servers::nobody();
    let b = servers::service_b(&nobody);
    let ran = client(["call-echo", "hello", "--service-b", &b.url]);
    let line = r#"{"service_b": "ok", "service_a": "unavailable", "error": "UNAVAILABLE: Service A is unavailable: cannot connect"}"#;
    assert_eq!((ran.stdout.trim_end(), ran.code), (line, 78), "{ran:?}");
    let why = "UNAVAILABLE (#) from service-b: Service A is unavailable: cannot connect (connection refused) [SERVICE_A_UNREACHABLE] # attempt";
    let told = digits_out(&ran.stderr);
    assert!(told.starts_with(why) && told.contains(", # ms") && told.lines().count() == 1, "{ran:?}");
}

#[test]
fn says_that_b_cannot_be_reached() {
    let (_port, nobody) = servers::nobody();
    for command in ["health-b", "call-echo"] {
        let msg = if command == "health-b" { &[][..] } else { &["hello"] };
        let ran = client([&[command, "--service-b", &nobody], msg].concat());
        let why =
            format!("UNAVAILABLE (14) from test-client: cannot reach service-b at {nobody} (connection refused), ");
        assert!(ran.stderr.starts_with(&why) && ran.stderr.ends_with(" ms\n"), "{ran:?}");
        assert_eq!((ran.stdout.as_str(), ran.code), ("", 78));
    }
}

#[test]
fn says_that_a_name_does_not_resolve() {
    let ran = client(["echo", "x", "--service-a", "http://nobody.invalid:1", "--timeout", "1m"]);
    let why = "UNAVAILABLE (14) from test-client: cannot reach service-a at http://nobody.invalid:1 (name not found), ";
    assert!(ran.stderr.starts_with(why), "{ran:?}");
    assert_eq!((ran.stdout.as_str(), ran.code), ("", 78));
}

#[test]
fn says_that_the_connection_was_lost() {
    let url = servers::peer(servers::SETTINGS, servers::reset_after_the_request);
    let ran = client(["echo", "x", "--service-a", &url]);
    let why = "UNAVAILABLE (#) from test-client: the connection to service-a was lost (reset), # ms\n";
    assert_eq!((digits_out(&ran.stderr).as_str(), ran.stdout.as_str(), ran.code), (why, "", 78));
}

#[test]
fn says_that_something_else_answers_there() {
    let url = servers::peer(b"HTTP/1.1 400 Bad Request\r\n\r\n", |mut stream| {
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let ran = client(["echo", "x", "--service-a", &url]);
    let why = format!(
        "UNAVAILABLE (14) from test-client: what answers for service-a at {url} is not a gRPC server (not HTTP/2), "
    );
    assert!(ran.stderr.starts_with(&why), "{ran:?}");
    assert_eq!((ran.stdout.as_str(), ran.code), ("", 78));
}

#[test]
fn keeps_its_deadline_while_nobody_speaks() {
    let (_listener, url) = servers::silent();
    let ran = client(["call-echo", "x", "--service-b", &url, "--timeout", "100ms"]);
    let why = "DEADLINE_EXCEEDED (#) from test-client: no answer from service-b within the deadline, # ms of # ms\n";
    assert_eq!(digits_out(&ran.stderr), why);
    assert!(ran.stderr.ends_with(" ms of 100 ms\n"), "{ran:?}");
    assert_eq!((ran.stdout.as_str(), ran.code), ("", 68));
}

#[test]
fn says_that_its_deadline_passed_while_it_connected() {
    let peer = Peer::start("vanish").unwrap();
    for flags in [&[][..], &["--wait-for-ready"]] {
        let ran = client([&["echo", "x", "--service-a", &peer.url(), "--timeout", "300ms"], flags].concat());
        let why = format!(
            "DEADLINE_EXCEEDED (4) from test-client: cannot reach service-a at {} within the deadline (connect timeout), ",
            peer.url()
        );
        assert!(ran.stderr.starts_with(&why) && ran.stderr.ends_with(" ms of 300 ms\n"), "{ran:?}");
        assert_eq!((ran.stdout.as_str(), ran.code), ("", 68));
    }
}

#[test]
fn says_what_it_waited_for_when_the_service_never_was_ready() {
    let (_port, nobody) = servers::nobody();
    let ran = client(["echo", "x", "--service-a", &nobody, "--wait-for-ready", "--timeout", "300ms"]);
    let why = format!(
        "DEADLINE_EXCEEDED (4) from test-client: cannot reach service-a at {nobody} within the deadline (connection refused), "
    );
    assert!(ran.stderr.starts_with(&why) && ran.stderr.ends_with(" ms of 300 ms\n"), "{ran:?}");
    assert_eq!((ran.stdout.as_str(), ran.code), ("", 68));
}

#[test]
fn waits_for_a_service_that_comes_later() {
    let peer = Peer::start("close-on-accept").unwrap();
    let url = peer.url();
    let client = std::thread::spawn(move || client(["echo", "x", "--service-a", &url, "--wait-for-ready"]));
    // Its first try has failed by now.
    while peer.next_event(Duration::from_secs(10)).expect("the client connects").kind != EventKind::Closed {}
    peer.behave("echo").unwrap();
    let ran = client.join().unwrap();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str(), ran.code), ("{\"echo\": \"x\"}\n", "", 0));
}

#[test]
fn tells_an_answer_that_it_cannot_believe_by_grpcs_own_code() {
    for (name, code, number, sentence, details) in [
        ("http-401-html", "UNAUTHENTICATED", 16, "what answers for service-a at # is not a gRPC server", "HTTP 401"),
        ("http-503-html", "UNAVAILABLE", 14, "what answers for service-a at # is not a gRPC server", "HTTP 503"),
        ("two-messages", "UNIMPLEMENTED", 12, "the answer of service-a broke the protocol", "two messages"),
        ("no-trailers", "UNKNOWN", 2, "the answer of service-a broke the protocol", "no status"),
        ("rst-8-before-headers", "CANCELLED", 1, "service-a reset the call", "RST_STREAM 8"),
        ("goaway-0", "UNAVAILABLE", 14, "service-a is going away", "going away"),
    ] {
        let peer = Peer::start(name).unwrap();
        let ran = client(["echo", "x", "--service-a", &peer.url()]);
        let sentence = sentence.replace('#', &peer.url());
        let why = format!("{code} ({number}) from test-client: {sentence} ({details}), ");
        assert!(ran.stderr.starts_with(&why) && ran.stderr.lines().count() == 1, "{name}: {ran:?}");
        assert_eq!((ran.stdout.as_str(), ran.code), ("", 64 + number), "{name}");
    }
}

#[test]
fn keeps_the_code_of_a_status_whose_details_are_broken() {
    for (name, said) in [
        ("bad-details", "UNAVAILABLE (14) from service-a-or-proxy, "),
        ("bad-message-utf8", "NOT_FOUND (5) from service-a-or-proxy: \u{fffd}\u{fffd}, "),
    ] {
        let peer = Peer::start(name).unwrap();
        let ran = client(["echo", "x", "--service-a", &peer.url()]);
        assert!(ran.stderr.starts_with(said), "{name}: {ran:?}");
    }
}

#[test]
fn keeps_its_deadline_during_the_call() {
    let url = servers::peer(servers::SETTINGS, |mut stream| {
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let ran = client(["echo", "x", "--service-a", &url, "-H", "grpc-timeout: 100m"]);
    let why = "DEADLINE_EXCEEDED (#) from test-client: no answer from service-a within the deadline, # ms of # ms\n";
    assert_eq!(digits_out(&ran.stderr), why);
    assert!(ran.stderr.ends_with(" ms of 100 ms\n"), "{ran:?}");
    assert_eq!(ran.code, 68);
}

#[test]
fn sends_nothing_when_there_is_no_time() {
    let a = servers::service_a();
    let ran = client(["echo", "x", "-v", "--service-a", &a.url, "--timeout", "0s"]);
    let why = "DEADLINE_EXCEEDED (#) from test-client: the deadline passed before the call was sent, # ms of # ms\n";
    assert_eq!((digits_out(&ran.stderr).as_str(), ran.stdout.as_str(), ran.code), (why, "", 68));
}

#[test]
fn passes_on_b_s_own_refusal_without_the_labs_line() {
    let a = servers::service_a();
    let b = servers::service_b(&a.url);
    let ran = client(["call-echo", "", "--service-b", &b.url]);
    let why = "INVALID_ARGUMENT (#) from service-b: Missing 'msg' parameter [MSG_REQUIRED], # ms\n";
    assert_eq!((digits_out(&ran.stderr).as_str(), ran.stdout.as_str(), ran.code), (why, "", 67));
}

#[test]
fn passes_on_that_a_message_is_too_large() {
    let a = servers::service_a();
    let ran = client(["echo", &"x".repeat(100 << 10), "--service-a", &a.url]);
    assert!(ran.stderr.starts_with("RESOURCE_EXHAUSTED (8) from service-a: "), "{}", ran.stderr);
    assert!(ran.stderr.contains("[MESSAGE_TOO_LARGE]"), "{}", ran.stderr);
    assert_eq!((ran.stdout.as_str(), ran.code), ("", 72));
}

#[test]
fn does_not_say_that_the_service_spoke_where_nothing_proves_it_and_stays_on_one_line() {
    let ran = client(["call-echo", "x", "--service-b", &servers::stranger()]);
    let why = "NOT_FOUND (#) from service-b-or-proxy: no such\\nthing\\u{#b}[#J, # ms\n";
    assert_eq!((digits_out(&ran.stderr).as_str(), ran.stdout.as_str(), ran.code), (why, "", 69));
}

#[test]
fn credits_a_proxys_answer_for_a_dead_b_to_b_or_a_proxy() {
    let envoy = Peer::start("status-14").unwrap();
    let ran = client(["call-echo", "x", "--service-b", &envoy.url()]);
    let why = "UNAVAILABLE (#) from service-b-or-proxy: on purpose, # ms\n";
    assert_eq!((digits_out(&ran.stderr).as_str(), ran.stdout.as_str(), ran.code), (why, "", 78));
    let flags = ["--service-b", &envoy.url(), "--expect", "UNAVAILABLE", "--expect-hop", "service-b-or-proxy"];
    assert_eq!(client([&["call-echo", "x"], &flags[..]].concat()).code, 0);
}

#[test]
fn takes_served_by_for_proof_that_the_service_spoke() {
    let a = servers::service_a_without_details();
    let ran = client(["echo", &"x".repeat(100 << 10), "--service-a", &a.url]);
    let why = "RESOURCE_EXHAUSTED (#) from service-a: The message is over the size limit of #.# KiB, # ms\n";
    assert_eq!(digits_out(&ran.stderr), why);
}

#[test]
fn leaves_out_a_sentence_that_nobody_said() {
    let ran = client(["call-echo", "silence", "--service-b", &servers::stranger()]);
    assert_eq!((digits_out(&ran.stderr).as_str(), ran.code), ("NOT_FOUND (#) from service-b-or-proxy, # ms\n", 69));
}
