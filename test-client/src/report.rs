//! What is printed: the answer or one object on standard output, everything else on standard error.

use std::io;

use http::HeaderMap;
use serde_json::{Value, json};
use service_runtime::{
    client::AnswerMetadata,
    context::BEHAVIOR_IGNORED,
    output::{complain, to_stderr, to_stdout},
    status::code_name,
};

use crate::{
    args::{Args, Command, Output},
    call::{Outcome, Single},
    lines, metadata,
    options::SERVICE_B,
    python_json,
    units::millis,
};

/// What there is to say could not be written, whatever it is.
const UNWRITTEN: u8 = 1;

/// Prints the outcome in the form that was asked for. Errors: what could not be written, and why.
pub fn print(args: &Args, call: &Single, outcome: &Outcome) -> io::Result<()> {
    let printed = match args.flags.output {
        Output::Json => json_to_stdout(&object(outcome)),
        Output::Text | Output::Csv => text(args, outcome),
    };
    let AnswerMetadata { headers, trailers } = &outcome.received;
    let is_ignored = [headers, trailers].iter().any(|metadata| metadata.contains_key(BEHAVIOR_IGNORED));
    let warned = warn_of_ignored_behavior(is_ignored, call.service());
    printed.and(warned)
}

/// Without this line the call would look as if the fault had been injected, and had done no harm.
pub fn warn_of_ignored_behavior(is_ignored: bool, called: &str) -> io::Result<()> {
    if !is_ignored {
        return Ok(());
    }
    let who = if called == SERVICE_B { "service-b, or service-a behind it," } else { called };
    to_stderr(&format!("warning: {who} did not do what rpc-behavior asks: start it with --fault-injection"))
}

/// `code`, where everything could be written.
pub fn written_or(written: io::Result<()>, code: u8) -> u8 {
    match written {
        Ok(()) => code,
        Err(unwritten) => {
            complain(&unwritten.to_string());
            UNWRITTEN
        }
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
    let AnswerMetadata { headers, trailers } = &outcome.received;
    tell('>', &outcome.sent)?;
    tell('<', headers)?;
    if !trailers.is_empty() {
        to_stderr("< (trailers)")?;
    }
    tell('<', trailers)
}

fn tell(direction: char, metadata: &HeaderMap) -> io::Result<()> {
    metadata::lines(metadata).iter().try_for_each(|line| to_stderr(&format!("{direction} {line}")))
}

/// Everything that is known, as one object.
fn object(outcome: &Outcome) -> Value {
    let failure = outcome.failure();
    let origin = failure.map(|failure| &failure.origin);
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
        "attempts": outcome.attempts,
        "latency_ms": millis(outcome.latency),
        "served_by": outcome.served_by(),
        "headers": metadata::object(&outcome.received.headers),
        "trailers": metadata::object(&outcome.received.trailers),
    })
}
