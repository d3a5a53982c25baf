//! `lab up`: the pair until Ctrl-C, for you to call and to break.

use std::{
    io::Write,
    process::{ExitCode, ExitStatus},
    time::Duration,
};

use anyhow::Context as _;
use futures_util::future::join_all;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::timeout,
};

use crate::{child::Child, pair::Pair, program::Program, signals::Signals};

/// A log ends with its process, so this is far more than it takes.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Whoever runs it wants to see faults, and nobody else calls it.
const FAULTS: &[&str] = &["--fault-injection"];

/// Where the pair listens.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The port of A; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value = "8080", value_parser = port)]
    port_a: u16,

    /// The port of B; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value = "8081", value_parser = port)]
    port_b: u16,
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "expected a port from 0 to 65535".into())
}

/// Runs the pair until Ctrl-C or SIGTERM, then drains it. Exit code 0.
///
/// Errors: a service did not start; it has said why.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let starting = Pair::start_with(FAULTS, Program::this()?, args.port_a, args.port_b);
    let mut pair = tokio::select! {
        started = starting => started.context("lab up takes --port-a and --port-b, and 0 for a free port")?,
        code = signals.next() => return Ok(ExitCode::from(code)),
    };
    say(&what_to_try(&pair));
    let logs = [tokio::spawn(print('A', pair.a.log())), tokio::spawn(print('B', pair.b.log()))];
    watch(&mut pair, &mut signals).await;
    // B first: its calls may still need A.
    for child in [&mut pair.b, &mut pair.a] {
        end(child, &mut signals).await?;
    }
    // Their last words are on their way.
    let _ = timeout(LAST_WORDS, join_all(logs)).await;
    Ok(ExitCode::SUCCESS)
}

/// Until a signal comes. A child that ends by itself, or by your hand, is part of the play.
async fn watch(pair: &mut Pair, signals: &mut Signals) {
    let (mut a_runs, mut b_runs) = (true, true);
    loop {
        tokio::select! {
            status = pair.a.ended(), if a_runs => {
                a_runs = false;
                say(&gone("A", status, &format!("cargo service-a --listen {} {}", pair.a.address(), FAULTS.join(" "))));
            }
            status = pair.b.ended(), if b_runs => {
                b_runs = false;
                let flags = format!("--listen {} --service-a {} {}", pair.b.address(), pair.a.url(), FAULTS.join(" "));
                say(&gone("B", status, &format!("cargo service-b {flags}")));
            }
            _ = signals.next() => return,
        }
    }
}

/// SIGTERM, once; and once more for each further Ctrl-C, which a service takes for impatience.
async fn end(child: &mut Child, signals: &mut Signals) -> anyhow::Result<()> {
    child.terminate()?;
    // Perhaps it was frozen by hand.
    child.thaw()?;
    loop {
        tokio::select! {
            ended = child.exited() => return ended.map(drop),
            _ = signals.next() => child.terminate()?,
        }
    }
}

async fn print(name: char, mut log: Receiver<String>) {
    loop {
        match log.recv().await {
            Ok(line) => say(&format!("{name} | {line}")),
            Err(RecvError::Lagged(lines)) => say(&format!("{name} | … {lines} lines left out")),
            Err(RecvError::Closed) => return,
        }
    }
}

fn gone(name: &str, status: Option<ExitStatus>, again: &str) -> String {
    let how = status.map_or_else(|| "nobody knows how".to_owned(), |status| status.to_string());
    format!("{name} is gone ({how}). To start it again, in another terminal: {again}")
}

fn what_to_try(pair: &Pair) -> String {
    let (a, b) = (pair.a.url(), pair.b.url());
    let pid = pair.a.pid().unwrap_or_default();
    let default = pair.a.address().port() == 8080 && pair.b.address().port() == 8081;
    let where_they_are = if default { String::new() } else { format!(" --service-a {a} --service-b {b}") };
    format!(
        "\
A  {a}   pid {pid}
B  {b}   pid {pid_b}
Faults on: both obey the metadata rpc-behavior.

In another terminal, try:
  cargo test-client{where_they_are} call-echo hello
  curl '{b}/call-echo?msg=hello'
  cargo test-client{where_they_are} call-echo hello -H 'rpc-behavior: sleep-3'   # A takes 3 s: UNAVAILABLE after 2 s
  kill -STOP {pid}     # A freezes: B answers UNAVAILABLE after 2 s
  kill -CONT {pid}     # A goes on, and so does B
  kill -9 {pid}        # A is gone: UNAVAILABLE in milliseconds, and B stays healthy
Ctrl-C ends both.
",
        pid_b = pair.b.pid().unwrap_or_default(),
    )
}

fn say(text: &str) {
    // Whoever stops reading has seen enough.
    let _ = writeln!(std::io::stdout(), "{text}");
}
