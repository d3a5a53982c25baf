//! An A that takes fewer calls at once than come: B opens more connections, lets calls wait, and says so where that is too long
//! (docs/contract.md, rows 31 and 32).

mod limits;
mod tried;

use std::time::Duration;

use hostile_peer::{EventKind, Peer};
use tokio::time::{Instant, timeout};

use super::{
    callers::{BOTH, Callers, Whose},
    replicas::start_a,
};
use crate::{child::Child, print::print, program::Program};
use tried::{CAP, IN_5_S, Tried};

/// How much of it.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Size {
    /// A small one, of a few seconds: fewer calls, and no connection is idle for long enough to be closed
    #[arg(long)]
    short: bool,
}

/// Calls of 400 ms, of which all are to be there by then.
const A_SECOND: Duration = Duration::from_secs(1);
/// The most connections of a worker to a replica.
const CONNECTIONS: usize = 8;
/// Connections beside the first are closed after 30 s without a call; B looks each second.
const IDLE: Duration = Duration::from_secs(30);
const CLOSED: Duration = Duration::from_secs(33);

/// Tries it all before both. True if ours did as the contract says.
pub async fn run(program: &Program, size: Size) -> anyhow::Result<bool> {
    print("| A | B | calls | OK | slowest ms | the others | |\n|---|---|--:|--:|--:|---|---|\n");
    let mut held = true;
    for whose in BOTH {
        let at_once = if size.short { 400 } else { 800 };
        let tried = slow_a(program, whose, "sleep-1", at_once).await?;
        held &= tell("takes 1 s, 100 streams", whose, &tried);
        let at_once = if size.short { 300 } else { 600 };
        let tried = slow_a(program, whose, "sleep-400ms", at_once).await?;
        let in_time = size.short || tried.answers.slowest() <= A_SECOND;
        held &= tell("takes 0.4 s: within 1 s", whose, &Tried { held: tried.held && in_time, ..tried });
        held &= tell("lowers its limit to 4, to 0, and raises it", whose, &limits::lowered(program, whose).await?);
        held &=
            tell("allows no stream until T, B's cap of 500 ms", whose, &limits::none_until_cap(program, whose).await?);
        held &= tell("the same, the caller's 300 ms", whose, &limits::none_until_deadline(program, whose).await?);
        held &= tell("the same, and 300 calls to one worker", whose, &limits::too_many(program, whose).await?);
        held &= tell("allows 10 streams, one worker", whose, &connections(program, whose, size).await?);
    }
    Ok(held)
}

/// Prints a row. Whether it is no failure of ours.
fn tell(what: &str, whose: Whose, Tried { answers, note, held }: &Tried) -> bool {
    let mark = if *held { "✓" } else { "✗" };
    print(&format!("| {what:44} | {:11} | {answers} | {mark} {note} |\n", whose.to_string()));
    *held || whose == Whose::Stock
}

/// All at once, 5 s each, B as it comes.
async fn slow_a(program: &Program, whose: Whose, behavior: &str, at_once: usize) -> anyhow::Result<Tried> {
    let a = start_a(program, 0, &["--rpc-behavior", behavior]).await?;
    let b = whose.start(program, &a.url(), CAP, &[]).await?;
    let answers = Callers::connect(&b, at_once).await?.all_at_once(at_once, IN_5_S).await;
    let held = answers.failed() == 0;
    Ok(Tried { answers, note: String::new(), held })
}

/// How many connections there are, and, in the long run, how long.
async fn connections(program: &Program, whose: Whose, size: Size) -> anyhow::Result<Tried> {
    let peer = Peer::start("limit-10")?;
    let b = whose.start(program, &peer.url(), CAP, &["--workers", "1"]).await?;
    let answers = Callers::connect(&b, 100).await?.all_at_once(100, IN_5_S).await;
    let opened = peer.connections();
    let mut note = format!("{opened} connections, at most {CONNECTIONS}");
    let mut held = answers.failed() == 0 && opened <= CONNECTIONS;
    if !size.short && whose == Whose::Ours {
        let closed = all_but_one_are_closed(&peer, opened).await;
        let in_time = closed.is_some_and(|after| after >= IDLE);
        note += &closed
            .map_or("; they stay".into(), |after| format!("; all but one closed after {:.1} s", after.as_secs_f64()));
        held &= in_time;
    }
    drop::<Child>(b);
    Ok(Tried { answers, note, held })
}

/// How long after the last call that is so; `None` where it is not within 33 s.
async fn all_but_one_are_closed(peer: &Peer, opened: usize) -> Option<Duration> {
    let since = Instant::now();
    let closed = async {
        let mut left = opened;
        while left > 1 {
            left -= usize::from(peer.event().await.kind == EventKind::Closed);
        }
    };
    timeout(CLOSED, closed).await.ok().map(|()| since.elapsed())
}
