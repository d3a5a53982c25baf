//! More calls than a service may take at a time. How many of the others go well depends on who else is on the machine, and is
//! for `lab experiment overload` to judge; what holds on any machine is asked here.
#![cfg(target_os = "linux")]

use std::process::Command;

#[test]
fn refuses_at_once_what_it_cannot_take_and_loses_no_call() {
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
    let output = lab.args(["experiment", "overload", "--short"]).output().expect("the lab starts");
    let table = String::from_utf8_lossy(&output.stdout);
    // Ten times the limit, for one: whatever is refused, each call has an end, and each refusal is written in time.
    assert_eq!(table.matches("✓ 0 calls without an end").count(), 3, "{table}");
    let refusals = table.lines().find(|line| line.contains("refusals are written after")).expect("a last line");
    assert!(refusals.contains('✓') && !refusals.contains(" 0 refusals"), "{table}");
}
