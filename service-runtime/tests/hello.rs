//! The example as a user runs it: a process of its own, asked from outside.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

/// The example, killed when the test ends.
struct Hello {
    child: Child,
    log: BufReader<ChildStdout>,
    address: String,
}

impl Hello {
    fn start(flags: &[&str]) -> Self {
        // target/<profile>/deps/this-test → target/<profile>/examples/hello, which `cargo test` has built.
        let this = std::env::current_exe().unwrap();
        let program: PathBuf = this.parent().unwrap().parent().unwrap().join("examples/hello");
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0"]).args(flags).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stdout.take().unwrap());
        // Made first, so that the process ends also when what follows does not hold.
        let mut hello = Hello { child, log, address: String::new() };
        let mut first = String::new();
        hello.log.read_line(&mut first).unwrap();
        let (_, address) = first.trim().split_once("http://").expect("the first line says where it listens");
        hello.address = address.trim_end_matches(['"', '}']).to_owned();
        hello
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn terminate(mut self) -> (ExitStatus, String) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        (status, log)
    }
}

impl Drop for Hello {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn serves_drains_and_exits_with_zero() {
    let hello = Hello::start(&[]);
    let answer = hello.get("/hello?name=you");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("{\"greeting\":\"hello, you\"}\n"), "{answer}");
    let (status, log) = hello.terminate();
    assert!(status.success(), "{status}");
    assert!(log.contains("INFO service=hello endpoint=/hello status=ok latency_ms="), "{log}");
    assert!(log.trim_end().ends_with("state=drained calls_cut=0"), "{log}");
}

#[test]
fn survives_a_handler_that_panics() {
    let hello = Hello::start(&[]);
    let answer = hello.get("/hello?name=panic");
    assert!(
        answer.starts_with("HTTP/1.1 500") && answer.contains("\"code\":\"UNKNOWN\",\"reason\":\"PANIC\""),
        "{answer}"
    );
    assert!(hello.get("/hello").ends_with("{\"greeting\":\"hello, world\"}\n"));
    let (_, log) = hello.terminate();
    assert!(log.contains("ERROR service=hello message=\"a handler panicked; the process lives on\" at="), "{log}");
}

#[test]
fn says_where_it_listens_whatever_the_filter() {
    let hello = Hello::start(&["--log", "off"]);
    assert!(hello.get("/hello").starts_with("HTTP/1.1 200"));
    assert_eq!(hello.terminate().1, "");
}

#[test]
fn logs_json_that_can_be_read_back() {
    let hello = Hello::start(&["--log-format", "json"]);
    hello.get("/hello");
    let (_, log) = hello.terminate();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["service"], &lines[0]["endpoint"]), (&"hello".into(), &"/hello".into()));
    assert!(lines[0]["latency_us"].is_u64(), "{log}");
}
