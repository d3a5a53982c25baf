//! The command line: which call, where to, with what, and what is expected of it.

use std::time::Duration;

use clap::{Subcommand, ValueEnum, builder::PossibleValuesParser};
use http::HeaderMap;
use service_runtime::{
    cli,
    client::Target,
    status::{CODE_NAMES, code_of_name},
};
use tonic::Code;

use crate::{headers::Headers, load::args::LoadArgs};

/// What the client calls itself where it is the hop that decided.
pub const TEST_CLIENT: &str = "test-client";
/// The name of A.
pub const SERVICE_A: &str = "service-a";
/// The name of B.
pub const SERVICE_B: &str = "service-b";

/// Calls service A or service B, once or (`load`) many times, and says what came of it.
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
    headers: Headers,

    /// What the caller expects.
    #[command(flatten)]
    pub expect: ExpectFlags,
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

/// The calls there are.
#[derive(Debug, Subcommand)]
pub enum Single {
    /// Ask service A how it is
    HealthA(Headers),
    /// Ask service B how it is
    HealthB(Headers),
    /// Have service A echo a message
    Echo(Message),
    /// Have service B ask service A to echo a message
    CallEcho(Message),
}

/// What is to be echoed.
#[derive(Debug, clap::Args)]
pub struct Message {
    /// The message; after `--` it may begin with a dash
    #[arg(value_name = "MESSAGE")]
    pub msg: String,

    #[command(flatten)]
    headers: Headers,
}

/// Where the call goes, and how.
#[derive(Debug, clap::Args)]
pub struct CallFlags {
    /// Where A listens
    #[arg(long, global = true, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub service_a: Target,

    /// Where B listens
    #[arg(long, global = true, value_name = "URL", default_value = "http://127.0.0.1:8081")]
    pub service_b: Target,

    /// The deadline of the whole call, connecting included
    #[arg(long, global = true, value_name = "DURATION", default_value = "5s", value_parser = cli::duration)]
    pub timeout: Duration,

    /// The host and port that the call names, where they are not those of the URL
    #[arg(long, global = true, value_name = "HOST:PORT", value_parser = authority)]
    pub authority: Option<Target>,

    /// Wait until the service can be reached, instead of failing at once; the deadline ends the wait
    #[arg(long, global = true)]
    pub wait_for_ready: bool,

    /// How to print what came
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub output: Output,

    /// Tell the metadata that went out and came back
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// How the outcome is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// The lab's lines.
    Text,
    /// One object that tells everything.
    Json,
    /// A line a second; of load only.
    Csv,
}

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

    /// The hop that decided the failure
    #[arg(long = "expect-hop", global = true, value_name = "HOP",
        value_parser = PossibleValuesParser::new([SERVICE_A, SERVICE_B, TEST_CLIENT]))]
    pub hop: Option<String>,

    /// Who answered, such as 'service-b/*, service-a/2'; * stands for any text, ? for any one character
    #[arg(long = "expect-served-by", global = true, value_name = "GLOB")]
    pub served_by: Option<String>,

    /// The longest time it may take, in whole milliseconds
    #[arg(long, global = true, value_name = "DURATION", value_parser = cli::duration)]
    pub within: Option<Duration>,
}

/// The service that a call goes to.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    /// Its name, such as `service-b`.
    pub name: &'static str,
    /// Where it listens.
    pub target: &'a Target,
}

impl Args {
    /// The service that the command calls.
    pub fn called(&self) -> Called<'_> {
        let name = match &self.command {
            Command::Single(Single::HealthA(_) | Single::Echo(_)) => SERVICE_A,
            Command::Single(Single::HealthB(_) | Single::CallEcho(_)) => SERVICE_B,
            Command::Load(load) => load.target.service(),
        };
        let target = if name == SERVICE_A { &self.flags.service_a } else { &self.flags.service_b };
        Called { name, target }
    }

    /// What does not go together, in one sentence.
    pub fn mistake(&self) -> Option<String> {
        match &self.command {
            Command::Load(load) => load.mistake(self),
            Command::Single(_) if self.flags.output == Output::Csv => {
                Some("--output csv is for load: use text or json".into())
            }
            Command::Single(_) => None,
        }
    }

    /// The metadata to send: what was given before the command, then what was given after it.
    pub fn metadata(&self) -> HeaderMap {
        let after = match &self.command {
            Command::Single(Single::HealthA(headers) | Single::HealthB(headers)) => headers,
            Command::Single(Single::Echo(message) | Single::CallEcho(message)) => &message.headers,
            Command::Load(load) => &load.headers,
        };
        self.headers.followed_by(after)
    }
}

fn code(text: &str) -> Result<Code, String> {
    code_of_name(text).ok_or_else(|| format!("expected one of {}", CODE_NAMES.join(", ")))
}

fn authority(text: &str) -> Result<Target, String> {
    let target = if text.contains('/') { None } else { text.parse().ok() };
    target.ok_or_else(|| "expected a host and a port such as echo.example:8080".into())
}
