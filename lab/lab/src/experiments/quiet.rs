//! A call that nothing is heard of for long: the PINGs that its connection sees, of which servers take too many for an attack
//! (docs/contract.md, "keepalive").

use std::time::Duration;

use hostile_peer::{EventKind, Peer};
use tokio::{
    sync::broadcast::Receiver,
    time::{Instant, timeout_at},
};

use super::callers::{Callers, Whose};
use crate::{child::value, failures::Question, print::print, program::Program};

/// How much of it.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Size {
    /// A small one: 14 s instead of 45 s, which is enough for one PING every 10 s, and not for one every 20 s
    #[arg(long)]
    short: bool,
}

/// Longer than all of it.
const CAP: Duration = Duration::from_secs(120);
const QUESTION: Question = Question { msg: "hello", timeout: None };
/// The shortest keepalive that B takes, and what a timer is late by.
const SHORTEST: Duration = Duration::from_secs(10);
const SLACK: Duration = Duration::from_secs(1);

/// What was asked of B, and what was seen.
struct Seen {
    /// When each PING came, from the call on.
    pings: Vec<Duration>,
    connections: usize,
    /// The interval that B has logged, in milliseconds.
    logged: Option<String>,
}

/// Calls, and counts. True if PINGs came where they must, and nowhere else.
pub async fn run(program: &Program, size: Size) -> anyhow::Result<bool> {
    let lasts = Duration::from_secs(if size.short { 14 } else { 45 });
    let often = ["--service-a-keepalive", "10s"];
    let (default, stock, answered, too_many) = tokio::try_join!(
        play(program, Whose::Ours, "stall", &[], lasts),
        play(program, Whose::Stock, "stall", &[], lasts),
        play(program, Whose::Ours, "stall", &often, lasts),
        play(program, Whose::Ours, "too-many-pings", &often, lasts),
    )?;
    let seconds = lasts.as_secs();
    print(&format!(
        "| B | A | PINGs in {seconds} s of a quiet call, after | connections | logged |\n|---|---|---|--:|---|\n"
    ));
    let every_10_s =
        answered.pings.len() as u64 == (seconds - 1) / SHORTEST.as_secs() && are_apart(&answered.pings, SHORTEST);
    // At 10 s; the new connection has 20 s of its own.
    let expected = if size.short { 1 } else { 2 };
    let half_as_often = too_many.pings.len() == expected && are_apart(&too_many.pings, 2 * SHORTEST);
    let held = [
        tell("ours, 5 min", "takes PINGs", &default, default.pings.is_empty()),
        tell("ours, 10 s", "takes PINGs", &answered, every_10_s),
        tell(
            "ours, 10 s",
            "has too many PINGs",
            &too_many,
            half_as_often && too_many.logged.as_deref() == Some("20000"),
        ),
    ];
    tell("stock tonic", "takes PINGs", &stock, stock.pings.is_empty());
    Ok(held.into_iter().all(|held| held))
}

/// Whether each came that long after the one before.
fn are_apart(pings: &[Duration], interval: Duration) -> bool {
    pings.windows(2).all(|pair| pair[1] - pair[0] + SLACK >= interval)
}

fn tell(whose: &str, a: &str, Seen { pings, connections, logged }: &Seen, held: bool) -> bool {
    let at: Vec<_> = pings.iter().map(|at| format!("{:.1} s", at.as_secs_f64())).collect();
    let at = if at.is_empty() { "none".into() } else { at.join(", ") };
    let logged = logged.as_ref().map_or("–".into(), |ms| format!("interval_ms={ms}"));
    print(&format!("| {whose:11} | {a:18} | {} {at} | {connections} | {logged} |\n", if held { "✓" } else { "✗" }));
    held
}

async fn play(
    program: &Program,
    whose: Whose,
    behavior: &str,
    flags: &[&str],
    lasts: Duration,
) -> anyhow::Result<Seen> {
    let peer = Peer::start(behavior)?;
    let b = whose.start(program, &peer.url(), CAP, &[&["--workers", "1"], flags].concat()).await?;
    let log = b.log_from_now();
    let callers = Callers::connect(&b, 1).await?;
    let until = Instant::now() + lasts;
    let (called, pings) = tokio::join!(timeout_at(until, callers.call_for(0, QUESTION, CAP)), pings(&peer, until));
    anyhow::ensure!(called.is_err(), "the call has ended: {called:?}");
    Ok(Seen { pings, connections: peer.connections(), logged: logged(log) })
}

/// When each came, from the first call on.
async fn pings(peer: &Peer, until: Instant) -> Vec<Duration> {
    let (mut called, mut pings) = (None, Vec::new());
    while let Ok(event) = timeout_at(until, peer.event()).await {
        match event.kind {
            EventKind::Called { .. } => drop(called.get_or_insert(event.at)),
            EventKind::Pinged => pings.push(event.at - called.unwrap_or(event.at)),
            _ => {}
        }
    }
    pings
}

/// The interval that B has told its log of, where it has.
fn logged(mut log: Receiver<String>) -> Option<String> {
    let lines = std::iter::from_fn(|| log.try_recv().ok());
    let line = lines.into_iter().find(|line| line.contains("too many PINGs"))?;
    value(&line, "interval_ms=").map(str::to_owned)
}
