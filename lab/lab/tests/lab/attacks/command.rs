//! `lab attack` as its users meet it.

use std::process::Command;

use hostile_peer::client::Attack;

use super::field::FIELD;

/// `lab attack`: standard output, standard error, and the exit code.
fn lab(arguments: &[&str]) -> (String, String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_lab")).arg("attack").args(arguments).output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap(), output.status.code())
}

#[test]
fn compares_with_stock_tonic_in_one_command() {
    let (table, progress, code) = lab(&["two-messages", "http1-no-host"]);
    let row = |name: &str| table.lines().filter(|line| line.contains(name)).collect::<String>();
    assert!(table.lines().all(|line| line.chars().count() <= 120), "{table}");
    assert!(progress.starts_with("1 of 2, about ") && progress.contains("left: two-messages\n2 of 2, "), "{progress}");
    assert_eq!(row("two-messages").matches("✓ UNIMPLEMENTED NOT_ONE_MESSAGE · serves on · ").count(), 2, "{table}");
    assert!(row("two-messages").contains("✗ OK · serves on · "), "{table}");
    assert_eq!(row("http1-no-host").matches("✓ HTTP 400 BAD_HOST · serves on · ").count(), 2, "{table}");
    assert!(table.ends_with("\nNot as expected:  A none  B none  stock tonic 1\n"), "{table}");
    assert_eq!(code, Some(0));
}

#[test]
fn attacks_a_server_that_runs_already() {
    let [_, b] = FIELD.targets["good-call"].clone();
    let (table, _, code) = lab(&["timeout-abc", "--target", &b.address.to_string()]);
    assert!(table.contains("✓ INTERNAL BAD_TIMEOUT · serves on · "), "{table}");
    assert_eq!(code, Some(0));
    // It is no B that lets in eight connections only.
    let (table, _, code) = lab(&["one-connection-over-8", "--target", &b.address.to_string()]);
    assert!(table.ends_with("\nNot as expected:  seen 1 (one-connection-over-8)\n"), "{table}");
    assert_eq!(code, Some(1));
}

#[test]
fn says_in_one_sentence_what_is_wrong() {
    let peer = hostile_peer::Peer::start("status-12").unwrap();
    let neither = format!("error: neither service A nor service B answers at {}", peer.address());
    for (arguments, sentence, code) in [
        (&["silnt"][..], "no attack 'silnt'; did you mean 'silent'? lab attack --list shows them all", 2),
        (&["silent", "--target", "10.0.0.1:80"], "a loopback address such as 127.0.0.1:80: it is a test tool", 2),
        (&["silent", "--list"], "cannot be used with", 2),
        (&["silent", "--target", &peer.address().to_string()], &neither, 1),
    ] {
        let (output, said, exit) = lab(arguments);
        assert!(said.contains(sentence) && said.lines().count() == 1 && output.is_empty(), "{said}");
        assert_eq!(exit, Some(code));
    }
}

#[test]
fn lists_every_attack() {
    let (list, _, code) = lab(&["--list"]);
    for group in hostile_peer::client::groups() {
        assert!(list.contains(&format!("{}:\n", group.title)));
        for (name, does) in group.list() {
            assert!(list.lines().any(|line| line.trim().starts_with(name) && line.ends_with(does)), "{name}");
        }
    }
    assert_eq!((code, "one-connection-over-5".parse::<Attack>().is_ok()), (Some(0), true));
}

#[test]
fn ends_servers_of_its_own_and_no_other() {
    let (table, _, code) = lab(&["drain-idle", "drain-watch"]);
    let row = |name: &str| table.lines().filter(|line| line.contains(name)).collect::<String>();
    assert_eq!(row("drain-idle").matches("✓ exit after ").count(), 3, "{table}");
    assert_eq!(row("drain-watch").matches("✓ NOT_SERVING, UNAVAILABLE · exit after ").count(), 2, "{table}");
    assert_eq!(code, Some(0), "{table}");
    let [_, b] = FIELD.targets["good-call"].clone();
    let (output, said, code) = lab(&["drain-idle", "--target", &b.address.to_string()]);
    assert_eq!(said, "error: 'drain-idle' ends its server; without --target it starts one of its own\n");
    assert_eq!((output.as_str(), code), ("", Some(2)));
}
