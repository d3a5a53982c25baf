//! What is wrong gets a sentence: on the command line one line and exit code 2, on the wire a status of the contract.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Output, Stdio},
};

/// A process of service B before an A that is not there, killed when the test ends.
struct B {
    child: Child,
    address: String,
}

impl B {
    fn start() -> Self {
        B::start_with(&[])
    }

    fn start_with(flags: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_service-b"));
        command.args(["--listen", "127.0.0.1:0", "--service-a", "127.0.0.1:1"]).args(flags).stdout(Stdio::piped());
        // Made first, so that the process ends also when what follows does not hold.
        let mut b = B { child: command.spawn().unwrap(), address: String::new() };
        let mut log = BufReader::new(b.child.stdout.take().unwrap());
        let mut first = String::new();
        log.read_line(&mut first).unwrap();
        let (_, address) = first.trim().split_once("listening=http://").expect("the first line says where it listens");
        b.address = address.to_owned();
        // Nobody reads the rest; the log must not care.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        b
    }
}

impl Drop for B {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_service-b")).args(flags).output().unwrap()
}

/// B refuses to start, with this exit code and one line on standard error; it has logged nothing.
#[track_caller]
fn refuses(flags: &[&str], exit: i32, sentence: &str) {
    let output = run(flags);
    assert_eq!(String::from_utf8_lossy(&output.stderr), format!("error: {sentence}\n"));
    assert_eq!((output.status.code(), output.stdout.len()), (Some(exit), 0));
}

#[test]
fn says_what_to_do_when_the_port_is_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap();
    let sentence = format!("port {} is taken; try --listen 127.0.0.1:0", taken.port());
    refuses(&["--listen", &taken.to_string()], 1, &sentence);
}

#[test]
fn says_what_would_be_right_on_the_command_line() {
    refuses(&["--lisen", "x"], 2, "unexpected argument '--lisen' found; a similar argument exists: '--listen'");
    refuses(
        &["--listen", "8081"],
        2,
        "invalid value '8081' for '--listen <ADDRESS>': expected an address and a port such as 127.0.0.1:8080, or unix:/run/a.sock",
    );
    let one = "expected one address such as http://127.0.0.1:8080, dns:///host:8080 or unix:/run/a.sock";
    let origins = "expected origins such as http://localhost:5173, without a path, comma separated, or *";
    for (origin, right) in [
        ("localhost:5173", origins),
        ("http://localhost:5173/", origins),
        ("*,http://localhost", "expected * alone, for it is every origin"),
        ("null", "expected * if every sandboxed page, which all say null, may read the answers"),
    ] {
        let sentence = format!("invalid value '{origin}' for '--cors-origin <ORIGIN>': {right}");
        refuses(&["--cors-origin", origin], 2, &sentence);
    }
    for (url, right) in [
        ("nonsense", one),
        ("ftp://127.0.0.1:8080", one),
        ("http://127.0.0.1", one),
        ("http://127.0.0.1:8080/echo", one),
        ("https://127.0.0.1:8080", "expected http:// and not https://: there is no TLS yet"),
        ("ipv4:name:80", "expected an address after ipv4:, such as ipv4:127.0.0.1:8080; a name is dns:///host:8080"),
    ] {
        let sentence = format!("invalid value '{url}' for '--service-a <URL>': {right}");
        refuses(&["--service-a", url], 2, &sentence);
    }
    let sentence =
        "invalid value 'soon' for '--service-a-timeout <DURATION>': expected a duration such as 300ms, 2s or 1m";
    refuses(&["--service-a-timeout", "soon"], 2, sentence);
    let sentence = "invalid value '0s' for '--service-a-timeout <DURATION>': expected a duration above zero, such as 300ms, 2s or 1m";
    refuses(&["--service-a-timeout", "0s"], 2, sentence);
    refuses(
        &["--max-message-size", "big"],
        2,
        "invalid value 'big' for '--max-message-size <SIZE>': expected a size such as 64KiB, below 4GiB",
    );
    for behavior in ["", "sleep", "sleep-1,error-code-x", "error-code-14:10", "hop=service-b sleep-1", "sleep-3601"] {
        let expected =
            "sleep-<s>, sleep-<n>ms, keep-open, error-code-<n> or succeed-on-retry-attempt-<n>, for a share with :10%";
        let sentence = format!("invalid value '{behavior}' for '--rpc-behavior <BEHAVIOUR>': expected {expected}");
        refuses(&["--rpc-behavior", behavior], 2, &sentence);
    }
    refuses(&["--workers", "0"], 2, "invalid value '0' for '--workers <N>': expected a whole number from 1");
}

#[test]
fn says_how_large_a_value_may_be() {
    for flag in [
        "--drain-timeout",
        "--lame-duck",
        "--max-connection-idle",
        "--max-connection-age",
        "--http1-keep-alive",
        "--service-a-timeout",
        "--service-a-connect-timeout",
        "--service-a-max-backoff",
        "--service-a-keepalive",
    ] {
        for value in ["18446744073709551615s", "366d"] {
            let sentence =
                format!("invalid value '{value}' for '{flag} <DURATION>': expected a duration of at most 365d");
            refuses(&[flag, value], 2, &sentence);
        }
    }
    let most = usize::MAX;
    for (flag, value, most) in [
        ("--workers", "1025", 1024),
        ("--max-connections", "18446744073709551616", most),
        ("--max-concurrent-calls", "18446744073709551616", most),
        ("--retry-attempts", "18446744073709551616", most),
    ] {
        let right = format!("expected a whole number from 1 to {most}");
        refuses(&[flag, value], 2, &format!("invalid value '{value}' for '{flag} <N>': {right}"));
    }
    let sentence = "invalid value '4GiB' for '--max-message-size <SIZE>': expected a size such as 64KiB, below 4GiB";
    refuses(&["--max-message-size", "4GiB"], 2, sentence);
    assert!(String::from_utf8_lossy(&run(&["--help"]).stdout).contains("at most 365d; a SIZE 64KiB, below 4GiB"));
}

#[test]
fn serves_with_the_largest_values_that_its_flags_take() {
    let most = usize::MAX.to_string();
    let mut flags =
        vec!["--max-connections", &most, "--max-concurrent-calls", &most, "--max-message-size", "4294967295B"];
    flags.extend(["--retry-attempts", &most, "--service-a-connections", &most, "--service-a-subset", &most]);
    for flag in
        ["--drain-timeout", "--lame-duck", "--max-connection-idle", "--max-connection-age", "--http1-keep-alive"]
    {
        flags.extend([flag, "365d"]);
    }
    for flag in ["timeout", "connect-timeout", "max-backoff", "keepalive"].map(|flag| format!("--service-a-{flag}")) {
        flags.extend([&*flag.leak(), "365d"]);
    }
    let b = B::start_with(&flags);
    assert!(answer(&b, "GET /health").starts_with("HTTP/1.1 200 "));
    assert!(answer(&b, "GET /call-echo?msg=hello").starts_with("HTTP/1.1 503 "));
}

#[test]
fn says_how_long_a_lame_duck_has_to_be_behind_which_balancers() {
    let help = String::from_utf8(run(&["--help"]).stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    let readme = include_str!("../../README.md");
    for page in [&help, readme] {
        let page = page.split_whitespace().collect::<Vec<_>>().join(" ").replace("**", "");
        assert!(page.contains("Envoy, Caddy, or HAProxy without retries"), "{page}");
        assert!(page.contains("check intervals") && page.contains("0.4 to 1.7 % of the calls"), "{page}");
    }
}

#[test]
fn reads_flags_from_the_environment() {
    let output = Command::new(env!("CARGO_BIN_EXE_service-b")).env("ECHO_B_DRAIN_TIMEOUT", "soon").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("'--drain-timeout <DURATION>'"), "{output:?}");
}

/// The first line, the headers and the body of the answer to one request over HTTP/1.1.
fn answer(b: &B, request: &str) -> String {
    let mut stream = TcpStream::connect(&b.address).unwrap();
    write!(stream, "{request} HTTP/1.1\r\nhost: b\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn tells_plain_http_what_is_wrong() {
    let b = B::start();
    let method = "/echo.v1.CallEchoService/CallEcho";
    for (request, code, reason) in [
        (format!("POST {method}"), 415, "WRONG_CONTENT_TYPE"),
        (format!("GET {method}"), 405, "WRONG_HTTP_METHOD"),
        ("GET /nope".into(), 404, "UNKNOWN_METHOD"),
        ("GET /echo?msg=hello".into(), 404, "UNKNOWN_METHOD"),
        ("POST /echo.v1.EchoService/Echo".into(), 404, "UNKNOWN_METHOD"),
        ("POST /call-echo?msg=hello".into(), 405, "WRONG_HTTP_METHOD"),
        ("GET /call-echo?msg=%zz".into(), 400, "BAD_QUERY"),
        ("GET /call-echo?msg=%FF".into(), 400, "BAD_QUERY"),
    ] {
        let answer = answer(&b, &request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{request}: {answer}");
        assert!(answer.contains("content-type: application/json\r\n"), "{request}: {answer}");
        assert!(answer.ends_with(&format!("\"reason\":\"{reason}\"}}\n")), "{request}: {answer}");
    }
    assert!(answer(&b, "POST /call-echo").contains("allow: GET, HEAD\r\n"));
    assert!(answer(&b, &format!("GET {method}")).contains("allow: POST\r\n"));
}

#[test]
fn tells_a_grpc_caller_that_comes_over_http_1_that_it_needs_http_2() {
    let b = B::start();
    let mut stream = TcpStream::connect(&b.address).unwrap();
    let request =
        "POST /echo.v1.CallEchoService/CallEcho HTTP/1.1\r\nhost: b\r\nconnection: close\r\ncontent-length: 0";
    write!(stream, "{request}\r\ncontent-type: application/grpc\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 505 "), "{answer}");
    assert!(
        answer.ends_with("{\"error\":\"gRPC needs HTTP/2\",\"code\":\"UNIMPLEMENTED\",\"reason\":\"NEEDS_HTTP2\"}\n")
    );
}

#[test]
fn answers_head_like_get_without_the_body() {
    let b = B::start();
    let answer = answer(&b, "HEAD /health");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("content-length: 16\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn refuses_metadata_over_its_limit() {
    let b = B::start();
    for (size, code, reason) in [(12 << 10, 503, "SERVICE_A_UNREACHABLE"), (20 << 10, 431, "METADATA_TOO_LARGE")] {
        let mut stream = TcpStream::connect(&b.address).unwrap();
        let big = "x".repeat(size);
        let head = "GET /call-echo?msg=hello HTTP/1.1\r\nhost: b\r\nconnection: close";
        write!(stream, "{head}\r\nx-big: {big}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{size}: {answer}");
        assert!(answer.contains(&format!("\"reason\":\"{reason}\"")), "{size}: {answer}");
    }
}
