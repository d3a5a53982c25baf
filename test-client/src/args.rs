//! The command line: which call, where to, with what, and what is expected of it.

use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use http::{HeaderMap, HeaderValue};
use service_runtime::{
    cli,
    client::{Authority, Target},
    context::EXPLAIN,
    deadline::GRPC_TIMEOUT,
};

use crate::{
    call::Single,
    expect::{ExpectFlags, Expectations},
    headers::MetadataFlags,
    load::args::LoadArgs,
    options::{CallOptions, Called, SERVICE_A},
};

/// The exit code for a wrong command line, as clap has it.
pub const WRONG_COMMAND_LINE: u8 = 2;

/// Calls service A or service B, once or (`load`) many times, and says what came of it.
///
/// Exit codes: 0 for OK, or when everything expected came; 64 and the gRPC code on failure (78 UNAVAILABLE, 68 DEADLINE_EXCEEDED); 1 when
/// something else than expected came, or when what came could not be written (a reader that has closed its end of a pipe is no failure); 4
/// for a service that answers that it is not serving; 2 for a wrong command line.
#[derive(Debug, clap::Parser)]
#[command(name = "test-client", version, arg_required_else_help = false, disable_help_subcommand = true)]
pub struct Args {
    /// Which call to make.
    #[command(subcommand)]
    pub command: Command,

    /// Where the call goes, and how.
    #[command(flatten)]
    pub flags: CallFlags,

    #[command(flatten)]
    metadata: MetadataFlags,

    /// What the caller expects.
    #[command(flatten)]
    expect: ExpectFlags,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make one call.
    #[command(flatten)]
    Single(Single),
    /// Make many calls, and report how long they took and what came of them
    Load(Box<LoadArgs>),
}

/// Where the call goes, and how.
#[derive(Debug, clap::Args)]
pub struct CallFlags {
    /// Where A listens: http://host:8080, dns:///host:8080 or unix:/run/a.sock
    #[arg(long, global = true, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub service_a: Target,

    /// Where B listens, in the same ways
    #[arg(long, global = true, value_name = "URL", default_value = "http://127.0.0.1:8081")]
    pub service_b: Target,

    /// The deadline of the whole call, connecting included
    #[arg(long, global = true, value_name = "DURATION", default_value = "5s", value_parser = cli::duration)]
    pub timeout: Duration,

    /// The host that the call names, with a port or without one, where it is not that of the URL: echo.example
    #[arg(long, global = true, value_name = "HOST[:PORT]")]
    pub authority: Option<Authority>,

    /// Wait until the service can be reached, instead of failing at once; the deadline ends the wait
    #[arg(long, global = true)]
    pub wait_for_ready: bool,

    /// How to print what came
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub output: Output,

    /// Tell the metadata that went out and came back; trailers follow the line '< (trailers)'
    ///
    /// This flag, --output json, --expect-deadline-below and --expect-attempts ask the services for it with 'x-explain: 1': only then they tell
    /// over gRPC which deadlines they got and gave (received-timeout-ms, sent-timeout-ms), and how many attempts B made (sent-attempts).
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// How the outcome is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// The lab's lines.
    Text,
    /// One object that tells everything: a key's metadata as a string, or as an array where it came several times.
    Json,
    /// A line a second; of load only.
    Csv,
}

impl Args {
    /// Where the command's calls go, and what goes out with each.
    pub fn call_options(&self) -> CallOptions {
        let CallFlags { service_a, service_b, timeout, wait_for_ready, .. } = &self.flags;
        let name = match &self.command {
            Command::Single(call) => call.service(),
            Command::Load(load) => load.target.service(),
        };
        let target = if name == SERVICE_A { service_a } else { service_b };
        CallOptions {
            authority: match &self.flags.authority {
                Some(authority) => target.clone().with_authority(authority),
                None => target.clone(),
            },
            called: Called { name, target: target.clone() },
            timeout: *timeout,
            wait_for_ready: *wait_for_ready,
            metadata: self.sent(),
        }
    }

    /// What does not go together, in one sentence.
    pub fn mistake(&self) -> Option<String> {
        match &self.command {
            Command::Load(load) => self.mistake_of_load().or_else(|| load.mistake()),
            Command::Single(_) if self.flags.output == Output::Csv => {
                Some("--output csv is for load: use text or json".into())
            }
            Command::Single(_) => None,
        }
    }

    fn mistake_of_load(&self) -> Option<String> {
        if !self.expectations().is_empty() {
            return Some("load makes many calls, not one to expect something of: use --fail-if".into());
        }
        if self.flags.wait_for_ready {
            return Some("load does not take --wait-for-ready: a call without a connection is a result".into());
        }
        if self.flags.verbose {
            return Some("load does not take --verbose: it tells the metadata of no call".into());
        }
        let sets_timeout = self.sent().contains_key(GRPC_TIMEOUT);
        sets_timeout.then(|| "load sets grpc-timeout itself: use --timeout".into())
    }

    /// What is expected of a call.
    pub fn expectations(&self) -> Expectations<'_> {
        let headers = self.metadata.expected.followed_by(&self.metadata_after().expected);
        Expectations { flags: &self.expect, headers }
    }

    /// The metadata to send: what was given before the command, then what was given after it, and the wish for an answer that explains
    /// itself where that is to be shown, or compared.
    fn sent(&self) -> HeaderMap {
        let mut metadata = self.metadata.sent.followed_by(&self.metadata_after().sent);
        let is_shown = self.flags.verbose || self.flags.output == Output::Json;
        let is_single = matches!(self.command, Command::Single(_));
        if is_single && (is_shown || self.expect.need_an_explanation()) && !metadata.contains_key(EXPLAIN) {
            metadata.insert(EXPLAIN, HeaderValue::from_static("1"));
        }
        metadata
    }

    fn metadata_after(&self) -> &MetadataFlags {
        match &self.command {
            Command::Single(call) => call.metadata(),
            Command::Load(load) => &load.metadata,
        }
    }
}
