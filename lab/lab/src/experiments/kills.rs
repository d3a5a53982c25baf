//! A is killed every second and comes back at once, under load: whatever that does to a call, its caller is told UNAVAILABLE and
//! nothing else (docs/contract.md, rows 1, 5 and 6).

use std::time::Duration;

use tokio::time::sleep;

use super::{
    load::{self, Loop, Report},
    replicas::start_a,
};
use crate::{child::Child, print::print, program::Program};

/// How much of it.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Size {
    /// A small one, of eight seconds
    #[arg(long)]
    short: bool,
}

/// Calls a second; the second for a small one, on a machine that does something else.
const RATES: [u32; 2] = [500, 100];
/// Between two kills.
const PACE: Duration = Duration::from_secs(1);
/// How long a load may take.
const LOAD_TIMEOUT: Duration = Duration::from_secs(120);
/// Each call is on its way for a moment, so that many are when A dies.
const TAKES_20_MS: [&str; 2] = ["--rpc-behavior", "sleep-20ms"];

/// Kills the only A, then one of two. True if callers saw OK and UNAVAILABLE only, and OK again after each.
pub async fn run(program: &Program, size: Size) -> anyhow::Result<bool> {
    let (kills, rate) = if size.short { (3, RATES[1]) } else { (60, RATES[0]) };
    print("| A | kills | calls | failed | p99 ms | |\n|---|--:|--:|--:|--:|---|\n");
    let mut held = true;
    for replicas in [1, 2] {
        held &= play(program, replicas, kills, rate).await?;
    }
    Ok(held)
}

async fn play(program: &Program, replicas: usize, kills: usize, rate: u32) -> anyhow::Result<bool> {
    let mut all = Vec::new();
    for _ in 0..replicas {
        all.push(start_a(program, 0, &TAKES_20_MS).await?);
    }
    let urls: Vec<String> = all.iter().map(Child::url).collect();
    let flags = ["--log", "warn", "--service-a", &urls.join(",")];
    let b = Child::start_on_free_port(program, "service-b", &flags).await?;
    let killed = async {
        for _ in 0..kills {
            sleep(PACE).await;
            let port = all[0].address().port();
            all[0].kill().await?;
            all[0] = start_a(program, port, &TAKES_20_MS).await?;
        }
        anyhow::Ok(())
    };
    let url = b.url();
    // The last second is after the last kill.
    let load = load::run(program, &url, Loop::Open(rate), rate as usize * (kills + 1), LOAD_TIMEOUT);
    let (killed, report) = tokio::join!(killed, load);
    killed?;
    Ok(tell(replicas, kills, &report?))
}

/// Prints a row. Whether it is as the contract has it.
fn tell(replicas: usize, kills: usize, report: &Report) -> bool {
    let Report { calls, errors, swapped_or_lost, p99_ms, failures, .. } = report;
    let only_unavailable = report.codes.iter().all(|code| code == "UNAVAILABLE");
    // B has A back within 1.3 s of each kill, and often at once: far more than every other call goes well.
    let held = only_unavailable && *swapped_or_lost == 0 && errors * 2 < *calls;
    let who = if replicas == 1 { "alone" } else { "one of two" };
    let mark = if held { "✓" } else { "✗" };
    print(&format!("| {who} | {kills} | {calls} | {errors} | {p99_ms:.1} | {mark} {failures} |\n"));
    held
}
