//! `lab break` as its users meet it: on a pair of its own, and on one that runs.

use std::{
    io::{BufRead, BufReader, Lines, Read, Write},
    net::TcpStream,
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use lab::failures::table::FAILURES;
use rustix::process::{Pid, Signal, kill_process};

fn lab(arguments: &[&str]) -> Command {
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
    lab.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    lab
}

fn ran(arguments: &[&str]) -> (String, Option<i32>) {
    let Output { status, stdout, stderr } = lab(arguments).output().unwrap();
    (String::from_utf8([stdout, stderr].concat()).unwrap(), status.code())
}

/// A child that is ended when the test is over.
struct Ended(Child);

impl Ended {
    fn start(arguments: &[&str]) -> (Ended, Lines<BufReader<ChildStdout>>) {
        Self::spawn(lab(arguments))
    }

    fn spawn(mut command: Command) -> (Ended, Lines<BufReader<ChildStdout>>) {
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        (Ended(child), lines)
    }

    fn interrupt(&mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.0), Signal::INT).unwrap();
        self.0.wait().unwrap().code()
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first line with `text` in it.
fn line_with(lines: &mut Lines<BufReader<ChildStdout>>, text: &str) -> String {
    lines.map(Result::unwrap).find(|line| line.contains(text)).unwrap_or_else(|| panic!("nothing said {text}"))
}

/// The same where temporary files have their place in `folder`, and there is no folder for the sockets of a session.
fn lab_with_tmpdir(folder: &str, arguments: &[&str]) -> Command {
    let mut lab = lab(arguments);
    lab.env("TMPDIR", folder).env_remove("XDG_RUNTIME_DIR");
    lab
}

/// A `lab up` on free ports: itself, the port of its B, and B's process id. What it prints is read away.
fn up() -> (Ended, String, Pid) {
    up_with("1")
}

fn up_with(replicas: &str) -> (Ended, String, Pid) {
    up_by(lab(&["up", "--port-a", "0", "--port-b", "0", "--replicas", replicas]))
}

fn up_by(command: Command) -> (Ended, String, Pid) {
    let (up, mut lines) = Ended::spawn(command);
    let b = line_with(&mut lines, "B  http://");
    line_with(&mut lines, "Ctrl-C ends");
    std::thread::spawn(move || lines.for_each(drop));
    let words: Vec<&str> = b.split_whitespace().collect();
    let [_, url, "pid", pid] = words[..] else { panic!("not a service: {b}") };
    let port = url.rsplit(':').next().unwrap().to_owned();
    (up, port, pid.parse().ok().and_then(Pid::from_raw).unwrap())
}

fn call_echo(port_b: &str) -> String {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port_b}")).unwrap();
    stream.write_all(b"GET /call-echo?msg=hello HTTP/1.1\r\nhost: b\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn lists_everything_that_can_be_broken() {
    let (list, code) = ran(&["break", "--list"]);
    assert_eq!((list.lines().count(), code), (FAILURES.len() + 1, Some(0)));
    assert!(FAILURES.iter().all(|failure| list.contains(&format!(" {} ", failure.slug))), "{list}");
}

#[test]
fn says_what_is_near_to_a_failure_that_is_none() {
    let (said, code) = ran(&["break", "frozen"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("'a-frozen' is near") && said.contains("--list") && said.lines().count() == 1, "{said}");
}

#[test]
fn breaks_a_pair_of_its_own_where_none_runs() {
    let (told, code) = ran(&["break", "a-two-messages", "--port-b", "1"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("✓ gRPC  INTERNAL · from service-b · SERVICE_A_BROKEN · two messages"), "{told}");
    assert!(told.contains("✓ JSON  500 · INTERNAL · SERVICE_A_BROKEN · two messages"), "{told}");
    assert_eq!(told.matches("healed: OK").count(), 2, "{told}");
}

#[test]
fn breaks_the_pair_that_runs_in_every_way_and_leaves_it_well() {
    let (mut up, port, _) = up();
    let scenes = ["a-frozen-deadline", "a-killed", "a-down", "a-cut", "a-unresolved", "b-overloaded", "b-drains"];
    for slug in scenes {
        let (told, code) = ran(&["break", slug, "--port-b", &port]);
        assert!(code == Some(0) && told.contains(&format!(":{port}\n")), "{slug}: {told}");
        assert!(call_echo(&port).starts_with("HTTP/1.1 200 "), "{slug}");
    }
    assert_eq!(up.interrupt(), Some(0));
}

#[test]
fn sees_in_a_log_of_any_format_what_happens_to_the_pair_that_runs() {
    for format in ["lab", "text", "json"] {
        let flags = ["up", "--port-a", "0", "--port-b", "0", "--log-format", format];
        let (mut up, port, _) = up_by(lab(&flags));
        for slug in ["caller-leaves", "a-down", "b-drains"] {
            let (told, code) = ran(&["break", slug, "--port-b", &port]);
            assert!(code == Some(0) && told.contains(&format!(":{port}\n")), "{format}, {slug}: {told}");
        }
        assert_eq!(up.interrupt(), Some(0));
    }
}

#[test]
fn leaves_it_broken_until_ctrl_c_if_asked_to() {
    let (_up, port, _) = up();
    let (mut held, mut lines) = Ended::start(&["break", "a-proxy-503", "--hold", "--port-b", &port]);
    line_with(&mut lines, "It stays so until Ctrl-C");
    assert!(call_echo(&port).contains("\"details\":\"HTTP 503\""));
    assert_eq!(held.interrupt(), Some(0));
    // The next wish is granted when the pair has been healed.
    let (told, code) = ran(&["break", "msg-missing", "--port-b", &port]);
    assert_eq!(code, Some(0), "{told}");
    assert!(call_echo(&port).starts_with("HTTP/1.1 200 "));
}

#[test]
fn starts_again_what_was_killed_by_hand() {
    let (_up, port, b) = up();
    kill_process(b, Signal::KILL).unwrap();
    let (told, code) = ran(&["break", "a-closes", "--port-b", &port]);
    assert_eq!(code, Some(0), "{told}");
    assert!(call_echo(&port).starts_with("HTTP/1.1 200 "));
}

#[test]
fn breaks_one_replica_of_three_and_no_caller_notices_or_only_who_met_it() {
    let (mut up, port, _) = up_with("3");
    for slug in
        ["a-down", "a-killed", "a-closes", "a-black-hole", "a-unresolved", "a-http1", "a-proxy-503", "a-unavailable"]
    {
        let (told, code) = ran(&["break", slug, "--port-b", &port]);
        assert!(code == Some(0) && told.contains(&format!(":{port}\n")), "{slug}: {told}");
        assert!(told.contains("expected: OK (200 over HTTP)") && told.contains("✓ JSON  200 · OK"), "{slug}: {told}");
    }
    let (told, code) = ran(&["break", "a-two-messages", "--port-b", &port]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("✓ gRPC  INTERNAL · from service-b · SERVICE_A_BROKEN · two messages"), "{told}");
    let (told, code) = ran(&["break", "caller-leaves", "--port-b", &port]);
    assert_eq!(code, Some(0), "{told}");
    assert!(call_echo(&port).starts_with("HTTP/1.1 200 "));
    assert_eq!(up.interrupt(), Some(0));
}

#[test]
fn reaches_a_pair_that_runs_where_temporary_files_have_no_usable_place() {
    let long = std::env::temp_dir().join("x".repeat(150));
    std::fs::create_dir_all(&long).unwrap();
    for folder in [long.to_str().unwrap(), "/nowhere/at/all", "/dev/null", "/proc"] {
        let (mut up, port, _) = up_by(lab_with_tmpdir(folder, &["up", "--port-a", "0", "--port-b", "0"]));
        let told = lab_with_tmpdir(folder, &["break", "msg-missing", "--port-b", &port]).output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        assert!(told.contains(&format!(":{port}\n")), "{folder}: {told}");
        assert_eq!(up.interrupt(), Some(0), "{folder}");
    }
    std::fs::remove_dir_all(&long).unwrap();
}
