//! The command `hostile-peer`, as a process.

use std::{
    io::{BufRead, BufReader, Read},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Output, Stdio},
};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostile-peer"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// What it says in one sentence on standard error, and its exit code.
fn refusal(arguments: &[&str]) -> (String, Option<i32>) {
    let Output { status, stdout, stderr } = command(arguments).output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert!(stdout.is_empty() && said.lines().count() == 1, "{said}");
    (said.trim_end().to_owned(), status.code())
}

/// A running peer; killed in the end.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts it, and reads where it listens.
fn running(arguments: &[&str]) -> (Running, SocketAddr) {
    let mut child = command(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let at = line.strip_prefix("listening=http://").and_then(|rest| rest.split(' ').next()?.parse().ok());
    (Running(child), at.unwrap_or_else(|| panic!("it does not say where it listens: {line}")))
}

/// `close-on-accept` is what answers there.
fn is_played_at(address: SocketAddr) -> bool {
    TcpStream::connect(address).unwrap().read(&mut [0]).unwrap() == 0
}

#[test]
fn plays_a_behaviour_on_a_loopback_address_or_a_name_of_one() {
    for listen in [&[][..], &["--listen", "127.0.0.1:0"], &["--listen", "localhost:0"]] {
        let (_peer, at) = running(&[&["close-on-accept"], listen].concat());
        assert!(at.ip().is_loopback() && is_played_at(at), "{listen:?}");
    }
}

#[test]
fn listens_where_others_reach_it_only_if_told_to() {
    let (said, code) = refusal(&["close-on-accept", "--listen", "0.0.0.0:9000"]);
    let wanted = "expected a loopback address such as 127.0.0.1:9000, or --expose: it is a test tool";
    assert_eq!((said, code), (format!("error: others could reach 0.0.0.0:9000; {wanted}"), Some(2)));
    let (_peer, at) = running(&["close-on-accept", "--expose", "--listen", "0.0.0.0:0"]);
    assert!(at.ip().is_unspecified() && is_played_at(([127, 0, 0, 1], at.port()).into()));
}

#[test]
fn lists_every_behaviour() {
    let output = command(&["--list"]).output().unwrap();
    let list = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    for (name, does) in hostile_peer::list() {
        assert!(list.lines().any(|line| line.trim().starts_with(name) && line.ends_with(does)), "{name}");
    }
}

#[test]
fn says_in_one_sentence_what_is_wrong_and_what_would_be_right() {
    for (arguments, sentence) in [
        (&["stal"][..], "error: no behaviour 'stal'; did you mean 'stall'? hostile-peer --list shows them all"),
        (&["stall", "--listen", "9000"], "such as 127.0.0.1:8080 or localhost:8080"),
        (&["stall", "--listen", "nobody.invalid:80"], "'nobody.invalid:80' has no address; expected one such as"),
        (&["stall", "--lisen", "127.0.0.1:0"], "a similar argument exists: '--listen'"),
        (&[], "--list every behaviour"),
    ] {
        let (said, code) = refusal(arguments);
        assert!(said.contains(sentence), "{said}");
        assert_eq!(code, Some(2), "{said}");
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    let (said, code) = refusal(&["stall", "--listen", &at]);
    assert!(said.starts_with(&format!("error: cannot listen on {at}; try --listen 127.0.0.1:0: ")), "{said}");
    assert_eq!(code, Some(1));
}
