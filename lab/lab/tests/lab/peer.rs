//! `lab peer`: a hostile peer from the command line.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

fn peer(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lab")).arg("peer").args(arguments).output().unwrap()
}

/// What it says in one sentence on standard error, and its exit code.
fn refusal(arguments: &[&str]) -> (String, Option<i32>) {
    let output = peer(arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.stdout.is_empty() && said.lines().count() == 1, "{said}");
    (said.trim_end().to_owned(), output.status.code())
}

#[test]
fn lists_every_behaviour_in_100_columns() {
    let output = peer(&["--list"]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    for (name, does) in hostile_peer::list() {
        assert!(table.lines().any(|line| line.trim().starts_with(name) && line.ends_with(does)), "{name}");
    }
    let groups = table.lines().filter(|line| !line.starts_with(' ')).count();
    assert_eq!(groups, hostile_peer::groups().count());
    assert!(table.lines().all(|line| line.len() <= 100), "{table}");
}

#[test]
fn plays_one_behaviour_and_tells_what_it_sees_until_ctrl_c() {
    for (signal, port) in [(Signal::INT, None), (Signal::TERM, Some("127.0.0.1:0")), (Signal::HUP, None)] {
        let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
        lab.args(["peer", "http1-400"]).args(port.map(|at| ["--listen", at]).into_iter().flatten());
        let mut lab = lab.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(lab.stdout.take().unwrap()).lines().map(Result::unwrap);
        let first = lines.next().unwrap();
        let (address, what) = first.strip_prefix("listening=http://").unwrap().split_once(' ').unwrap();
        assert_eq!(what, "behaviour=http1-400: an HTTP/1.1 server: 400 Bad Request, closes");

        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).unwrap();
        assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
        drop(client);
        for event in ["connected", "connection over"] {
            let line = lines.next().unwrap();
            assert!(line.ends_with(&format!(" ms  {event}")), "{line}");
        }
        kill_process(Pid::from_child(&lab), signal).unwrap();
        assert_eq!((lab.wait().unwrap().code(), lines.next()), (Some(0), None));
    }
}

#[test]
fn says_in_one_sentence_what_is_wrong() {
    for (name, sentence) in [
        ("stal", "error: no behaviour 'stal'; did you mean 'stall'? lab peer --list shows them all"),
        ("xyz", "error: no behaviour 'xyz'; lab peer --list shows them all"),
        ("flap-0", "error: no behaviour 'flap-0'; there is flap-<1..1000>; lab peer --list shows them all"),
    ] {
        assert_eq!(refusal(&[name]), (sentence.to_owned(), Some(2)));
    }

    let (said, code) = refusal(&["stall", "--listen", "0.0.0.0:9000"]);
    let wanted = "expected a loopback address such as 127.0.0.1:9000, or --expose: it is a test tool";
    assert_eq!(said, format!("error: others could reach 0.0.0.0:9000; {wanted}"));
    assert_eq!(code, Some(2));

    let (said, code) = refusal(&["stall", "--list"]);
    assert!(said.contains("cannot be used with"), "{said}");
    assert_eq!(code, Some(2));
    assert_eq!(peer(&[]).status.code(), Some(2));

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    let (said, code) = refusal(&["stall", "--listen", &at]);
    assert!(said.starts_with(&format!("error: cannot listen on {at}; try --listen 127.0.0.1:0: ")), "{said}");
    assert_eq!(code, Some(1));
}
