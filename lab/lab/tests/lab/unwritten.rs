//! What cannot be written is never lost without a word: one sentence on standard error and exit code 1, and nothing is left running.
//! Linux has a file that takes nothing.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

fn lab(line: &str, stdout: impl Into<Stdio>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(line.split(' ')).stdout(stdout);
    command
}

fn full() -> fs::File {
    fs::OpenOptions::new().write(true).open("/dev/full").unwrap()
}

const WHY: &str = "error: cannot write to standard output: No space left on device (os error 28)";

/// Those that run until Ctrl-C are among them: they end by themselves.
const COMMANDS: [&str; 14] = [
    "--help",
    "--version",
    "demo --help",
    "peer --list",
    "break --list",
    "attack --list",
    "demo --only 1",
    "side-by-side --only a-down",
    "attack timeout-abc",
    "break a-down --port-b 1",
    "peer echo",
    "up --port-a 0 --port-b 0",
    "service-a --help",
    "service-b --help",
];

#[test]
fn says_what_could_not_be_written_and_ends() {
    for line in COMMANDS {
        let Output { status, stderr, .. } = lab(line, full()).output().unwrap();
        // How far it is, it says before.
        let stderr = String::from_utf8_lossy(&stderr);
        let said: Vec<&str> = stderr.lines().filter(|line| !line.contains(", about ")).collect();
        assert_eq!((said, status.code()), (vec![WHY], Some(1)), "{line}");
    }
}

#[test]
fn says_nothing_where_the_reader_has_gone() {
    for line in ["--help", "peer --list", "break --list", "attack --list", "demo --only 4", "service-a --help"] {
        let (ours, readers) = UnixStream::pair().unwrap();
        drop(readers);
        let Output { status, stderr, .. } = lab(line, OwnedFd::from(ours)).output().unwrap();
        assert_eq!((String::from_utf8_lossy(&stderr).as_ref(), status.code()), ("", Some(0)), "{line}");
    }
}

#[test]
fn a_service_says_that_its_log_cannot_be_written_and_serves_on() {
    for role in ["service-a", "service-b"] {
        let line = format!("{role} --listen 127.0.0.1:0");
        let mut service = lab(&line, full()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(service.stderr.take().unwrap()).lines().map(Result::unwrap);
        let why = "error: cannot write to standard output, the log: No space left on device (os error 28); serving goes on without it";
        assert_eq!(said.next().as_deref(), Some(why));
        assert_eq!(service.try_wait().unwrap(), None);
        kill_process(Pid::from_child(&service), Signal::TERM).unwrap();
        assert_eq!((service.wait().unwrap().code(), said.next()), (Some(0), None));
    }
}
