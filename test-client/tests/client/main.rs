//! The client as its users meet it: a process with a command line, against real servers on ports of their own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod expectations;
mod failures;
mod faults;
mod harmless;
mod load;
mod metadata;
mod outputs;
mod servers;
#[cfg(target_os = "linux")]
mod unwritten;
mod usage;

use std::process::{Command, Output};

/// What the client printed, and how it ended.
#[derive(Debug)]
struct Ran {
    stdout: String,
    stderr: String,
    code: i32,
}

/// Runs the client.
fn client<'a>(args: impl IntoIterator<Item = &'a str>) -> Ran {
    run(Command::new(env!("CARGO_BIN_EXE_test-client")).args(args))
}

fn run(command: &mut Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    Ran { stdout, stderr, code: status.code().unwrap() }
}

/// Puts `#` where digits stand, since no two runs take the same time.
fn digits_out(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' if out.ends_with('#') => {}
            '0'..='9' => out.push('#'),
            _ => out.push(c),
        }
    }
    out
}
