//! What the four commands print when all is well, and the flags that change it.

use std::{
    io::{self, Read},
    process::Command,
    time::{Duration, Instant},
};

use crate::{client, run, servers};

#[test]
fn says_that_each_service_is_well() {
    let a = servers::service_a();
    let b = servers::service_b(&a.url);
    let of_a = client(["health-a", "--service-a", &a.url]);
    assert_eq!((of_a.stdout.as_str(), of_a.stderr.as_str(), of_a.code), ("{\"status\": \"ok\"}\n", "", 0));
    let of_b = client(["health-b", "--service-b", &b.url]);
    assert_eq!((of_b.stdout.as_str(), of_b.stderr.as_str(), of_b.code), ("{\"status\": \"ok\"}\n", "", 0));
}

#[test]
fn tells_a_service_that_answers_from_one_that_serves() {
    let ran = client(["health-a", "--service-a", &servers::stranger()]);
    assert_eq!((ran.stdout.as_str(), ran.code), ("{\"status\": \"not_serving\"}\n", 4));
}

#[test]
fn echoes_any_text() {
    let a = servers::service_a();
    for (msg, line) in [
        ("hello", "{\"echo\": \"hello\"}\n"),
        ("", "{\"echo\": \"\"}\n"),
        ("grüße \"x\"\n", "{\"echo\": \"grüße \\\"x\\\"\\n\"}\n"),
    ] {
        let ran = client(["echo", msg, "--service-a", &a.url]);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str(), ran.code), (line, "", 0));
    }
}

#[test]
fn echoes_a_text_that_begins_with_a_dash() {
    let a = servers::service_a();
    let ran = client(["echo", "--service-a", &a.url, "--", "--timeout"]);
    assert_eq!(ran.stdout, "{\"echo\": \"--timeout\"}\n", "{ran:?}");
}

#[test]
fn shows_what_both_services_said() {
    let a = servers::service_a();
    let b = servers::service_b(&a.url);
    let ran = client(["call-echo", "hello", "--service-b", &b.url]);
    let line = "{\"service_b\": \"ok\", \"service_a\": {\"echo\": \"hello\"}}\n";
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str(), ran.code), (line, "", 0));
}

#[test]
fn takes_flags_before_and_after_the_command_and_from_the_environment() {
    let a = servers::service_a();
    let (_port, wrong) = servers::nobody();
    let echoed = |ran: crate::Ran| assert_eq!((ran.stdout.as_str(), ran.code), ("{\"echo\": \"x\"}\n", 0), "{ran:?}");
    echoed(client(["--service-a", &a.url, "echo", "x"]));
    echoed(client(["echo", "--service-a", &a.url, "x"]));
    let mut command = Command::new(env!("CARGO_BIN_EXE_test-client"));
    echoed(run(command.env("ECHO_CLIENT_SERVICE_A", &a.url).args(["echo", "x"])));
    command.env("ECHO_CLIENT_SERVICE_A", wrong);
    echoed(run(command.args(["--service-a", &a.url])));
}

#[test]
fn finds_service_b_by_the_environment() {
    let b = servers::service_b("127.0.0.1:1");
    let mut command = Command::new(env!("CARGO_BIN_EXE_test-client"));
    let ran = run(command.env("ECHO_CLIENT_SERVICE_B", &b.url).arg("health-b"));
    assert_eq!((ran.stdout.as_str(), ran.code), ("{\"status\": \"ok\"}\n", 0), "{ran:?}");
}

#[test]
fn sends_the_metadata_and_the_authority_it_was_given() {
    let url = servers::stranger();
    let echo = |name: &str, flags: &[&str]| {
        let ran = client([&["-H", "x-a: 1", "--service-a", &url, "echo", name], flags].concat());
        ran.stdout.trim().to_owned()
    };
    assert_eq!(echo("x-a", &["-H", "x-a:2", "-H", "x-b: 3"]), "{\"echo\": \"1, 2\"}");
    assert_eq!(echo("grpc-timeout", &["-H", "grpc-timeout: 7S"]), "{\"echo\": \"7S\"}");
    for authority in ["echo.example:443", "echo.example", "[::1]", "[::1]:8080", "127.0.0.1"] {
        let line = format!("{{\"echo\": \"{authority}\"}}");
        assert_eq!(echo("authority", &["--authority", authority]), line);
    }
}

#[test]
fn sends_what_is_left_of_the_timeout_as_the_deadline() {
    let a = servers::service_a();
    let ran = client(["echo", "x", "-v", "--timeout", "1m", "--service-a", &a.url]);
    let received = ran.stderr.lines().find_map(|line| line.strip_prefix("< received-timeout-ms: ")).unwrap();
    let received: u64 = received.parse().unwrap();
    assert!((50_000..=60_000).contains(&received), "{ran:?}");
}

#[test]
fn tells_the_metadata_before_the_result() {
    let a = servers::service_a();
    let ran = client(["-v", "echo", "x", "-H", "x-request-id: 7", "--service-a", &a.url]);
    for line in ["> x-request-id: 7", "< x-request-id: 7", "< served-by: service-a/1"] {
        assert!(ran.stderr.lines().any(|told| told == line), "{line} {ran:?}");
    }
    assert!(ran.stderr.contains("> grpc-timeout: "), "{ran:?}");
    assert_eq!((ran.stdout.as_str(), ran.code), ("{\"echo\": \"x\"}\n", 0));
}

#[test]
fn tells_everything_in_one_object() {
    let a = servers::service_a();
    let b = servers::service_b(&a.url);
    let ran = client(["call-echo", "x", "--output", "json", "--service-b", &b.url]);
    assert_eq!((ran.stderr.as_str(), ran.code), ("", 0));
    let object: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let keys: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys.join(" "), KEYS);
    assert_eq!((&object["code"], &object["code_number"]), (&"OK".into(), &0.into()));
    assert_eq!(object["response"]["service_a"]["echo"], "x");
    assert_eq!(object["served_by"], "service-b/2, service-a/1");
    assert_eq!(object["headers"]["served-by"], object["served_by"]);
    assert!(object["latency_ms"].is_u64() && object["origin"].is_null() && object["message"].is_null(), "{object}");
}

#[test]
fn tells_everything_of_a_failure_in_one_object_too() {
    let (_port, nobody) = servers::nobody();
    let b = servers::service_b(&nobody);
    let ran = client(["call-echo", "x", "--output", "json", "--service-b", &b.url]);
    assert_eq!((ran.stderr.as_str(), ran.code), ("", 78));
    let object: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let keys: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys.join(" "), KEYS);
    let origin = serde_json::json!({"hop": "service-b", "reason": "SERVICE_A_UNREACHABLE", "upstream_code": null});
    assert_eq!((&object["code"], &object["code_number"]), (&"UNAVAILABLE".into(), &14.into()));
    assert_eq!(object["message"], "Service A is unavailable: cannot connect");
    assert_eq!((&object["details"], &object["origin"]), (&"connection refused".into(), &origin));
    assert!(object["response"].is_null() && object["attempts"].is_u64(), "{object}");
    assert_eq!(object["trailers"]["served-by"], "service-b/2");
}

#[test]
fn waits_for_a_slow_reader_of_a_pipe_that_does_not_wait() {
    let a = servers::service_a();
    let (mut reader, mut writer) = io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    let before = io::copy(&mut io::repeat(b'.'), &mut writer).map_err(|full| full.kind());
    assert_eq!(before, Err(io::ErrorKind::WouldBlock));
    let mut command = Command::new(env!("CARGO_BIN_EXE_test-client"));
    let mut client = command.args(["echo", "hello", "--service-a", &a.url]).stdout(writer).spawn().unwrap();
    // It holds the end of the pipe that would keep it open.
    drop(command);
    // It has its answer long before that, and cannot print it.
    let until = Instant::now() + Duration::from_millis(500);
    while Instant::now() < until {
        assert_eq!(client.try_wait().unwrap(), None, "it has not printed the answer");
        std::thread::yield_now();
    }
    let mut printed = String::new();
    reader.read_to_string(&mut printed).unwrap();
    assert_eq!(printed.trim_start_matches('.'), "{\"echo\": \"hello\"}\n");
    assert!(client.wait().unwrap().success());
}

const KEYS: &str = "code code_number message details response origin attempts latency_ms served_by headers trailers";

#[test]
fn both_services_take_a_call_whatever_host_it_names() {
    let a = servers::service_a();
    let b = servers::service_b(&a.url);
    let where_they_are = ["--service-a", &a.url, "--service-b", &b.url];
    for authority in ["echo.example", "echo.example:443", "[::1]", "localhost"] {
        for args in [&["health-a"][..], &["health-b"], &["echo", "x"], &["call-echo", "x"]] {
            let ran = client([args, &where_they_are, &["--authority", authority]].concat());
            assert_eq!((ran.stderr.as_str(), ran.code), ("", 0), "{args:?} {authority}");
        }
        let load = ["load", "--requests", "5", "--warmup", "0s", "--fail-if", "code:OK<5", "--authority", authority];
        assert_eq!(client([&load[..], &where_they_are].concat()).code, 0, "{authority}");
    }
}
