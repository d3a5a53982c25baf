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

/// What became of writing to standard output, and to standard error.
pub struct Written {
    pub answer: io::Result<()>,
    pub told: io::Result<()>,
}

/// Prints the outcome in the form that was asked for. What can be written is written, whatever becomes of the rest.
pub fn print(args: &Args, call: &Single, outcome: &Outcome) -> Written {
    let Written { answer, told } = match args.flags.output {
        Output::Json => Written { answer: json_to_stdout(&object(outcome)), told: Ok(()) },
        Output::Text | Output::Csv => text(args, outcome),
    };
    let AnswerMetadata { headers, trailers } = &outcome.received;
    let is_ignored = [headers, trailers].iter().any(|metadata| metadata.contains_key(BEHAVIOR_IGNORED));
    let warned = warn_of_ignored_behavior(is_ignored, call.service());
    Written { answer, told: told.and(warned) }
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

/// The same for standard error: a code that tells of a failure tells more than 1.
pub fn told_or(told: &io::Result<()>, code: u8) -> u8 {
    if told.is_err() && code == 0 { UNWRITTEN } else { code }
}

/// One line on standard output.
pub fn json_to_stdout(value: &Value) -> io::Result<()> {
    to_stdout(&format!("{}\n", python_json::to_string(value)))
}

fn text(args: &Args, outcome: &Outcome) -> Written {
    let told = if args.flags.verbose { tell_metadata(outcome) } else { Ok(()) };
    match &outcome.result {
        Ok(answer) => Written { answer: json_to_stdout(&answer.message), told },
        Err(failure) => {
            let is_about_a =
                matches!(args.command, Command::Single(Single::CallEcho(_))) && failure.is_about_service_a();
            let answer = if is_about_a { json_to_stdout(&lines::service_a_failed(failure)) } else { Ok(()) };
            Written { answer, told: to_stderr(&lines::why(failure, outcome)).and(told) }
        }
    }
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
