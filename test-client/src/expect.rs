//! Whether what came is what was expected, and the one line that tells the two apart.

use std::time::Duration;

use clap::builder::PossibleValuesParser;
use service_runtime::{
    cli,
    status::{CODE_NAMES, code_name, code_of_name},
};
use tonic::Code;

use crate::{call::Outcome, options::HOPS, units::millis};

/// What the caller expects; anything else is exit code 1.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Expectations (exit code 1 where they are not met)")]
pub struct ExpectFlags {
    /// The code, such as OK or UNAVAILABLE
    #[arg(long = "expect", global = true, value_name = "CODE", value_parser = code)]
    pub code: Option<Code>,

    /// The reason, such as SERVICE_A_UNREACHABLE
    #[arg(long = "expect-reason", global = true, value_name = "REASON")]
    pub reason: Option<String>,

    /// The hop that decided the failure; -or-proxy where the answer does not prove which of the two it was
    #[arg(long = "expect-hop", global = true, value_name = "HOP",
        value_parser = PossibleValuesParser::new(HOPS))]
    pub hop: Option<String>,

    /// Who answered, such as 'service-b/*, service-a/2'; * stands for any text, ? for any one character
    #[arg(long = "expect-served-by", global = true, value_name = "GLOB")]
    pub served_by: Option<String>,

    /// The longest time it may take, in whole milliseconds
    #[arg(long, global = true, value_name = "DURATION", value_parser = cli::duration)]
    pub within: Option<Duration>,
}

impl ExpectFlags {
    /// Whether nothing in particular is expected.
    pub fn is_empty(&self) -> bool {
        let ExpectFlags { code, reason, hop, served_by, within } = self;
        code.is_none() && reason.is_none() && hop.is_none() && served_by.is_none() && within.is_none()
    }

    /// The code to expect. A reason or a hop speaks of a failure, whichever; all else without a code speaks of OK.
    fn code(&self) -> Option<Code> {
        let failure = self.reason.is_some() || self.hop.is_some();
        self.code.or((!failure).then_some(Code::Ok))
    }
}

/// `expected UNAVAILABLE from service-a, got OK after 3 ms`; `None` when everything expected came.
pub fn unmet(expected: &ExpectFlags, outcome: &Outcome) -> Option<String> {
    let sentence = || format!("expected {}, got {}", describe_expected(expected), describe_outcome(expected, outcome));
    (!met(expected, outcome)).then(sentence)
}

fn met(expected: &ExpectFlags, outcome: &Outcome) -> bool {
    let failure = outcome.failure();
    let same = |expected: &Option<String>, got: Option<&str>| expected.is_none() || expected.as_deref() == got;
    expected.code().is_none_or(|code| code == outcome.code())
        && same(&expected.reason, failure.and_then(|failure| failure.reason()))
        && same(&expected.hop, failure.map(|failure| failure.origin.hop.as_str()))
        && expected.served_by.as_deref().is_none_or(|glob| outcome.served_by().is_some_and(|by| matches(glob, &by)))
        && expected.within.is_none_or(|within| millis(outcome.latency) <= millis(within))
}

fn describe_expected(expected: &ExpectFlags) -> String {
    let mut text = expected.code().map_or("an error", code_name).to_owned();
    if let Some(hop) = &expected.hop {
        text += &format!(" from {hop}");
    }
    if let Some(reason) = &expected.reason {
        text += &format!(" [{reason}]");
    }
    if let Some(glob) = &expected.served_by {
        text += &format!(" served by {glob}");
    }
    if let Some(within) = expected.within {
        text += &format!(" within {} ms", millis(within));
    }
    text
}

fn describe_outcome(expected: &ExpectFlags, outcome: &Outcome) -> String {
    let mut text = code_name(outcome.code()).to_owned();
    if let Some(failure) = outcome.failure() {
        text += &format!(" from {}", failure.origin.hop);
        text += &failure.reason().map(|reason| format!(" [{reason}]")).unwrap_or_default();
    }
    if expected.served_by.is_some() {
        text += &outcome.served_by().map_or(" without served-by".to_owned(), |by| format!(" served by {by}"));
    }
    text + &format!(" after {} ms", millis(outcome.latency))
}

/// Whether `text` is what `glob` describes: `*` any text, `?` any one character, all else itself.
fn matches(glob: &str, text: &str) -> bool {
    let Some(first) = glob.chars().next() else {
        return text.is_empty();
    };
    let rest = &glob[first.len_utf8()..];
    match first {
        '*' => text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| matches(rest, &text[at..])),
        _ => text.chars().next().is_some_and(|c| (first == '?' || first == c) && matches(rest, &text[c.len_utf8()..])),
    }
}

fn code(text: &str) -> Result<Code, String> {
    code_of_name(text).ok_or_else(|| format!("expected one of {}", CODE_NAMES.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_globs_over_the_whole_text() {
        for (glob, text) in [
            ("service-a/*", "service-a/host-1"),
            ("*", ""),
            ("*, service-a/?", "service-b/1, service-a/é"),
            ("a*b*c", "abbcbc"),
        ] {
            assert!(matches(glob, text), "{glob} {text}");
        }
        for (glob, text) in [("service-a", "service-a/1"), ("?", ""), ("a*c", "ab"), ("", "x"), ("a.c", "abc")] {
            assert!(!matches(glob, text), "{glob} {text}");
        }
    }
}
