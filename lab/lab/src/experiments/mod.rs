//! Experiments: many calls, one question, and figures for an answer.

mod callers;
mod cancels;
mod churn;
mod connections;
mod deadlines;
mod drains;
mod figures;
mod floods;
mod frozen;
mod kills;
mod load;
mod outage;
mod overload;
mod quiet;
mod replacements;
mod replicas;
mod rolling;
mod soak;
mod storm;
mod streams;

use std::{path::PathBuf, process::ExitCode};

use service_runtime::cli::{count, count_to};

use crate::{program::Program, signals::Signals};

/// Which experiment.
#[derive(Debug, clap::Subcommand)]
pub enum Experiment {
    /// Does every call end by its deadline, wherever A stalls, and how late?
    Deadlines(Size),
    /// Does A see that a caller has gone, how soon, and is nothing left in flight?
    Cancels(Size),
    /// Two replicas of A, one of them in trouble: how many calls fail, beside a stock tonic B?
    Replicas(Size),
    /// All of A is gone while the calls go on: what does it cost, and how soon is all well again?
    Outage {
        /// How long the calls go on, in seconds, a day at most
        #[arg(long, value_name = "N", default_value = "60", value_parser = seconds)]
        seconds: usize,
    },
    /// A fails a share of its calls: how many attempts does B make, and how many calls go well?
    Storm {
        /// How many calls for each share
        #[command(flatten)]
        size: Size,

        /// Write a plot (SVG) there
        #[arg(long, value_name = "FILE")]
        plot: Option<PathBuf>,
    },
    /// More calls than a service can take: how many still go well, and how soon are the others refused?
    Overload(overload::Size),
    /// Three replicas restarted one after the other under load: does any call fail?
    Rolling {
        /// How often each replica is restarted
        #[arg(long, value_name = "N", default_value = "10", value_parser = count)]
        rounds: usize,
    },
    /// A service replaced under load by one that starts first, on a shared port and on a socket that is handed over: is a call lost?
    Replacements(replacements::Size),
    /// A is killed every second and comes back: does a caller see anything but OK and UNAVAILABLE?
    Kills(kills::Size),
    /// Signals to processes with calls in flight and peers that hold them back: is a call lost, and how soon is the exit?
    Drains {
        /// How many signals are sent, each to a process of its own
        #[arg(long, value_name = "N", default_value = "100", value_parser = count)]
        rounds: usize,
    },
    /// Thousands of connections that are idle or stop halfway, and 50,000 streams at once: memory, beside a stock tonic B
    Connections {
        /// The number of idle connections; a quarter of it more never finish their handshake or their request
        #[arg(long, value_name = "N", default_value = "8000", value_parser = connections)]
        idle: usize,
    },
    /// Every flood there is, on A and on another A: how much later are the answers to A's other callers?
    Floods(floods::Which),
    /// An A that takes fewer calls at once than come, or none for a while: does any call fail that need not, beside a stock tonic B?
    Streams(streams::Size),
    /// One of two As stands still under load: how many calls fail, beside a stock tonic B?
    Frozen(frozen::Size),
    /// An A whose connections do not last: does any call fail, beside a stock tonic B?
    Churn(churn::Size),
    /// A call that nothing is heard of for long: how many PINGs does its connection see?
    Quiet(quiet::Size),
    /// Minutes of good calls and every kind of bad one: does memory grow?
    Soak {
        /// How long it goes on, in minutes, a week at most
        #[arg(long, value_name = "N", default_value = "10", value_parser = minutes)]
        minutes: usize,
    },
}

fn seconds(text: &str) -> Result<usize, String> {
    count_to(text, 24 * 3600)
}

fn minutes(text: &str) -> Result<usize, String> {
    count_to(text, 7 * 24 * 60)
}

fn connections(text: &str) -> Result<usize, String> {
    count_to(text, 1_000_000)
}

/// A hundred million calls take hours.
fn calls(text: &str) -> Result<usize, String> {
    count_to(text, 100_000_000)
}

/// How much of it.
#[derive(Debug, clap::Args)]
pub struct Size {
    /// How many calls in all
    #[arg(long, value_name = "N", default_value = "10000", value_parser = calls)]
    calls: usize,
}

/// Runs it. Exit code 0 if every call ended as it must, else 1; 130 after Ctrl-C. The figures decide nothing, but under
/// overload, where they are what must hold.
///
/// Errors: a service did not start.
pub async fn run(experiment: &Experiment) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let program = Program::this()?.with_defaults();
    let held = async {
        match experiment {
            Experiment::Deadlines(size) => deadlines::run(&program, size.calls).await,
            Experiment::Cancels(size) => cancels::run(&program, size.calls).await,
            Experiment::Replicas(size) => replicas::run(&program, size.calls).await,
            Experiment::Outage { seconds } => outage::run(&program, *seconds).await,
            Experiment::Storm { size, plot } => storm::run(&program, size.calls, plot.as_ref()).await,
            Experiment::Overload(size) => overload::run(&program, *size).await,
            Experiment::Rolling { rounds } => rolling::run(&program, *rounds).await,
            Experiment::Replacements(size) => replacements::run(&program, *size).await,
            Experiment::Kills(size) => kills::run(&program, *size).await,
            Experiment::Drains { rounds } => drains::run(&program, *rounds).await,
            Experiment::Connections { idle } => connections::run(&program, *idle).await,
            Experiment::Floods(which) => floods::run(&program, which).await,
            Experiment::Streams(size) => streams::run(&program, *size).await,
            Experiment::Frozen(size) => frozen::run(&program, *size).await,
            Experiment::Churn(size) => churn::run(&program, *size).await,
            Experiment::Quiet(size) => quiet::run(&program, *size).await,
            Experiment::Soak { minutes } => soak::run(&program, *minutes).await,
        }
    };
    tokio::select! {
        held = held => Ok(if held? { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        code = signals.next() => Ok(ExitCode::from(code)),
    }
}
