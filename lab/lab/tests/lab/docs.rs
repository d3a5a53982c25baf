//! What the documentation says of the failures and of the attacks is what the tests ask for.

use std::process::Command;

use lab::{
    attacks::{Case, DRAINS, table::CASES},
    failures::{Expected, Failure, table::FAILURES},
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
    let departs = if failure.departs_from_the_documents() { " *" } else { "" };
    let documents = failure.by_the_documents() + departs;
    let Expected { code, http, .. } = expected;
    format!("| {row} | `{slug}` | {cause} | {by_hand} | {code} | {http} | {reason} | {bound} | {documents} |")
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

fn side_by_side(failures: &str) -> (String, String) {
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
    let output = lab.args(["side-by-side", "--only", failures]).output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// The words of our line and of stock tonic's.
fn lines_of<'a>(table: &'a str, slug: &str) -> [Vec<&'a str>; 2] {
    let lines = table.lines().filter(|line| line.contains(slug)).map(|line| line.split_whitespace().collect());
    lines.collect::<Vec<Vec<&str>>>().try_into().unwrap()
}

#[test]
fn compares_with_stock_tonic_by_grpcs_documents_and_by_ours() {
    let (table, _) = side_by_side("a-two-messages,a-bad-details,a-error,a-web-page");
    // Whether it came in time, the other tests ask.
    let [ours, stock] = lines_of(&table, "a-two-messages");
    assert_eq!((&ours[2..4], &ours[5..8]), (&["ours", "INTERNAL"][..], &["500", "✗", "UNIMPLEMENTED"][..]), "{table}");
    assert_eq!((&stock[2..4], &stock[5..]), (&["stock", "OK"][..], &["✗", "UNIMPLEMENTED", "✗", "INTERNAL", "*"][..]));
    let [ours, stock] = lines_of(&table, "a-bad-details");
    assert_eq!((&ours[2..4], &ours[5..7]), (&["ours", "UNAVAILABLE"][..], &["503", "✓"][..]), "{table}");
    assert_eq!(stock[stock.len() - 4..], ["✗", "UNAVAILABLE", "✗", "UNAVAILABLE"], "{table}");
    // To pass on what A said is right by gRPC's documents, and wrong by the contract.
    let [_, stock] = lines_of(&table, "a-error");
    assert_eq!((stock[3], &stock[5..]), ("NOT_FOUND", &["✓", "✗", "INTERNAL"][..]), "{table}");
    // tonic says INTERNAL of a web page, as the contract does; gRPC's own table has UNKNOWN.
    let [_, stock] = lines_of(&table, "a-web-page");
    assert_eq!((stock[3], &stock[5..]), ("INTERNAL", &["✗", "UNKNOWN", "✓", "*"][..]), "{table}");
    assert!(
        table.contains("By gRPC's documents, where they say something:  ours 2 of 4  stock tonic 1 of 4\n"),
        "{table}"
    );
    assert!(table.ends_with("  stock tonic 1 of 4\n"), "{table}");
}

#[test]
fn compares_in_120_columns_and_says_how_long_it_takes_and_how_far_it_is() {
    let (table, progress) = side_by_side("a-reset-after-the-answer,a-reset-11,too-late,a-frozen-deadline");
    assert!(table.lines().all(|line| line.chars().count() <= 120), "{table}");
    assert!(
        table.starts_with("4 failures, three questions each, every one with processes of its own: about "),
        "{table}"
    );
    let lines: Vec<&str> = progress.lines().collect();
    assert_eq!(lines.len(), 4, "{progress}");
    assert!(lines[1].starts_with("2 of 4, about ") && lines[1].ends_with(" s left: a-reset-11"), "{progress}");
}
