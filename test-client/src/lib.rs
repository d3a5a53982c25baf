//! Drives the pair from the command line: one call, then what came of it, in the same words every time; or many (`load`).
//!
//! One file each: `args` is the command line, `call` makes the one call, with the `options` that it has, and ends in an answer
//! or a `failure`; `report` prints it, and `expect` judges it. `load` has a folder of its own.

// These panic, or say nothing, where the output cannot be written: `service_runtime::output` says it.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod call;
mod expect;
mod failure;
mod glob;
mod headers;
mod lines;
mod load;
mod metadata;
mod options;
mod python_json;
mod report;
mod units;

use std::{ffi::OsString, process::ExitCode};

use service_runtime::{
    cli,
    output::{complain, to_stderr},
};

use args::{Args, Command, WRONG_COMMAND_LINE};
use call::{Outcome, Single};

/// The call was answered, but the answer says that the service is not serving.
const NOT_SERVING: u8 = 4;

/// Runs the client with a command line of its own; the first word of it is the program's name.
///
/// Exit codes: 0 for OK, or when everything expected came; 64 and the gRPC code on failure; 1 when something else than
/// expected came, or when what came could not be written; 4 for a service that is not serving; 2 for a wrong command line. Of `load`: 0, 1 where a `--fail-if`
/// holds or the report could not be written, 64 and the code where no call found a connection, 2.
pub fn run(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Args = match cli::parse("ECHO_CLIENT", argv) {
        Ok(args) => args,
        Err(code) => return code,
    };
    if let Some(mistake) = args.mistake() {
        complain(&mistake);
        return ExitCode::from(WRONG_COMMAND_LINE);
    }
    match &args.command {
        Command::Load(load) => ExitCode::from(load::run(load, args.call_options(), args.flags.output)),
        Command::Single(call) => once(&args, call),
    }
}

/// Makes one call, and tells what came of it.
fn once(args: &Args, call: &Single) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("the system refuses a runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(call::make(call, &args.call_options()));
    // A resolver that is still looking for the name must not hold the answer back.
    runtime.shutdown_background();
    let written = report::print(args, call, &outcome);
    let code = report::told_or(&written.told, judge(args, &outcome));
    ExitCode::from(report::written_or(written.answer, code))
}

/// The exit code; says on standard error which expectation was not met.
fn judge(args: &Args, outcome: &Outcome) -> u8 {
    let expected = args.expectations();
    if expected.is_empty() {
        return own_exit_code(outcome);
    }
    let unmet = expected.unmet(outcome);
    if let Some(sentence) = &unmet {
        // Where it cannot be written, the exit code still says it.
        let _ = to_stderr(sentence);
    }
    u8::from(unmet.is_some())
}

fn own_exit_code(outcome: &Outcome) -> u8 {
    match &outcome.result {
        Err(failure) => 64 + failure.code as u8,
        Ok(answer) if answer.message.get("status").is_some_and(|status| status != "ok") => NOT_SERVING,
        Ok(_) => 0,
    }
}
