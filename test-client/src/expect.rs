//! Whether what came is what was expected, and the one line that tells the two apart.

use std::time::Duration;

use clap::builder::PossibleValuesParser;
use http::HeaderName;
use service_runtime::{
    cli,
    status::{CODE_NAMES, code_name, code_of_name},
};
use tonic::Code;

use crate::{call::Outcome, glob::matches, headers::ExpectedHeader, options::HOPS, units::millis};

/// In an answer that explains itself: the deadline as it arrived, in milliseconds.
const RECEIVED_TIMEOUT: HeaderName = HeaderName::from_static("received-timeout-ms");

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

    /// The deadline that the service got, by its own word, is shorter than this, in whole milliseconds; for call-echo that is B. Asks for the
    /// word with 'x-explain: 1'
    #[arg(long = "expect-deadline-below", global = true, value_name = "DURATION", value_parser = cli::positive_duration)]
    pub deadline_below: Option<Duration>,

    /// How often A was tried: by B for call-echo, by its own word ('x-explain: 1' asks for it); else by the client, which is once
    #[arg(long = "expect-attempts", global = true, value_name = "N", value_parser = attempts)]
    pub attempts: Option<u32>,

    /// The longest time it may take, in whole milliseconds
    #[arg(long, global = true, value_name = "DURATION", value_parser = cli::duration)]
    pub within: Option<Duration>,
}

/// Everything that is expected of a call.
pub struct Expectations<'a> {
    /// What is expected once.
    pub flags: &'a ExpectFlags,
    /// What may be expected several times.
    pub headers: Vec<&'a ExpectedHeader>,
}

impl ExpectFlags {
    /// Whether what is expected can only be told by a service that explains its answer.
    pub fn need_an_explanation(&self) -> bool {
        self.deadline_below.is_some() || self.attempts.is_some()
    }

    fn is_empty(&self) -> bool {
        let ExpectFlags { code, reason, hop, served_by, deadline_below, attempts, within } = self;
        let texts = [reason, hop, served_by].iter().any(|text| text.is_some());
        !texts && code.is_none() && deadline_below.is_none() && attempts.is_none() && within.is_none()
    }

    /// The code to expect. A reason or a hop speaks of a failure, whichever; all else without a code speaks of OK.
    fn code(&self) -> Option<Code> {
        let failure = self.reason.is_some() || self.hop.is_some();
        self.code.or((!failure).then_some(Code::Ok))
    }
}

impl Expectations<'_> {
    /// Whether nothing in particular is expected.
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty() && self.headers.is_empty()
    }

    /// `expected UNAVAILABLE from service-a, got OK after 3 ms`; `None` when everything expected came.
    pub fn unmet(&self, outcome: &Outcome) -> Option<String> {
        let sentence = || format!("expected {}, got {}", self.describe(), self.describe_outcome(outcome));
        (!self.are_met(outcome)).then(sentence)
    }

    fn are_met(&self, outcome: &Outcome) -> bool {
        let flags = self.flags;
        let failure = outcome.failure();
        let same = |expected: &Option<String>, got: Option<&str>| expected.is_none() || expected.as_deref() == got;
        let is_below = |limit: Duration| received_timeout_ms(outcome).is_some_and(|ms| ms < millis(limit));
        flags.code().is_none_or(|code| code == outcome.code())
            && same(&flags.reason, failure.and_then(|failure| failure.reason()))
            && same(&flags.hop, failure.map(|failure| failure.origin.hop.as_str()))
            && flags.served_by.as_deref().is_none_or(|glob| outcome.served_by().is_some_and(|by| matches(glob, &by)))
            && self.headers.iter().all(|header| header.is_met(&outcome.received))
            && flags.deadline_below.is_none_or(is_below)
            && flags.attempts.is_none_or(|attempts| outcome.attempts == Some(attempts))
            && flags.within.is_none_or(|within| millis(outcome.latency) <= millis(within))
    }

    fn describe(&self) -> String {
        let flags = self.flags;
        let mut text = flags.code().map_or("an error", code_name).to_owned();
        text += &flags.hop.as_ref().map(|hop| format!(" from {hop}")).unwrap_or_default();
        text += &flags.reason.as_ref().map(|reason| format!(" [{reason}]")).unwrap_or_default();
        text += &flags.served_by.as_ref().map(|glob| format!(" served by {glob}")).unwrap_or_default();
        text.extend(self.headers.iter().map(|header| format!(" with {}", header.describe())));
        if let Some(limit) = flags.deadline_below {
            text += &format!(" with a deadline below {} ms", millis(limit));
        }
        text += &flags.attempts.map(in_attempts).unwrap_or_default();
        text + &flags.within.map(|within| format!(" within {} ms", millis(within))).unwrap_or_default()
    }

    fn describe_outcome(&self, outcome: &Outcome) -> String {
        let flags = self.flags;
        let mut text = code_name(outcome.code()).to_owned();
        if let Some(failure) = outcome.failure() {
            text += &format!(" from {}", failure.origin.hop);
            text += &failure.reason().map(|reason| format!(" [{reason}]")).unwrap_or_default();
        }
        if flags.served_by.is_some() {
            text += &outcome.served_by().map_or(" without served-by".to_owned(), |by| format!(" served by {by}"));
        }
        text.extend(self.headers.iter().map(|header| header.describe_what_came(&outcome.received)));
        if flags.deadline_below.is_some() {
            let told = received_timeout_ms(outcome).map(|ms| format!(" with a deadline of {ms} ms"));
            text += &told.unwrap_or_else(|| " without received-timeout-ms".to_owned());
        }
        if flags.attempts.is_some() {
            text += &outcome.attempts.map_or(" in an unknown number of attempts".to_owned(), in_attempts);
        }
        text + &format!(" after {} ms", millis(outcome.latency))
    }
}

/// The deadline that the first service on the way got, by its own word.
fn received_timeout_ms(outcome: &Outcome) -> Option<u64> {
    outcome.received.value(&RECEIVED_TIMEOUT)?.to_str().ok()?.parse().ok()
}

fn in_attempts(attempts: u32) -> String {
    format!(" in {attempts} attempt{}", if attempts == 1 { "" } else { "s" })
}

fn code(text: &str) -> Result<Code, String> {
    code_of_name(text).ok_or_else(|| format!("expected one of {}", CODE_NAMES.join(", ")))
}

fn attempts(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "expected a whole number from 0 to 4294967295, such as 1".into())
}
