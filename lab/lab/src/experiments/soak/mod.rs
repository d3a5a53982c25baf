//! Minutes of good calls with every kind of bad one among them, while an A dies and comes back: does memory grow?

mod faults;

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    load::{self, Loop},
    replicas::start_a,
};
use crate::{child::Child, print::print, program::Program, usage::memory_kb};

/// The good calls.
const RATE: u32 = 300;
const MINUTE: Duration = Duration::from_secs(60);
/// The minutes after which all that is made once has been made.
const SETTLED: usize = 2;
/// What memory may have grown by since then.
const GROWTH: f64 = 1.05;
/// B's limit of calls, low enough to be reached now and then.
const LIMIT: &str = "128";
/// How often an A is killed, and how long it is gone.
const KILLED: Duration = Duration::from_secs(20);
const GONE: Duration = Duration::from_secs(2);

/// True if no process's memory is more than 5 % over what it was after two minutes.
pub async fn run(program: &Program, minutes: usize) -> anyhow::Result<bool> {
    let mut first = start_a(program, 0, &["--fault-injection"]).await?;
    let second = start_a(program, 0, &["--fault-injection"]).await?;
    let both = format!("{},{}", first.url(), second.url());
    let flags = ["--service-a", &both, "--max-concurrent-calls", LIMIT, "--fault-injection"];
    let b = Child::start_on_free_port(program, "service-b", &flags).await?;
    let url = b.url();
    let calls = RATE as usize * 60 * minutes;
    let load = load::run(program, &url, Loop::Open(RATE), calls, MINUTE * u32::try_from(minutes + 1)?);
    let held = async {
        tokio::select! {
            held = watch(&b, &second, minutes) => held,
            failed = faults::go_on(&b, &second) => failed,
            failed = die_and_come_back(program, &mut first) => failed,
        }
    };
    let (held, report) = tokio::join!(held, load);
    let held = held?;
    let report = report?;
    print(&format!(
        "good calls among the bad ones: {}, of which {} failed ({}), {} lost or swapped, p99 {:.1} ms\n",
        report.calls, report.errors, report.failures, report.swapped_or_lost, report.p99_ms
    ));
    Ok(held && report.swapped_or_lost == 0)
}

/// One A is not there now and then; the other one, and B, are what is measured.
async fn die_and_come_back(program: &Program, a: &mut Child) -> anyhow::Result<bool> {
    loop {
        sleep(KILLED).await;
        let port = a.address().port();
        a.kill().await?;
        sleep(GONE).await;
        *a = start_a(program, port, &["--fault-injection"]).await?;
    }
}

async fn watch(b: &Child, a: &Child, minutes: usize) -> anyhow::Result<bool> {
    let start = Instant::now();
    let mut settled = None;
    let mut now = [0; 2];
    print("minute     A kB     B kB\n");
    for minute in 0..=minutes {
        sleep_until(start + MINUTE * u32::try_from(minute)?).await;
        now = [typical(a).await?, typical(b).await?];
        print(&format!("{minute:>6} {:>8} {:>8}\n", now[0], now[1]));
        if minute == SETTLED.min(minutes) {
            settled = Some(now);
        }
    }
    let settled = settled.context("a soak of no minutes")?;
    #[expect(clippy::cast_precision_loss, reason = "figures")]
    let growth = [0, 1].map(|of| now[of] as f64 / settled[of] as f64);
    print(&format!("since minute {SETTLED}: A × {:.3}, B × {:.3} (at most {GROWTH})\n", growth[0], growth[1]));
    Ok(growth.iter().all(|growth| *growth <= GROWTH))
}

/// The median of some seconds: what is in flight at one instant is no growth.
async fn typical(child: &Child) -> anyhow::Result<u64> {
    let pid = child.pid().with_context(|| format!("{} has ended", child.name()))?;
    let mut seen = Vec::new();
    for _ in 0..15 {
        seen.push(memory_kb(pid)?);
        sleep(Duration::from_millis(100)).await;
    }
    seen.sort_unstable();
    Ok(seen[seen.len() / 2])
}
