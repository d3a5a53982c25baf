//! Calls with short deadlines, while A stalls at every point of a call where it can.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use futures_util::future::try_join_all;
use hostile_peer::Peer;

use super::figures::{Figures, headline, tell};
use crate::{
    child::Child,
    failures::{Face, Question},
    grpc::GrpcClient,
    print::print,
    program::Program,
};

/// Where A stalls, and the peer that does it; the last is a real A that is frozen.
const STALLS: [(&str, &str); 8] = [
    ("before SETTINGS", "silent"),
    ("with window 0", "window-0"),
    ("before its headers", "stall"),
    ("after its headers", "headers-then-stall"),
    ("in the middle of a frame", "half-frame-then-stall"),
    ("in the message", "half-message-then-stall"),
    ("before its trailers", "message-then-stall"),
    ("as a frozen process", FROZEN),
];
const FROZEN: &str = "";

/// Callers at once, each with a connection of its own.
const CALLERS: usize = 25;
/// The deadlines in turn: short, and none a multiple of another.
const DEADLINES: [(&str, u64); 4] = [("30m", 30), ("70m", 70), ("110m", 110), ("190m", 190)];
/// How long an answer is waited for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How late is how long after the deadline the whole answer was there; B answers 5 ms before it.
pub async fn run(program: &Program, calls: usize) -> anyhow::Result<bool> {
    headline("A stalls, answer late by");
    let mut all = Figures::default();
    let mut all_calls = 0;
    let mut all_kept = 0;
    for (name, behavior) in STALLS {
        let (calls, kept, mut late) = stall(program, behavior, calls / STALLS.len()).await.context(name)?;
        tell(name, calls, kept, &mut late);
        all.extend(&late);
        all_calls += calls;
        all_kept += kept;
    }
    tell("all", all_calls, all_kept, &mut all);
    print("\nok: DEADLINE_EXCEEDED from service-b, over gRPC and over HTTP in turn.\n");
    Ok(all_kept == all_calls)
}

/// Makes at least `calls` calls; how many there were, how many ended as they must, and how late.
async fn stall(program: &Program, behavior: &str, calls: usize) -> anyhow::Result<(usize, usize, Figures)> {
    let a = Child::start_on_free_port(program, "service-a", &[]).await?;
    let peer = if behavior == FROZEN { None } else { Some(Peer::start(behavior)?) };
    let to = peer.as_ref().map_or_else(|| a.url(), Peer::url);
    // Connecting may take longer than any deadline, so that the deadline is what ends it.
    let flags = ["--service-a", &to, "--service-a-connect-timeout", "1m"];
    let b = Child::start_on_free_port(program, "service-b", &flags).await?;
    if behavior == FROZEN {
        // B is connected: what follows stalls in the middle of a connection that was good.
        Question::HELLO.ask(b.address(), Face::Grpc, None).await?;
        a.freeze()?;
    }
    let rounds = calls.div_ceil(CALLERS);
    let results = try_join_all((0..CALLERS).map(|caller| call(b.address(), caller, rounds))).await?;
    let mut late = Figures::default();
    let kept = results.iter().map(|(kept, figures)| {
        late.extend(figures);
        kept
    });
    let kept = kept.sum();
    Ok((rounds * CALLERS, kept, late))
}

/// One caller's calls, one after the other.
async fn call(b: SocketAddr, caller: usize, rounds: usize) -> anyhow::Result<(usize, Figures)> {
    let connection = GrpcClient::connect(b, ANSWER_TIMEOUT).await?;
    let mut kept = 0;
    let mut late = Figures::default();
    for round in 0..rounds {
        let (timeout, ms) = DEADLINES[(caller + round) % DEADLINES.len()];
        let question = Question { msg: "hello", timeout: Some(timeout) };
        let seen = if round % 2 == 0 {
            question.ask_on(&connection, ANSWER_TIMEOUT).await?
        } else {
            question.ask_for(b, Face::Json, None, ANSWER_TIMEOUT).await?
        };
        kept += usize::from(seen.code == "DEADLINE_EXCEEDED" && seen.reason == "DEADLINE_EXCEEDED");
        late.add((seen.took.as_secs_f64() - Duration::from_millis(ms).as_secs_f64()) * 1000.0);
    }
    Ok((kept, late))
}
