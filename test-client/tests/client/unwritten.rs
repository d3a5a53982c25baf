//! What cannot be written is never lost without a word: one sentence on standard error and exit code 1. Linux has a file for it.

use std::{
    fs::{self, File},
    os::unix::net::UnixStream,
    process::{Command, Stdio},
};

use crate::{Ran, run, servers};

/// A file that takes nothing: "No space left on device".
fn full() -> Stdio {
    fs::OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

/// Runs the client with that as its standard output.
fn onto(stdout: Stdio, args: &[&str]) -> Ran {
    run(Command::new(env!("CARGO_BIN_EXE_test-client")).args(args).stdout(stdout))
}

const WHY: &str = "error: cannot write to standard output: No space left on device (os error 28)\n";

/// Command lines of the client, each with something to say on standard output.
fn with_output(a: &str, b: &str) -> Vec<Vec<String>> {
    let load = "load --target echo --requests 5 --warmup 0s";
    [
        "echo hi".to_owned(),
        "call-echo hi".into(),
        "health-a".into(),
        "health-b".into(),
        "echo hi --output json".into(),
        "echo hi -v".into(),
        "echo hi --expect OK".into(),
        load.into(),
        format!("{load} --output json"),
        format!("{load} --output csv"),
        "--help".into(),
        "-h".into(),
        "load --help".into(),
        "echo --help".into(),
        "--version".into(),
    ]
    .iter()
    .map(|line| format!("{line} --service-a {a} --service-b {b}").split(' ').map(str::to_owned).collect())
    .collect()
}

#[test]
fn says_what_could_not_be_written_and_why() {
    let a = servers::service_a();
    let b = servers::service_b(&a.url);
    for args in with_output(&a.url, &b.url) {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let ran = onto(full(), &args);
        assert!(ran.stderr.ends_with(WHY) && ran.code == 1, "{args:?} {ran:?}");
        let told = ran.stderr.lines().filter(|line| !line.starts_with(['<', '>'])).count();
        assert_eq!(told, 1, "{args:?} {ran:?}");
    }
}

#[test]
fn takes_an_output_that_is_not_open_for_writing_for_one_that_cannot_be_written() {
    let a = servers::service_a();
    let ran = onto(File::open("/dev/null").unwrap().into(), &["echo", "hi", "--service-a", &a.url]);
    assert!(ran.stderr.starts_with("error: cannot write to standard output: Bad file descriptor"), "{ran:?}");
    assert_eq!(ran.code, 1);
}

#[test]
fn says_so_of_a_failed_call_too() {
    let (_port, nobody) = servers::nobody();
    let b = servers::service_b(&nobody);
    for output in ["text", "json"] {
        let ran = onto(full(), &["call-echo", "hi", "--service-b", &b.url, "--output", output]);
        assert!(ran.stderr.ends_with(WHY), "{ran:?}");
        assert_eq!((ran.stderr.lines().count(), ran.code), (if output == "text" { 2 } else { 1 }, 1), "{ran:?}");
    }
}

#[test]
fn ends_as_if_it_had_been_read_where_the_reader_has_gone() {
    let a = servers::service_a();
    let b = servers::service_b(&a.url);
    for args in with_output(&a.url, &b.url) {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let (ours, readers) = UnixStream::pair().unwrap();
        drop(readers);
        let ran = onto(std::os::fd::OwnedFd::from(ours).into(), &args);
        let told = ran.stderr.lines().filter(|line| !line.starts_with(['<', '>'])).count();
        assert_eq!((told, ran.code), (0, 0), "{args:?} {ran:?}");
    }
}

#[test]
fn says_that_the_page_of_a_load_could_not_be_written() {
    let a = servers::service_a();
    let flags = ["load", "--target", "echo", "--service-a", &a.url, "--requests", "5", "--warmup", "0s"];
    let ran = crate::client([&flags[..], &["--html", "/dev/full"]].concat());
    let why = "error: cannot write --html: No space left on device (os error 28)\n";
    assert_eq!((ran.stderr.as_str(), ran.code), (why, 1));
    assert!(ran.stdout.contains("p99.9"), "{ran:?}");
}

#[test]
fn tells_by_its_exit_code_that_standard_error_could_not_be_written() {
    let a = servers::service_a();
    let (_port, nobody) = servers::nobody();
    for (args, code) in [
        (&["echo", "hi", "-v", "--service-a", &a.url][..], 1),
        (&["echo", "hi", "--service-a", &nobody], 78),
        (&["echo", "hi", "--service-a", &a.url, "--expect", "UNAVAILABLE"], 1),
        (&["load", "--target", "echo", "--service-a", &a.url, "--requests", "5", "--fail-if", "max<1m"], 1),
        (&["echo", "hi", "--service-a", &a.url], 0),
        (&["echo", "--nonsense"], 2),
        (&["echo", "hi", "--output", "csv"], 2),
        (&[], 2),
    ] {
        let ran = run(Command::new(env!("CARGO_BIN_EXE_test-client")).args(args).stderr(full()));
        assert_eq!(ran.code, code, "{args:?} {ran:?}");
    }
}
