//! The pair until Ctrl-C; and that no child outlives the lab, however it ends.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// A running `lab up` on free ports.
struct Up {
    lab: Child,
    output: BufReader<std::process::ChildStdout>,
    a: Service,
    b: Service,
}

struct Service {
    address: SocketAddr,
    pid: Pid,
}

impl Up {
    fn start() -> Up {
        Up::start_with(&[])
    }

    fn start_with(flags: &[&str]) -> Up {
        let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
        let mut lab = lab
            .args(["up", "--port-a", "0", "--port-b", "0"])
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the lab starts");
        let mut output = BufReader::new(lab.stdout.take().expect("a pipe"));
        let (a, b) = (service(&mut output), service(&mut output));
        Up { lab, output, a, b }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.lab), signal).expect("it runs");
    }

    /// What it prints until it ends; a child that outlived it would keep the pipe open, so it is read to its end.
    fn rest(mut self) -> (String, Option<i32>) {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("UTF-8");
        (rest, self.lab.wait().expect("it ends").code())
    }
}

/// Reads `A  http://127.0.0.1:38829   pid 123`.
fn service(output: &mut impl BufRead) -> Service {
    let mut line = String::new();
    output.read_line(&mut line).expect("UTF-8");
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, url, "pid", pid] = words[..] else { panic!("not a service: {line}") };
    let address = url.strip_prefix("http://").and_then(|address| address.parse().ok());
    let pid = pid.parse().ok().and_then(Pid::from_raw);
    Service { address: address.expect("an address"), pid: pid.expect("a process id") }
}

impl Service {
    /// A port is closed when its process is gone. (An id would stay for as long as nobody has asked for its exit code.)
    fn is_gone_soon(&self) -> bool {
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            if TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_err() {
                return true;
            }
            thread::sleep(Duration::from_millis(5));
        }
        // Whatever the test says of it, nothing of ours stays behind.
        let _ = kill_process(self.pid, Signal::KILL);
        false
    }
}

#[test]
fn ends_both_and_exits_0_on_ctrl_c() {
    let up = Up::start();
    up.signal(Signal::INT);
    let (a, b) = (up.a.address, up.b.address);
    let (rest, code) = up.rest();
    assert_eq!(code, Some(0), "{rest}");
    for drained in ["A | ", "B | "] {
        let mut lines = rest.lines().filter(|line| line.starts_with(drained));
        assert!(lines.any(|line| line.contains("state=drained calls_cut=0")), "{rest}");
    }
    assert!([a, b].iter().all(|address| TcpStream::connect(address).is_err()));
}

#[test]
fn drains_both_when_its_terminal_closes_which_sends_more_than_one_signal() {
    let up = Up::start();
    up.signal(Signal::HUP);
    up.signal(Signal::HUP);
    let (rest, code) = up.rest();
    assert_eq!(code, Some(0), "{rest}");
    for drained in ["A | ", "B | "] {
        let mut lines = rest.lines().filter(|line| line.starts_with(drained));
        assert!(lines.any(|line| line.contains("state=drained calls_cut=0")), "{rest}");
    }
}

#[test]
fn ends_a_frozen_service_too_on_ctrl_c() {
    let up = Up::start();
    kill_process(up.a.pid, Signal::STOP).unwrap();
    up.signal(Signal::INT);
    let (rest, code) = up.rest();
    assert_eq!(code, Some(0), "{rest}");
}

#[test]
fn goes_on_when_a_is_killed_by_hand_and_says_so() {
    let mut up = Up::start();
    kill_process(up.a.pid, Signal::KILL).unwrap();
    let gone = (&mut up.output).lines().map(Result::unwrap).find(|line| line.starts_with("A is gone"));
    assert!(gone.unwrap().contains("cargo service-a --listen"));
    assert!(TcpStream::connect(up.b.address).is_ok());
    up.signal(Signal::TERM);
    assert_eq!(up.rest().1, Some(0));
}

#[test]
fn has_faults_on_in_both_and_says_how_to_ask_for_one() {
    let mut up = Up::start();
    let said: Vec<String> =
        (&mut up.output).lines().map(Result::unwrap).take_while(|line| line != "Ctrl-C ends both.").collect();
    assert!(said.contains(&"Faults on: both obey the metadata rpc-behavior.".into()), "{said:?}");
    let example = said.iter().find(|line| line.contains("-H 'rpc-behavior: sleep-3'")).unwrap();
    assert!(example.contains(&format!("--service-b http://{} call-echo hello", up.b.address)), "{example}");
    for (service, path) in [(&up.a, "/echo?msg=hello"), (&up.b, "/call-echo?msg=hello")] {
        let hop = if service.address == up.a.address { "service-a" } else { "service-b" };
        let mut stream = TcpStream::connect(service.address).unwrap();
        let asked = format!("rpc-behavior: hop={hop} error-code-5\r\nconnection: close");
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n{asked}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 404 ") && answer.contains("\"FAULT_INJECTED\""), "{answer}");
    }
    up.signal(Signal::INT);
    assert_eq!(up.rest().1, Some(0));
}

#[test]
fn leaves_no_child_behind_when_it_is_killed() {
    let up = Up::start();
    up.signal(Signal::KILL);
    assert_eq!([&up.a, &up.b].map(Service::is_gone_soon), [true, true]);
    up.rest();
}

#[test]
fn leaves_no_frozen_child_behind_when_it_is_killed() {
    let up = Up::start();
    kill_process(up.a.pid, Signal::STOP).unwrap();
    up.signal(Signal::KILL);
    assert_eq!([&up.a, &up.b].map(Service::is_gone_soon), [true, true]);
    up.rest();
}

#[test]
fn runs_three_replicas_of_a_and_tells_them_apart() {
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
    let flags = ["up", "--port-a", "0", "--port-b", "0", "--replicas", "3"];
    let mut lab = lab.args(flags).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(lab.stdout.take().unwrap());
    let services = [(); 4].map(|()| service(&mut output));
    let mut lines = output.lines().map(Result::unwrap);
    kill_process(services[1].pid, Signal::KILL).unwrap();
    let gone = lines.find(|line| line.starts_with("A2 is gone")).unwrap();
    assert!(gone.ends_with(&format!("cargo service-a --listen {} --fault-injection", services[1].address)), "{gone}");
    kill_process(Pid::from_child(&lab), Signal::INT).unwrap();
    let rest: Vec<String> = lines.collect();
    for drained in ["A1 | ", "A3 | ", "B | "] {
        let is_drained = |line: &String| line.starts_with(drained) && line.contains("state=drained calls_cut=0");
        assert!(rest.iter().any(is_drained), "{rest:?}");
    }
    assert_eq!(lab.wait().unwrap().code(), Some(0));
    assert!(services.iter().all(|service| TcpStream::connect(service.address).is_err()));
}

#[test]
fn says_that_a_port_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (flag, other) in [("--port-a", "--port-b"), ("--port-b", "--port-a")] {
        let flags = [flag, &port, other, "0"];
        let up = Command::new(env!("CARGO_BIN_EXE_lab")).arg("up").args(flags).output().unwrap();
        let said = String::from_utf8_lossy(&up.stderr);
        assert_eq!(said, format!("error: port {port} is taken; try {flag} 0, which takes a free one\n"));
        assert_eq!(up.status.code(), Some(1));
    }
}

#[test]
fn says_that_a_port_of_another_replica_is_taken() {
    // Of two neighbours that were free a moment ago the second is kept.
    let (first, taken) = loop {
        let first = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if let Some(Ok(taken)) = first.checked_add(1).map(|next| TcpListener::bind(("127.0.0.1", next))) {
            break (first, taken);
        }
    };
    let flags = ["up", "--port-a", &first.to_string(), "--port-b", "0", "--replicas", "2"];
    let up = Command::new(env!("CARGO_BIN_EXE_lab")).args(flags).output().unwrap();
    let said = String::from_utf8_lossy(&up.stderr);
    let port = taken.local_addr().unwrap().port();
    assert_eq!(said, format!("error: port {port} is taken; try --port-a 0, which takes a free one\n"));
    assert_eq!(up.status.code(), Some(1));
}

#[test]
fn says_in_one_sentence_what_is_wrong() {
    for (flags, sentence) in [
        (&["--port-a", "9000", "--port-b", "9000"][..], "A and B cannot both have port 9000; expected another one for"),
        (&["--port-a", "x"], "expected a port from 0 to 65535"),
        (&["--log-format", "xml"], "[possible values: lab, text, json]"),
        (&["--replicas", "0"], "expected a number from 1 to 100"),
    ] {
        let up = Command::new(env!("CARGO_BIN_EXE_lab")).arg("up").args(flags).output().unwrap();
        let said = String::from_utf8_lossy(&up.stderr);
        assert!(said.contains(sentence) && said.lines().count() == 1, "{said}");
        assert_eq!(up.status.code(), Some(2), "{said}");
    }
}

/// What `lab up` shows of one call that B answers, with these flags.
fn shown_of_a_call(flags: &[&str]) -> [String; 2] {
    let mut up = Up::start_with(flags);
    let mut stream = TcpStream::connect(up.b.address).unwrap();
    stream.write_all(b"GET /call-echo?msg=hello HTTP/1.1\r\nhost: b\r\nconnection: close\r\n\r\n").unwrap();
    stream.read_to_string(&mut String::new()).unwrap();
    let lines = (&mut up.output).lines().map(Result::unwrap);
    let mut calls: Vec<String> = lines.filter(|line| line.contains("endpoint")).take(2).collect();
    calls.sort();
    up.signal(Signal::INT);
    assert_eq!(up.rest().1, Some(0));
    calls.try_into().unwrap()
}

fn without_digits(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[test]
fn shows_the_labs_five_fields_of_a_call_and_more_if_asked_to() {
    let [a, b] = shown_of_a_call(&[]);
    let readme = include_str!("../../../../README.md");
    assert!(without_digits(readme).contains(&without_digits(&format!("```up\n{a}\n{b}\n"))), "{a}\n{b}");
    for (line, start) in [(a, "A | "), (b, "B | ")] {
        let words: Vec<&str> = line.strip_prefix(start).unwrap().split(' ').collect();
        let [_, "INFO", service, endpoint, "status=ok", latency] = words[..] else { panic!("not the five: {line}") };
        assert!(service.starts_with("service=") && endpoint.starts_with("endpoint=/"), "{line}");
        assert!(latency.starts_with("latency_ms=") && line.len() <= 120, "{line}");
    }
    let [a, _] = shown_of_a_call(&["--log-format", "text"]);
    assert!(a.contains(" code=OK http=200 "), "{a}");
    let [a, _] = shown_of_a_call(&["--log-format", "json"]);
    assert!(a.starts_with("A | {\"time\":") && a.contains("\"code\":\"OK\""), "{a}");
}
