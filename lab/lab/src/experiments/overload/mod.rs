//! More calls than a service can take: how many still go well, how soon the others are refused, and how soon all is well
//! again when it is over.

mod cost;
mod offer;
mod stage;
mod wire;

use std::time::Duration;

use anyhow::bail;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{child::value, experiments::figures::Figures, print::print, program::Program};
use offer::{Outcome, Pace};
use stage::{DEADLINE_MS, Service, Stage, headline};

/// How much of it.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Size {
    /// A small one, 20 s: A alone, with a limit so low that a build without optimisation can follow
    #[arg(long)]
    short: bool,
}

/// A limit of calls that is the bottleneck, for each call takes its time and next to no CPU.
struct Limit {
    calls: usize,
    behavior: &'static str,
    /// Calls per second that this would be if timers were exact.
    nominal: f64,
    /// For how long each load lasts.
    time: Duration,
}

const FULL: Limit = Limit { calls: 64, behavior: "sleep-10ms", nominal: 6_400.0, time: Duration::from_secs(5) };
const SHORT: Limit = Limit { calls: 8, behavior: "sleep-20ms", nominal: 400.0, time: Duration::from_secs(1) };

/// How many times as many calls as it can take, and the share of the peak that must still go well.
const TIMES: [(f64, f64); 3] = [(2.0, 0.95), (4.0, 0.90), (10.0, 0.90)];
/// From headers read to answer written, p99 (docs/contract.md, row 26).
const REFUSAL_MS: f64 = 10.0;
/// How long after an overload latency may take to be as before.
const RECOVERY: Duration = Duration::from_secs(2);
const A_SECOND: Duration = Duration::from_secs(1);

/// Runs it all. True if what must hold did, wherever the limit was the bottleneck; where the CPU was, figures only.
pub async fn run(program: &Program, size: Size) -> anyhow::Result<bool> {
    if size.short {
        return at_the_limit(program, Service::A, &SHORT).await;
    }
    cost::run(program).await?;
    let mut held = true;
    for service in [Service::A, Service::B] {
        held &= at_the_limit(program, service, &FULL).await?;
    }
    for service in [Service::A, Service::B] {
        at_the_cpu(program, service).await?;
    }
    Ok(held)
}

async fn at_the_limit(program: &Program, service: Service, limit: &Limit) -> anyhow::Result<bool> {
    let calls = limit.calls.to_string();
    let flags = ["--max-concurrent-calls", &calls, "--rpc-behavior", limit.behavior, "--log"];
    let stage = Stage::start(program, service, &[&flags[..], &["warn"]].concat()).await?;
    headline(&format!("{service:?}: {calls} calls at a time, {} each", limit.behavior));
    let half = Pace::Open(limit.nominal / 2.0);
    let calm = stage.show("half of it", half, A_SECOND * 2).await?;
    let one_by_one = stage.show("one by one", Pace::Closed(limit.calls), limit.time).await?;
    let all = stage.show("all of it", Pace::Open(limit.nominal), limit.time).await?;
    let peak = one_by_one.goodput().max(all.goodput());
    let mut held = true;
    for (times, share) in TIMES {
        let name = format!("{times} times");
        let offer = stage.show(&name, Pace::Open(limit.nominal * times), limit.time);
        let over = stage.ask_beside(offer).await?;
        // What comes within the time that it has to recover decides nothing.
        stage.offer(half, RECOVERY).await?;
        let after = stage.show("half, 2 s on", half, A_SECOND).await?;
        held &= goes_on(&over, share * peak) & is_as_before(&calm, &after);
    }
    drop(stage);
    let stage = Stage::start(program, service, &[&flags[..], &["info"]].concat()).await?;
    Ok(held & refuses_in_time(&stage, Pace::Open(2.0 * limit.nominal), limit.time).await?)
}

/// Goodput, deadlines, and that every call has an end.
fn goes_on(over: &Outcome, expected: f64) -> bool {
    let goodput = over.goodput();
    let last = over.answered.percentile(1.0);
    expect(goodput >= expected, &format!("{goodput:.0} calls/s go well, at least {expected:.0}"))
        & expect(last < DEADLINE_MS, &format!("the last of them after {last:.0} ms, before {DEADLINE_MS:.0}"))
        & expect(over.lost == 0, &format!("{} calls without an end", over.lost))
}

/// As many calls go well as did before, and latency is at most twice what it was, and the generator's own two milliseconds.
fn is_as_before(before: &Outcome, after: &Outcome) -> bool {
    let [allowed, p99] = [before, after].map(|outcome| outcome.answered.percentile(0.99));
    let allowed = 2.0 * allowed + 2.0;
    let expected = 0.95 * before.goodput();
    let goodput = after.goodput();
    expect(
        goodput >= expected && p99 <= allowed,
        &format!(
            "2 s later {goodput:.0} calls/s go well, at least {expected:.0}, p99 {p99:.1} ms, at most {allowed:.1}"
        ),
    )
}

/// By the service's own clock, as its log has it: neither the generator's turn nor the way there is in it.
async fn refuses_in_time(stage: &Stage, pace: Pace, time: Duration) -> anyhow::Result<bool> {
    let log = stage.called.log_from_now();
    let mut latencies = Figures::default();
    tokio::select! {
        shown = stage.show("with its log", pace, time) => drop(shown?),
        () = refusals(log, &mut latencies) => bail!("the service has ended"),
    }
    let (count, p99) = (latencies.len(), latencies.percentile(0.99));
    Ok(expect(
        p99 <= REFUSAL_MS,
        &format!("{count} refusals are written after {p99:.2} ms (p99), at most {REFUSAL_MS}"),
    ))
}

/// How long each refusal took, in milliseconds, until the log is over.
async fn refusals(mut log: Receiver<String>, latencies: &mut Figures) {
    loop {
        match log.recv().await {
            Ok(line) if line.contains("reason=OVERLOADED") => {
                let micros = value(&line, "latency_us=").and_then(|micros| micros.parse::<f64>().ok());
                latencies.add(micros.unwrap_or(f64::INFINITY) / 1000.0);
            }
            // Those that were missed, because they came too quickly, are like those that were not.
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// No limit but the machine's.
async fn at_the_cpu(program: &Program, service: Service) -> anyhow::Result<()> {
    let stage = Stage::start(program, service, &["--log", "warn"]).await?;
    headline(&format!("{service:?}: echoes, as fast as the machine goes"));
    let time = FULL.time;
    let peak = stage.show("800 callers", Pace::Closed(800), time).await?.goodput();
    let calm = stage.show("half of it", Pace::Open(peak / 2.0), A_SECOND * 2).await?;
    let over = stage.ask_beside(stage.show("2 times", Pace::Open(peak * 2.0), time)).await?;
    stage.offer(Pace::Open(peak / 2.0), RECOVERY).await?;
    let after = stage.show("half, 2 s on", Pace::Open(peak / 2.0), A_SECOND).await?;
    print(&format!("  {:.0} % of the peak went well\n", 100.0 * over.goodput() / peak));
    is_as_before(&calm, &after);
    Ok(())
}

fn expect(held: bool, what: &str) -> bool {
    print(&format!("  {} {what}\n", if held { "✓" } else { "✗" }));
    held
}
