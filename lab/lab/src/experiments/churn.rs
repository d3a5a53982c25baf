//! An A whose connections do not last: each ends by GOAWAY when it has served its calls or its time. That is how servers and proxies
//! spread their callers, and no failure (docs/contract.md, row 12).

use std::time::Duration;

use futures_util::future::join_all;
use hostile_peer::Peer;

use super::{
    callers::Whose,
    load::{self, Loop, Report},
    replicas::start_a,
};
use crate::{print::print, program::Program};

/// How much of it.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Size {
    /// A small one, of a quarter of a minute
    #[arg(long)]
    short: bool,
}

const CAP: Duration = Duration::from_secs(2);
/// How long a load may take.
const LOAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Our A's connections live for this time, a tenth more or less.
const AGE: Age = Age { flags: ["--max-connection-age", "100ms"], name: "end after 100 ms" };
/// On a machine that does something else a connection of 100 ms may end before its first answer, and is none then.
const SHORT_AGE: Age = Age { flags: ["--max-connection-age", "300ms"], name: "end after 300 ms" };

struct Age {
    flags: [&'static str; 2],
    name: &'static str,
}

/// Peers that take connections only to drop them: the first before it is connected, the second after.
const DROPS: [&str; 2] = ["close-on-accept", "settings-then-close"];
/// Connects of a worker to such a peer in a minute (docs/contract.md, row 12).
const A_MINUTE: usize = 80;

/// Plays it all before both. True if no call of ours failed, and the connects kept to their bound.
pub async fn run(program: &Program, size: Size) -> anyhow::Result<bool> {
    let seconds = if size.short { 2 } else { 5 };
    let age = if size.short { SHORT_AGE } else { AGE };
    let age = &age;
    print("| A's connections | calls | B | calls | failed | p99 ms | |\n|---|---|---|--:|--:|--:|---|\n");
    let direct = async {
        let a = start_a(program, 0, &age.flags).await?;
        load::echo(program, &a.url(), Loop::Open(RATES[1]), RATES[1] as usize * seconds, LOAD_TIMEOUT).await
    };
    let (ours, stock) =
        tokio::try_join!(plays(program, Whose::Ours, age, seconds), plays(program, Whose::Stock, age, seconds))?;
    let mut held = true;
    for ((rate, what), (ours, stock)) in
        RATES.into_iter().zip([BY_ANSWERS, age.name, age.name]).zip(ours.iter().zip(&stock))
    {
        held &= row(what, rate, "ours", ours);
        row(what, rate, "stock tonic", stock);
    }
    let dropped = DROPS.map(|behavior| bounded(program, behavior, 3 * seconds));
    let (direct, dropped) = tokio::join!(direct, join_all(dropped));
    held &= row(age.name, RATES[1], "none: test-client load", &direct?);
    for bounded in dropped {
        held &= bounded?;
    }
    Ok(held)
}

/// Calls a second: to connections that end by answers, to those that end by age, and to those with hardly a call.
const RATES: [u32; 3] = [400, 300, 5];
const BY_ANSWERS: &str = "end with 20 answers";

/// One after the other.
async fn plays(program: &Program, whose: Whose, age: &Age, seconds: usize) -> anyhow::Result<[Report; 3]> {
    let peer = Peer::start("goaway-after-20")?;
    let a = start_a(program, 0, &age.flags).await?;
    let [by_answers, by_age, seldom] = RATES;
    Ok([
        play(program, whose, &peer.url(), (by_answers, seconds)).await?,
        play(program, whose, &a.url(), (by_age, seconds)).await?,
        play(program, whose, &a.url(), (seldom, 2 * seconds)).await?,
    ])
}

/// That many calls a second for that many seconds.
async fn play(program: &Program, whose: Whose, a: &str, (rate, seconds): (u32, usize)) -> anyhow::Result<Report> {
    let b = whose.start(program, a, CAP, &[]).await?;
    load::run(program, &b.url(), Loop::Open(rate), rate as usize * seconds, LOAD_TIMEOUT).await
}

/// Prints a row. Whether every call went well.
fn row(what: &str, rate: u32, who: &str, report: &Report) -> bool {
    let Report { calls, errors, swapped_or_lost, p99_ms, failures, .. } = report;
    let held = *errors == 0 && *swapped_or_lost == 0;
    let mark = if held { "✓" } else { "✗" };
    print(&format!("| {what:20} | {rate:>3}/s | {who:22} | {calls} | {errors} | {p99_ms:.1} | {mark} {failures} |\n"));
    held
}

/// Whether the connects to a peer that drops them are bounded, however many calls come.
async fn bounded(program: &Program, behavior: &str, seconds: usize) -> anyhow::Result<bool> {
    let peer = Peer::start(behavior)?;
    let b = Whose::Ours.start(program, &peer.url(), CAP, &["--workers", "1"]).await?;
    // The first tries come quicker: the pauses grow from 200 ms to a second.
    load::run(program, &b.url(), Loop::Open(100), 200, LOAD_TIMEOUT).await?;
    let before = peer.connections();
    let report = load::run(program, &b.url(), Loop::Open(100), 100 * seconds, LOAD_TIMEOUT).await?;
    let connects = peer.connections() - before;
    let allowed = (A_MINUTE * seconds).div_ceil(60) + 1;
    let mark = if connects <= allowed { "✓" } else { "✗" };
    let Report { calls, errors, p99_ms, .. } = report;
    print(&format!(
        "| {behavior:20} | 100/s | ours, one worker       | {calls} | {errors} | {p99_ms:.1} | {mark} {connects} connects in {seconds} s, at most {allowed} |\n"
    ));
    Ok(connects <= allowed)
}
