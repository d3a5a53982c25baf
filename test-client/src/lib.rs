//! Drives the pair from the command line.

use std::{ffi::OsString, process::ExitCode};

/// Runs the client with a command line of its own.
pub fn run(_argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    ExitCode::SUCCESS
}
