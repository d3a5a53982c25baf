//! The command line of `bench-pair`, asked as a process.

use std::process::{Command, Output};

fn bench_pair(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench-pair")).args(arguments).env("PATH", "/nowhere").output().expect("it starts")
}

#[test]
fn a_mistake_is_one_sentence_and_exit_code_2() {
    for arguments in
        [&["--jsn"][..], &["--json"], &["gat"], &["gate", "renew"], &["bare-call-echo", "--service-a", "x"]]
    {
        let output = bench_pair(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{arguments:?}: {said}");
    }
}

#[test]
fn without_valgrind_both_commands_fail_and_say_how_to_get_it() {
    for arguments in [&[][..], &["gate"]] {
        let output = bench_pair(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("apt-get install valgrind"), "{arguments:?}: {said}");
    }
}
