//! The flags of `load`, and what does not go together in them.

use std::{path::PathBuf, time::Duration};

use service_runtime::cli;

use super::{
    caller::{Kind, OWN_TEXT},
    fail_if::Condition,
};
use crate::{call::MAX_MESSAGE, headers::MetadataFlags};

/// How many calls an open loop keeps in flight at the most, without --concurrency.
const OPEN_LOOP_IN_FLIGHT: usize = 10_000;
/// How many callers a closed loop has, without --concurrency.
const CLOSED_LOOP_CALLERS: usize = 10;

/// The longest text whose echo fits into what the client takes, in bytes.
const MAX_SIZE: usize = MAX_MESSAGE - 64;

const EXPLANATION: &str = "\
With --rate it is an open loop: calls start at evenly spaced instants, however late the answers are, and a call's \
latency counts from the instant at which it was to start. Without --rate it is a closed loop: --concurrency callers, \
each of which makes its next call when the last one has ended.

Every call has a text of its own; an answer with another one is 'swapped'. A call without any end a second after its \
deadline is 'lost'. Only a call that was never sent, or not looked at, is made again, over another connection; a \
connection that dies is replaced.

--output json: one object with everything. --output csv: a line a second with the columns t (the second), calls (those \
that were to start in it), rate (the answers that came in it), ok, errors, p50_ms, p99_ms, max_ms, and the calls with \
each code that came at all.

--fail-if: p50, p90, p95, p99, p99.9, max, each also as ok-p99 for the calls that went well, and lag-p99, are compared \
with a duration (p99>50ms); errors, swapped, lost, not-started, code:UNAVAILABLE, hop:service-b and \
reason:SERVICE_A_TIMEOUT with a number or a share (errors>0.1%); rate with calls per second (rate<900/s). The \
operators are > < >= <=.

Exit codes: 0, also with errors in the report; 1 where a --fail-if holds, or where the \
report or the page cannot be written; 64 and the gRPC code (78 UNAVAILABLE) where not one call found a connection; 2 for a wrong command line. Ctrl-C, SIGTERM and SIGHUP end with \
the report so far.";

/// What `load` does, and when it is not content.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Load", after_long_help = EXPLANATION)]
pub struct LoadArgs {
    /// Which call to make
    #[arg(long, value_name = "CALL", default_value = "call-echo")]
    pub target: Kind,

    /// Open loop: the number of calls to start each second; without it the loop is closed
    #[arg(long, value_name = "PER_SECOND", value_parser = rate)]
    pub rate: Option<f64>,

    /// Closed loop: the number of callers [default: 10]; open loop: the most calls in flight [default: 10000]; at most
    /// 1000000
    #[arg(long, value_name = "N", value_parser = callers)]
    concurrency: Option<usize>,

    /// How many connections the calls go over, in turn; at most 100000
    #[arg(long, value_name = "N", default_value = "2", value_parser = connections)]
    pub connections: usize,

    /// How many threads make calls, at most 1024; each has connections of its own
    #[arg(long, value_name = "N", default_value = "1", value_parser = threads)]
    pub threads: usize,

    /// How long to start calls, the warm-up not included
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = cli::positive_duration,
        conflicts_with = "requests")]
    pub duration: Duration,

    /// The number of calls to make, instead of a duration
    #[arg(long, value_name = "N", value_parser = cli::count)]
    pub requests: Option<usize>,

    /// How long to make calls that do not count, before those that do
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = cli::duration)]
    pub warmup: Duration,

    /// The size of each message
    #[arg(long, value_name = "SIZE", default_value = "64B", value_parser = size)]
    pub size: usize,

    /// End with exit code 1 where this holds, such as 'p99>50ms', 'errors>0.1%', 'code:UNAVAILABLE>0'; repeatable
    #[arg(long, value_name = "CONDITION")]
    pub fail_if: Vec<Condition>,

    /// Also write the report as one web page that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Metadata to send with every call; to expect some of one is not for `load`.
    #[command(flatten)]
    pub metadata: MetadataFlags,
}

impl LoadArgs {
    /// The number of callers, or the most calls in flight.
    pub fn concurrency(&self) -> usize {
        self.concurrency.unwrap_or(if self.rate.is_some() { OPEN_LOOP_IN_FLIGHT } else { CLOSED_LOOP_CALLERS })
    }

    /// What does not go together, in one sentence: each thread needs a connection and a call of its own.
    pub fn mistake(&self) -> Option<String> {
        let threads = self.threads;
        let few = |flag: &str, n: usize| format!("--threads {threads} needs --{flag} {threads} or more, not {n}");
        let connections = (self.connections < threads).then(|| few("connections", self.connections));
        connections.or_else(|| (self.concurrency() < threads).then(|| few("concurrency", self.concurrency())))
    }
}

// Each caller, connection and thread is there from the start, and costs memory: more than this is a slip of the hand.
fn callers(text: &str) -> Result<usize, String> {
    cli::count_to(text, 1_000_000)
}

fn connections(text: &str) -> Result<usize, String> {
    cli::count_to(text, 100_000)
}

fn threads(text: &str) -> Result<usize, String> {
    cli::count_to(text, 1024)
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.trim_end_matches("/s").parse().ok().filter(|rate| (0.001..=1e7).contains(rate));
    rate.ok_or_else(|| "expected calls per second such as 2000".into())
}

fn size(text: &str) -> Result<usize, String> {
    let size = cli::size(text).ok().filter(|size| (OWN_TEXT..=MAX_SIZE).contains(size));
    size.ok_or_else(|| format!("expected a size from {OWN_TEXT}B to {MAX_SIZE}B, such as 64B or 16KiB"))
}
