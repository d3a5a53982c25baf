//! The demonstration, as a user starts it.

use std::{
    io::{BufRead, BufReader},
    net::TcpStream,
    process::{Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

fn lab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lab")).args(arguments).output().expect("the lab starts")
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

#[test]
fn shows_everything_as_expected() {
    let demo = lab(&["demo"]);
    let said = text(&demo.stdout);
    assert!(said.lines().last().unwrap().starts_with("8 suites, 34 checks, 34 ✓, "), "{said}");
    assert!(demo.status.success() && !said.contains('✗'), "{said}");
    assert!(!said.contains('\x1b'), "colour is for terminals: {said}");
    assert_eq!(text(&demo.stderr), "");
}

#[test]
fn shows_one_suite_by_its_number() {
    let demo = lab(&["demo", "--only", "1"]);
    let said = text(&demo.stdout);
    assert!(said.contains("1  Health Checks") && !said.contains("2  Success"), "{said}");
    assert!(said.lines().last().unwrap().starts_with("1 suite, 4 checks, 4 ✓, "), "{said}");
    assert!(demo.status.success());
}

#[test]
fn does_not_depend_on_the_flags_in_its_environment() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_lab"));
    demo.args(["demo", "--only", "2"]).env("ECHO_B_MAX_MESSAGE_SIZE", "1").env("ECHO_A_LISTEN", "nowhere");
    assert!(demo.output().unwrap().status.success());
}

#[test]
fn refuses_a_suite_that_is_not_there_in_one_sentence() {
    let demo = lab(&["demo", "--only", "9"]);
    assert_eq!(demo.status.code(), Some(2));
    assert_eq!(text(&demo.stderr), "error: invalid value '9' for '--only <N>': expected a suite from 1 to 8\n");
    assert_eq!(lab(&["demos"]).status.code(), Some(2));
}

#[test]
fn ends_its_children_on_ctrl_c() {
    ends_its_children(Signal::INT, 130);
}

#[test]
fn ends_its_children_when_its_terminal_closes() {
    ends_its_children(Signal::HUP, 129);
}

fn ends_its_children(signal: Signal, exit: i32) {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_lab"));
    let mut demo = demo.args(["demo", "--only", "6"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines().map(Result::unwrap);
    let b = lines.find(|line| line.starts_with("B  http://")).unwrap();
    let b = b.split_whitespace().nth(1).unwrap().strip_prefix("http://").unwrap().to_owned();
    // In the middle of a step: A is frozen, and the client waits.
    lines.find(|line| line.contains("call-echo hello")).unwrap();
    kill_process(Pid::from_child(&demo), signal).unwrap();
    assert_eq!(demo.wait().unwrap().code(), Some(exit));
    assert!(TcpStream::connect(&b).is_err());
}
