//! Callers who leave in the middle of a call: A must see it, and nothing may be left in flight.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use hostile_peer::{EventKind, Peer};
use tokio::time::timeout;

use super::figures::{Figures, headline, tell};
use crate::{
    child::{Child, line_with, value},
    failures::{Face, Question},
    print::print,
    program::Program,
};

/// How long is waited for A to see a call, and its end.
const EVENT_TIMEOUT: Duration = Duration::from_secs(5);

/// How soon: from the caller's leaving until B's RST_STREAM is at A.
pub async fn run(program: &Program, calls: usize) -> anyhow::Result<bool> {
    headline("caller leaves, A sees it");
    let peer = Peer::start("stall")?;
    let flags = ["--service-a", &peer.url(), "--service-a-timeout", "1m"];
    let mut b = Child::start_on_free_port(program, "service-b", &flags).await?;
    let mut all_seen = 0;
    for face in [Face::Grpc, Face::Json] {
        let mut seen = 0;
        let mut after = Figures::default();
        for _ in 0..calls / 2 {
            if let Some(took) = leave(&b, &peer, face).await? {
                seen += 1;
                after.add(took.as_secs_f64() * 1000.0);
            }
        }
        tell(&format!("over {face}"), calls / 2, seen, &mut after);
        all_seen += seen;
    }
    let left = in_flight(&mut b).await?;
    print(&format!("\nok: A saw it. In flight at B afterwards: {left}.\n"));
    Ok(all_seen == calls / 2 * 2 && left == "0")
}

/// Calls, and leaves once A has the call; how soon A saw that, if it did.
async fn leave(b: &Child, peer: &Peer, face: Face) -> anyhow::Result<Option<Duration>> {
    let call = tokio::spawn(Question::HELLO.ask(b.address(), face, None));
    let called = timeout(EVENT_TIMEOUT, sees(peer, |kind| matches!(kind, EventKind::Called { .. }))).await;
    called.context("A was not called")?;
    let left = Instant::now();
    call.abort();
    let cancelled = timeout(EVENT_TIMEOUT, sees(peer, |kind| *kind == EventKind::Cancelled)).await;
    Ok(cancelled.ok().map(|at| at.saturating_duration_since(left)))
}

async fn sees(peer: &Peer, what: impl Fn(&EventKind) -> bool) -> Instant {
    loop {
        let event = peer.event().await;
        if what(&event.kind) {
            return event.at;
        }
    }
}

/// What B says of itself when it begins to drain.
async fn in_flight(b: &mut Child) -> anyhow::Result<String> {
    let mut log = b.log_from_now();
    b.terminate()?;
    let line = line_with(&mut log, "state=draining").await?;
    b.exited().await?;
    Ok(value(&line, "in_flight=").unwrap_or("unknown").to_owned())
}
