//! IPv6 addresses that mean something on one network interface only: by its name, by its number, and by no name at all.

use std::process::{Command, Output};

use lab::{child::Child, program::Program};

fn program() -> Program {
    Program::at(env!("CARGO_BIN_EXE_lab")).with_defaults()
}

/// An address and the name of its interface: a link-local one where the machine has any, else the loopback one by its number.
fn here() -> (String, String) {
    let table = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
    let link_local = rows.into_iter().find(|row| row[0].starts_with("fe80")).map(|row| {
        let groups = row[0].as_bytes().chunks(4).map(|group| str::from_utf8(group).unwrap()).collect::<Vec<_>>();
        (groups.join(":"), row[5].to_owned())
    });
    link_local.unwrap_or_else(|| ("::1".into(), "1".into()))
}

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lab")).args(args).output().unwrap()
}

fn test_client(args: &[&str]) -> Output {
    run(&[&["test-client"], args].concat())
}

#[tokio::test]
async fn listens_and_calls_by_a_zone_however_it_is_written() {
    let (ip, zone) = here();
    let a = Child::start(&program(), "service-a", &["--listen", &format!("[{ip}%{zone}]:0")]).await.unwrap();
    let port = a.address().port();
    let named = [format!("http://[{ip}%25{zone}]:{port}"), format!("[{ip}%{zone}]:{port}"), a.url()];
    for target in &named {
        let called = test_client(&["echo", "hello", "--service-a", target]);
        assert_eq!(called.status.code(), Some(0), "{target}: {}", String::from_utf8_lossy(&called.stderr));
    }
    let b = Child::start_on_free_port(&program(), "service-b", &["--service-a", &named[0]]).await.unwrap();
    let called = test_client(&["call-echo", "hello", "--service-b", &b.url()]);
    assert_eq!(called.status.code(), Some(0), "{}", String::from_utf8_lossy(&called.stderr));
}

#[tokio::test]
async fn says_in_one_sentence_that_there_is_no_such_zone() {
    let right =
        "expected a network interface of this machine after %, and a link-local address before it, not fe80::1%nosuch";
    for (role, flag, value) in [
        ("service-a", "--listen", "[fe80::1%nosuch]:8080"),
        ("service-b", "--service-a", "http://[fe80::1%25nosuch]:8080"),
    ] {
        let refused = run(&[role, flag, value]);
        let told = String::from_utf8(refused.stderr).unwrap();
        assert_eq!((refused.status.code(), told.lines().count()), (Some(2), 1), "{told}");
        assert!(told.ends_with(&format!("{right}\n")), "{told}");
    }
}
