//! What the environment says to a process: variables that are empty, not text, or names that no header can hold.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    process::{Output, Stdio},
    time::Duration,
};

use lab::{
    child::{Child, line_with},
    http::{self, Ask},
    program::Program,
};
use tokio::{process::Command, time::timeout};

/// A process that has not ended by then has started.
const STARTS_NEVER: Duration = Duration::from_secs(10);

fn command(role: &str) -> Command {
    Program::at(env!("CARGO_BIN_EXE_lab")).with_defaults().command(role)
}

/// How `role` ends that cannot start.
async fn refused(role: &str, arguments: &[&str], variable: (&str, &[u8])) -> String {
    let mut command = command(role);
    // Its standard input is closed, which would end a child of the lab.
    command.args(arguments).env(variable.0, OsStr::from_bytes(variable.1)).env_remove(lab::tie::PARENT);
    let ended = timeout(STARTS_NEVER, command.stderr(Stdio::piped()).output()).await;
    let Output { status, stderr, .. } = ended.expect("it does not start").unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!((status.code(), stderr.lines().count()), (Some(2), 1), "{role} {variable:?} {stderr}");
    stderr.trim_end().to_owned()
}

#[tokio::test]
async fn a_variable_that_is_not_text_is_one_sentence() {
    for (role, arguments, variable) in [
        ("service-a", &[][..], "ECHO_A_LISTEN"),
        ("service-a", &[], "ECHO_A_REUSE_PORT"),
        ("service-a", &[], "ECHO_A_LOG"),
        ("service-a", &[], "POD_NAME"),
        ("service-a", &[], "RUST_LOG"),
        ("service-b", &[], "ECHO_B_SERVICE_A"),
        ("service-b", &[], "ECHO_B_SERVICE_A_TIMEOUT"),
        ("test-client", &["echo", "x"], "ECHO_CLIENT_SERVICE_A"),
    ] {
        let expected =
            format!(r#"error: the environment variable {variable} is not UTF-8: expected text, not "\xFFx""#);
        assert_eq!(refused(role, arguments, (variable, b"\xffx")).await, expected);
    }
}

#[tokio::test]
async fn a_filter_that_cannot_be_read_is_one_sentence_wherever_it_comes_from() {
    let expected = "expected a tracing filter such as info or info,h2=warn";
    for filter in ["h2=loud", "[", "a=b=c", ",", " "] {
        let told = refused("service-a", &[], ("RUST_LOG", filter.as_bytes())).await;
        assert_eq!(told, format!("error: invalid value '{filter}' for RUST_LOG: {expected}"));
        let told = refused("service-a", &[], ("ECHO_A_LOG", filter.as_bytes())).await;
        assert_eq!(told, format!("error: invalid value '{filter}' for '--log <FILTER>': {expected}"));
    }
    let told = refused("service-a", &["--log", ""], ("RUST_LOG", b"info")).await;
    assert!(told.starts_with("error: ") && told.contains("--log <FILTER>"), "{told}");
}

/// What A says of a call with these variables: its log line and its `served-by`.
async fn asked(variables: &[(&str, &str)]) -> (String, String) {
    let program = Program::at(env!("CARGO_BIN_EXE_lab")).with_defaults().with_variables(variables);
    let mut a = Child::start_on_free_port(&program, "service-a", &[]).await.unwrap();
    let answer = http::ask(a.address(), &Ask::get("/echo?msg=hello")).await.unwrap();
    assert_eq!(answer.status, 200, "{answer}");
    let line = line_with(&mut a.log(), "endpoint=/echo").await.unwrap();
    (line, answer.headers["served-by"].to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_variable_that_is_empty_is_as_good_as_none() {
    let flags = "LISTEN DRAIN_TIMEOUT LAME_DUCK MAX_MESSAGE_SIZE MAX_CONCURRENT_CALLS MAX_CONNECTIONS \
                 MAX_CONNECTION_IDLE MAX_CONNECTION_AGE WORKERS INSTANCE NO_REFLECTION REUSE_PORT FAULT_INJECTION \
                 RPC_BEHAVIOR LOG LOG_FORMAT";
    let names: Vec<String> = flags.split_whitespace().map(|flag| format!("ECHO_A_{flag}")).collect();
    let flags = names.iter().map(String::as_str);
    let variables: Vec<_> = flags.chain(["RUST_LOG", "POD_NAME"]).map(|name| (name, "")).collect();
    let (line, served_by) = asked(&variables).await;
    assert!(line.contains(" INFO service=A endpoint=/echo status=ok"), "{line}");
    let host = rustix::system::uname().nodename().to_str().unwrap().to_owned();
    assert!(served_by.starts_with(&format!("service-a/{host}-")), "{served_by}");
}

#[tokio::test]
async fn a_name_that_no_header_can_hold_is_percent_encoded() {
    for (pod, name) in [("büro-pc", "b%C3%BCro-pc"), ("a,b c/d", "a%2Cb%20c%2Fd"), ("\u{7}", "%07")] {
        let (_, served_by) = asked(&[("POD_NAME", pod)]).await;
        assert_eq!(served_by, format!("service-a/{name}"));
    }
    let (_, served_by) = asked(&[("POD_NAME", &"x".repeat(1000))]).await;
    assert_eq!(served_by, format!("service-a/{}", "x".repeat(128)));
}

#[tokio::test]
async fn a_name_that_is_given_by_hand_must_be_one_that_a_header_can_hold() {
    for name in ["büro-pc", "a b", "a,b", "a/b", &"x".repeat(129)] {
        let told = refused("service-a", &["--instance", name], ("RUST_LOG", b"info")).await;
        assert!(told.ends_with(": expected 1 to 128 letters, digits or .-_: without spaces"), "{told}");
    }
}
