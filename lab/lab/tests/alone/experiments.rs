//! Experiments whose exit code says whether the contract held, small: where streams are few, where a replica stands still, and
//! where connections do not last.
#![cfg(target_os = "linux")]

use std::{
    process::Command,
    sync::{Mutex, PoisonError},
};

/// One at a time.
static MACHINE: Mutex<()> = Mutex::new(());

#[track_caller]
fn holds(experiment: &str) {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
    let output = lab.args(["experiment", experiment, "--short"]).output().expect("the lab starts");
    let (table, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{table}{errors}");
}

#[test]
fn no_call_fails_that_need_not_where_streams_are_few() {
    holds("streams");
}

#[test]
fn a_replica_that_stands_still_costs_what_was_in_flight_and_a_round_more_at_the_most() {
    holds("frozen");
}

#[test]
fn no_call_fails_where_connections_do_not_last() {
    holds("churn");
}
