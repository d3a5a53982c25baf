//! What is printed: the answer or one object on standard output, everything else on standard error.

use std::{collections::BTreeMap, io};

use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use service_runtime::{output, status::code_name};

use crate::{
    args::{Args, Command, Output},
    call::{Outcome, Single},
    lines, python_json,
    units::millis,
};

/// Prints the outcome in the form that was asked for. Errors: standard output takes no more.
pub fn print(args: &Args, outcome: &Outcome) -> io::Result<()> {
    match args.flags.output {
        Output::Json => to_stdout(&object(outcome)),
        Output::Text | Output::Csv => text(args, outcome),
    }
}

/// One line on standard error. Whatever a peer put into it, it stays one line and does nothing to the terminal.
pub fn to_stderr(line: &str) {
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    output::complain(&line.chars().map(escaped).collect::<String>());
}

/// Lines on standard output. Errors: it takes no more, for a disk is full; not that its reader has closed the pipe, for he has what
/// he wanted.
pub fn line_to_stdout(line: &str) -> io::Result<()> {
    output::print(&format!("{line}\n"))
}

/// Says that standard output takes no more.
pub fn tell_unwritten(error: &io::Error) {
    to_stderr(&format!("error: cannot write to standard output: {error}"));
}

fn to_stdout(value: &Value) -> io::Result<()> {
    line_to_stdout(&python_json::to_string(value))
}

fn text(args: &Args, outcome: &Outcome) -> io::Result<()> {
    if args.flags.verbose {
        tell_metadata('>', &outcome.sent);
        tell_metadata('<', outcome.received());
    }
    match &outcome.result {
        Ok(answer) => to_stdout(&answer.message),
        Err(failure) => {
            let printed =
                match matches!(args.command, Command::Single(Single::CallEcho(_))) && failure.is_about_service_a() {
                    true => to_stdout(&lines::service_a_failed(failure)),
                    false => Ok(()),
                };
            to_stderr(&lines::why(failure, outcome));
            printed
        }
    }
}

fn tell_metadata(direction: char, metadata: &HeaderMap) {
    for (name, value) in metadata {
        to_stderr(&format!("{direction} {name}: {}", readable(value)));
    }
}

/// Everything that is known, as one object.
fn object(outcome: &Outcome) -> Value {
    let failure = outcome.failure();
    let origin = failure.map(|failure| &failure.origin);
    let received = pairs(outcome.received());
    let (headers, trailers) = if failure.is_none() { (received, json!({})) } else { (json!({}), received) };
    json!({
        "code": code_name(outcome.code()),
        "code_number": outcome.code() as i32,
        "message": failure.map(|failure| failure.message.as_str()),
        "details": origin.and_then(|origin| origin.details.as_deref()),
        "response": outcome.result.as_ref().ok().map(|answer| &answer.message),
        "origin": failure.map(|failure| json!({
            "hop": failure.origin.hop,
            "reason": failure.reason(),
            "upstream_code": failure.origin.upstream_code,
        })),
        "attempts": origin.and_then(|origin| origin.attempts),
        "latency_ms": millis(outcome.latency),
        "served_by": outcome.served_by(),
        "headers": headers,
        "trailers": trailers,
    })
}

/// Metadata as an object in the order of its keys; values of the same key joined as HTTP joins them.
fn pairs(metadata: &HeaderMap) -> Value {
    let joined = |name| metadata.get_all(name).iter().map(readable).collect::<Vec<_>>().join(", ");
    let sorted: BTreeMap<_, _> = metadata.keys().map(|name| (name.as_str(), joined(name))).collect();
    json!(sorted)
}

fn readable(value: &HeaderValue) -> String {
    value.to_str().map_or_else(|_| value.as_bytes().escape_ascii().to_string(), str::to_owned)
}
