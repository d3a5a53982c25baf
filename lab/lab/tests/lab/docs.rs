//! What the documentation says of the failures and of the attacks is what the tests ask for.

use std::process::Command;

use lab::{
    attacks::{Case, DRAINS, table::CASES},
    failures::{Failure, table::FAILURES},
};

const FAILURES_MD: &str = include_str!("../../../../docs/failures.md");
const ATTACKS_MD: &str = include_str!("../../../../docs/attacks.md");

/// A line of the table in `docs/failures.md`.
fn line(failure: &Failure) -> String {
    let Failure { row, slug, cause, scene, expected, bound, question } = failure;
    let by_hand = match question.timeout {
        Some(timeout) => format!("{scene}, `grpc-timeout: {timeout}`").replace("–, ", ""),
        None if question.msg.is_empty() => "`cargo test-client call-echo ''`".into(),
        None => scene.to_string(),
    };
    let reason = if expected.reason.is_empty() { "–" } else { expected.reason };
    format!("| {row} | `{slug}` | {cause} | {by_hand} | {} | {} | {reason} | {bound} |", expected.code, expected.http)
}

#[test]
fn lists_every_failure_as_it_is_tested() {
    let expected: Vec<String> = FAILURES.iter().map(line).collect();
    let written: Vec<&str> =
        FAILURES_MD.lines().filter(|line| line.starts_with("| ") && line.contains(" | `")).collect();
    assert_eq!(written, expected, "the table should be:\n{}", expected.join("\n"));
}

/// The beginning of a line of the table in `docs/attacks.md`; after it comes what stock tonic did, once.
fn attack_line(case: &Case) -> String {
    format!("| `{}` | {} | {} | ", case.name, case.attack().does(), case.expected)
}

#[test]
fn lists_every_attack_as_it_is_tested() {
    let drains = DRAINS.iter().map(|drain| format!("| `{}` | {} | {drain} | ", drain.name, drain.does));
    let mut expected: Vec<String> = CASES.iter().map(attack_line).chain(drains).collect();
    let mut written: Vec<&str> = ATTACKS_MD.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(written.len(), expected.len());
    // The page has them in groups, the command the long ones last.
    expected.sort();
    written.sort_unstable();
    for (written, expected) in written.iter().zip(&expected) {
        let stock =
            written.strip_prefix(expected.as_str()).unwrap_or_else(|| panic!("{written}\nshould be {expected}"));
        assert!(stock.len() > " |".len(), "{written}");
    }
}

#[test]
fn compares_with_stock_tonic_in_one_command() {
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
    let output = lab.args(["side-by-side", "--only", "a-two-messages,a-bad-details"]).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    let row = |slug: &str| table.lines().find(|line| line.contains(slug)).unwrap().to_owned();
    // Whether it came in time, the other tests ask.
    assert!(row("a-two-messages").contains(" INTERNAL SERVICE_A_BROKEN, "), "{table}");
    assert!(row("a-two-messages").contains("✗ OK, "), "{table}");
    assert!(row("a-bad-details").contains(" 503 SERVICE_A_UNAVAILABLE, "), "{table}");
    assert!(table.ends_with("  stock tonic 0\n"), "{table}");
}
