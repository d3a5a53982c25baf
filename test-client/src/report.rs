//! What is printed: the answer or one object on standard output, everything else on standard error.

use std::{collections::BTreeMap, io};

use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use service_runtime::{
    output::{to_stderr, to_stdout},
    status::code_name,
};

use crate::{
    args::{Args, Command, Output},
    call::{Outcome, Single},
    lines, python_json,
    units::millis,
};

/// Prints the outcome in the form that was asked for. Errors: what could not be written, and why.
pub fn print(args: &Args, outcome: &Outcome) -> io::Result<()> {
    match args.flags.output {
        Output::Json => json_to_stdout(&object(outcome)),
        Output::Text | Output::Csv => text(args, outcome),
    }
}

/// One line on standard output.
pub fn json_to_stdout(value: &Value) -> io::Result<()> {
    to_stdout(&format!("{}\n", python_json::to_string(value)))
}

/// What can be written is written, whatever becomes of the rest.
fn text(args: &Args, outcome: &Outcome) -> io::Result<()> {
    let told = if args.flags.verbose { tell_metadata(outcome) } else { Ok(()) };
    let printed = match &outcome.result {
        Ok(answer) => json_to_stdout(&answer.message),
        Err(failure) => {
            let is_about_a =
                matches!(args.command, Command::Single(Single::CallEcho(_))) && failure.is_about_service_a();
            let printed = if is_about_a { json_to_stdout(&lines::service_a_failed(failure)) } else { Ok(()) };
            let why = to_stderr(&lines::why(failure, outcome));
            printed.and(why)
        }
    };
    printed.and(told)
}

fn tell_metadata(outcome: &Outcome) -> io::Result<()> {
    tell('>', &outcome.sent)?;
    tell('<', outcome.received())
}

fn tell(direction: char, metadata: &HeaderMap) -> io::Result<()> {
    metadata.iter().try_for_each(|(name, value)| to_stderr(&format!("{direction} {name}: {}", readable(value))))
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
