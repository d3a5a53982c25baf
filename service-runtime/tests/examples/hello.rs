//! `examples/hello.rs`: a service that answers over gRPC and as JSON.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use rustix::process::Signal;

use crate::process::Example;

fn start(flags: &[&str]) -> Example {
    Example::start("hello", &[&["--listen", "127.0.0.1:0"], flags].concat())
}

#[test]
fn serves_drains_and_exits_with_zero() {
    let hello = start(&[]);
    let answer = hello.get("/hello?name=you");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("{\"greeting\":\"hello, you\"}\n"), "{answer}");
    hello.terminate();
    let (status, log) = hello.ended();
    assert!(status.success(), "{status}");
    assert!(log.contains("INFO service=hello endpoint=/hello status=ok latency_ms="), "{log}");
    assert!(log.trim_end().ends_with("state=drained calls_cut=0"), "{log}");
}

#[test]
fn drains_when_its_terminal_closes_and_cuts_nothing_however_often_it_is_told() {
    let hello = start(&["--rpc-behavior", "sleep-300ms"]);
    let mut stream = TcpStream::connect(&hello.address).unwrap();
    stream.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    // What was sent before the signal is answered.
    hello.signal(Signal::HUP);
    hello.signal(Signal::HUP);
    let mut answer = String::new();
    let mut bytes = [0; 1024];
    while !answer.ends_with("}\n") {
        let length = stream.read(&mut bytes).unwrap();
        assert!(length > 0, "{answer}");
        answer += std::str::from_utf8(&bytes[..length]).unwrap();
        // The call is under way no more, and the drain may be.
        hello.signal(Signal::HUP);
    }
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let (status, log) = hello.ended();
    assert!(status.success(), "{status}");
    assert!(log.trim_end().ends_with("state=drained calls_cut=0"), "{log}");
}

#[cfg(target_os = "linux")]
#[test]
fn goes_on_ignoring_a_hangup_that_was_ignored_when_it_started() {
    let hello = Example::start_without_hangup("hello", &["--listen", "127.0.0.1:0"]);
    let status = std::fs::read_to_string(format!("/proc/{}/status", hello.pid())).unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    assert_eq!(u64::from_str_radix(ignored.trim(), 16).unwrap() & 1, 1, "{ignored}");
    hello.signal(Signal::HUP);
    assert!(hello.get("/hello").starts_with("HTTP/1.1 200"));
    hello.terminate();
    assert!(hello.ended().0.success());
}

#[test]
fn survives_a_handler_that_panics() {
    let hello = start(&[]);
    let answer = hello.get("/hello?name=panic");
    assert!(
        answer.starts_with("HTTP/1.1 500") && answer.contains("\"code\":\"UNKNOWN\",\"reason\":\"PANIC\""),
        "{answer}"
    );
    assert!(hello.get("/hello").ends_with("{\"greeting\":\"hello, world\"}\n"));
    hello.terminate();
    let (_, log) = hello.ended();
    assert!(log.contains("ERROR service=hello message=\"a handler panicked; the process lives on\" at="), "{log}");
}

#[test]
fn says_where_it_listens_whatever_the_filter() {
    let hello = start(&["--log", "off"]);
    assert!(hello.get("/hello").starts_with("HTTP/1.1 200"));
    hello.terminate();
    assert_eq!(hello.ended().1, "");
}

#[test]
fn logs_the_labs_five_fields_alone_if_asked_to_and_all_of_what_is_no_call() {
    let hello = start(&["--log-format", "lab"]);
    assert!(hello.get("/hello").starts_with("HTTP/1.1 200"));
    assert!(hello.get("/hello?name=panic").starts_with("HTTP/1.1 500"));
    hello.terminate();
    let (_, log) = hello.ended();
    let after_the_level = |line: &str| line.splitn(3, ' ').nth(2).unwrap_or_default().to_owned();
    let calls: Vec<String> = log.lines().filter(|line| line.contains("endpoint=")).map(after_the_level).collect();
    let [fine, failed] = &calls[..] else { panic!("not two calls: {log}") };
    assert!(fine.starts_with("service=hello endpoint=/hello status=ok latency_ms="), "{fine}");
    assert_eq!(fine.split(' ').count(), 4, "{fine}");
    assert!(failed.starts_with("service=hello endpoint=/hello status=error error="), "{failed}");
    assert!(failed.rsplit(' ').next().unwrap().starts_with("latency_ms="), "{failed}");
    assert!(log.contains("state=drained calls_cut=0"), "{log}");
}

#[test]
fn logs_json_that_can_be_read_back() {
    let hello = start(&["--log-format", "json"]);
    hello.get("/hello");
    hello.terminate();
    let (_, log) = hello.ended();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["service"], &lines[0]["endpoint"]), (&"hello".into(), &"/hello".into()));
    assert!(lines[0]["latency_us"].is_u64(), "{log}");
}
