//! The load generator as a child process, and what its report says.

use std::{process::Stdio, time::Duration};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::time::timeout;

use crate::program::Program;

/// How the calls come.
#[derive(Clone, Copy, Debug)]
pub enum Loop {
    /// That many calls a second, whatever comes back.
    Open(u32),
    /// That many callers, each making one call after the other.
    Closed(u32),
}

/// Enough to reach every worker of B on a small machine.
const CONNECTIONS: u32 = 4;

/// What came of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// Calls that were made.
    pub calls: u64,
    /// Calls that did not go well.
    pub errors: u64,
    /// Answers to other questions, and calls that never ended.
    pub swapped_or_lost: u64,
    /// In milliseconds, of all calls.
    pub p99_ms: f64,
    /// The longest, in milliseconds.
    pub max_ms: f64,
    /// `UNAVAILABLE SERVICE_A_TIMEOUT 3`, and so on.
    pub failures: String,
    /// The codes among them, each as often as there are reasons for it.
    pub codes: Vec<String>,
}

/// Calls CallEcho `calls` times, or until `within` is over. Errors: the generator does not report.
pub async fn run(program: &Program, b: &str, how: Loop, calls: usize, within: Duration) -> anyhow::Result<Report> {
    of(program, &["--target", "call-echo", "--service-b", b], how, calls, within).await
}

/// The same with A's Echo.
pub async fn echo(program: &Program, a: &str, how: Loop, calls: usize, within: Duration) -> anyhow::Result<Report> {
    of(program, &["--target", "echo", "--service-a", a], how, calls, within).await
}

async fn of(program: &Program, target: &[&str], how: Loop, calls: usize, within: Duration) -> anyhow::Result<Report> {
    let mut command = program.command("test-client");
    let (kind, number) = match how {
        Loop::Open(rate) => ("--rate", rate),
        Loop::Closed(callers) => ("--concurrency", callers),
    };
    command.arg("load").args(target).args([kind, &number.to_string(), "--requests", &calls.to_string()]);
    let connections = number.min(CONNECTIONS).to_string();
    command.args(["--warmup", "0s", "--connections", &connections, "--output", "json"]).stderr(Stdio::null());
    let mut process = command.spawn().context("cannot start the load")?;
    // It ends when the lab does; waiting would close the pipe that tells it so.
    let _tie = process.stdin.take();
    let pid = process.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    let mut output = std::pin::pin!(process.wait_with_output());
    let output = match timeout(within, &mut output).await {
        Ok(output) => output?,
        Err(_) => {
            // Ctrl-C: the report so far.
            kill_process(pid.context("it has ended")?, Signal::INT)?;
            output.await?
        }
    };
    read(&serde_json::from_slice(&output.stdout).context("the load printed no report")?).context("an unknown report")
}

fn read(report: &Value) -> Option<Report> {
    let latency = |quantile: &str| report["latency_ms"][quantile].as_f64().unwrap_or(f64::NAN);
    let failed = |outcome: &&Value| outcome["code"] != "OK";
    let words = |outcome: &Value| {
        let word = |key: &str| outcome[key].as_str().unwrap_or_default().to_owned();
        format!("{} {} {}", outcome["calls"], word("code"), word("reason")).trim().to_owned()
    };
    let failures: Vec<&Value> = report["outcomes"].as_array()?.iter().filter(failed).collect();
    Some(Report {
        calls: report["calls"].as_u64()?,
        errors: report["errors"].as_u64()?,
        swapped_or_lost: report["swapped"].as_u64()? + report["lost"].as_u64()?,
        p99_ms: latency("p99"),
        max_ms: latency("max"),
        codes: failures.iter().map(|failure| failure["code"].as_str().unwrap_or_default().to_owned()).collect(),
        failures: failures.into_iter().map(words).collect::<Vec<_>>().join(", "),
    })
}
