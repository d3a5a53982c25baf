//! All of A is gone while the calls go on: what that costs, and how soon all is well afterwards.

use std::time::Duration;

use anyhow::Context as _;
use hostile_peer::Peer;
use tokio::time::{Instant, sleep};

use super::{
    load::{self, Loop},
    replicas::start_a,
};
use crate::{
    child::Child,
    http::{self, Ask},
    print::print,
    program::Program,
    usage,
};

const RATE: u32 = 1000;

/// The calls go on for that many seconds. True if every call was refused, and the connects kept to their bound
/// (docs/contract.md, row 12).
pub async fn run(program: &Program, seconds: usize) -> anyhow::Result<bool> {
    let cheap = refusals(program, seconds).await?;
    for outage in [Duration::from_secs(1), Duration::from_secs(seconds.min(30) as u64)] {
        print(&format!(
            "back after {} s: every worker OK {} ms later\n",
            outage.as_secs(),
            recovery(program, outage).await?
        ));
    }
    Ok(cheap)
}

/// A peer that takes connections only to close them: so each try to connect can be counted.
async fn refusals(program: &Program, seconds: usize) -> anyhow::Result<bool> {
    let peer = Peer::start("close-on-accept")?;
    let flags = ["--log", "warn", "--service-a", &peer.url()];
    let b = Child::start_on_free_port(program, "service-b", &flags).await?;
    let pid = b.pid().context("B has ended")?;
    // The first calls make what is made once.
    load::run(program, &b.url(), Loop::Open(RATE), RATE as usize, LOAD_TIMEOUT).await?;
    let cpu = usage::cpu(pid)?;
    let memory = usage::memory_kb(pid)?;
    let connects = peer.connections();
    let report = load::run(program, &b.url(), Loop::Open(RATE), RATE as usize * seconds, LOAD_TIMEOUT).await?;
    let cpu = usage::cpu(pid)? - cpu;
    let memory_now = usage::memory_kb(pid)?;
    let connects = peer.connections() - connects;
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let allowed = (80 * workers * seconds).div_ceil(60) + workers;
    #[expect(clippy::cast_precision_loss, reason = "a figure")]
    let micros_a_call = cpu.as_secs_f64() * 1e6 / report.calls as f64;
    print(&format!(
        "A gone for {seconds} s at {RATE} calls/s: {} calls, {} refused, p99 {:.1} ms; {connects} connects (at most {allowed}), {} calls \
         reached A; B: {micros_a_call:.0} µs of CPU a call, memory {memory} -> {memory_now} kB\n",
        report.calls,
        report.errors,
        report.p99_ms,
        peer.calls()
    ));
    Ok(report.errors == report.calls && connects <= allowed)
}

/// How long after its return every worker of B gets through to A.
async fn recovery(program: &Program, outage: Duration) -> anyhow::Result<u128> {
    let mut a = start_a(program, 0, &[]).await?;
    let flags = ["--log", "warn", "--service-a", &a.url()];
    let b = Child::start_on_free_port(program, "service-b", &flags).await?;
    every_worker(&b).await;
    let port = a.address().port();
    a.kill().await?;
    sleep(outage).await;
    let _back = start_a(program, port, &[]).await?;
    let start = Instant::now();
    every_worker(&b).await;
    Ok(start.elapsed().as_millis())
}

async fn every_worker(b: &Child) {
    loop {
        let answers = http::ask_every_worker(b.address(), &Ask::get("/call-echo?msg=hello")).await;
        if answers.iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.status == 200)) {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// How long a load may take.
const LOAD_TIMEOUT: Duration = Duration::from_secs(300);
