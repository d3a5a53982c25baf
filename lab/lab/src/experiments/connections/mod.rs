//! Thousands of connections: what they cost, how soon those are gone that never get on, and what other callers notice.

mod calls;
mod cost;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hostile_peer::frame;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinSet};

use super::{
    load::{self, Loop},
    replicas::start_a,
};
use crate::{
    child::Child,
    print::print,
    program::{Program, STOCK_TONIC},
    raw::{ConnectionConfig, RawConnection, closed, opening},
};
use cost::{OWN_DESCRIPTORS, left, tell};

/// Connects at the same time; the services' queue holds 1024.
const AT_ONCE: usize = 100;
/// What they may cost a B that runs from its own executable.
const STREAMS_KB: u64 = 40 * 1024;
/// The contract: who does not get on is gone within 10 s. And what two busy cores and timers of a second add.
const GONE: Duration = Duration::from_millis(10_000 + 1000);
/// The normal traffic.
const RATE: u32 = 500;
/// How long a load may take.
const LOAD_TIMEOUT: Duration = Duration::from_secs(60);

/// Opens `idle` idle connections, and a quarter of it that never get on. True if memory and time are as they must be.
pub async fn run(program: &Program, idle: usize) -> anyhow::Result<bool> {
    let idle = within_the_limit(idle)?;
    let program = &program.clone().with_own_executables();
    let a = start_a(program, 0, &[]).await?;
    let mut held = true;
    for whose in ["service-b", STOCK_TONIC] {
        print(&format!("{}\n", if whose == STOCK_TONIC { "stock tonic" } else { "ours" }));
        idle_ones(&start_b(program, whose, &a).await?, idle).await?;
        let gone = slow_ones(program, &start_b(program, whose, &a).await?, idle / 4).await?;
        let peak = calls::only_begun(&start_b(program, whose, &a).await?).await?;
        calls::unread(&start_b(program, whose, &a).await?).await?;
        held &= whose == STOCK_TONIC || gone && peak <= STREAMS_KB;
    }
    Ok(held)
}

/// Raises this process's own limit, which its children inherit, and says how many connections fit.
fn within_the_limit(wanted: usize) -> anyhow::Result<usize> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    let room = limit.maximum.map_or(usize::MAX, |maximum| usize::try_from(maximum).unwrap_or(usize::MAX));
    let fits = room.saturating_sub(OWN_DESCRIPTORS).min(wanted);
    if fits < wanted {
        print(&format!("{fits} connections instead of {wanted}: this system allows {room} descriptors a process\n"));
    }
    Ok(fits)
}

async fn start_b(program: &Program, whose: &'static str, a: &Child) -> anyhow::Result<Child> {
    let flags = ["--service-a", &a.url()];
    Child::start_on_free_port(program, whose, &flags).await
}

/// Opens `count` connections.
async fn connect<T>(count: usize, open: impl AsyncFn(usize) -> anyhow::Result<T>) -> anyhow::Result<Vec<T>> {
    let mut all = Vec::new();
    for first in (0..count).step_by(AT_ONCE) {
        let some = (first..count.min(first + AT_ONCE)).map(|number| open(number));
        all.extend(join_all(some).await.into_iter().collect::<anyhow::Result<Vec<_>>>()?);
    }
    Ok(all)
}

async fn idle_ones(b: &Child, count: usize) -> anyhow::Result<()> {
    tell("at start", b)?;
    let connections = connect(count, async |_| {
        let mut caller = RawConnection::connect(b.address(), ConnectionConfig::DEFAULT).await?;
        caller.heard().await.map(|()| caller)
    });
    let connections = connections.await?;
    tell(&format!("with {count} idle HTTP/2 connections"), b)?;
    drop(connections);
    left(b).await?;
    tell("after they have left", b)
}

/// What a connection says that never gets on.
fn beginning(number: usize) -> Vec<u8> {
    let mut unfinished = opening(65_535);
    // HEADERS without END_HEADERS: a CONTINUATION would have to follow.
    frame::put(&mut unfinished, frame::HEADERS, 0, 1, &[0, 1, b'x', 1, b'y']);
    match number % 3 {
        0 => frame::PREFACE[..12].to_vec(),
        1 => unfinished,
        _ => b"GET /health HTTP/1.1\r\nhost: loc".to_vec(),
    }
}

/// True if all are gone in time.
async fn slow_ones(program: &Program, b: &Child, count: usize) -> anyhow::Result<bool> {
    let url = b.url();
    let traffic = |seconds: u32| load::run(program, &url, Loop::Open(RATE), (RATE * seconds) as usize, LOAD_TIMEOUT);
    traffic(2).await?;
    let before = traffic(10).await?;
    let began = Instant::now();
    let mut open = JoinSet::new();
    for connection in connect(count, async |number| {
        let mut stream = TcpStream::connect(b.address()).await?;
        stream.write_all(&beginning(number)).await?;
        Ok((number, Instant::now(), stream))
    })
    .await?
    {
        let (number, since, stream) = connection;
        open.spawn(async move { (number, closed(stream).await.map(|at| at - since)) });
    }
    print(&format!("  {count} connections that do not get on, opened in {} ms\n", began.elapsed().as_millis()));
    tell("with them", b)?;
    let (meanwhile, ends) = tokio::join!(traffic(10), open.join_all());
    let meanwhile = meanwhile?;
    for (kind, name) in [(0, "half a preface"), (1, "unfinished HEADERS"), (2, "unfinished HTTP/1.1 headers")] {
        let of_kind: Vec<_> = ends.iter().filter(|(number, _)| number % 3 == kind).map(|(_, after)| *after).collect();
        let after = of_kind.iter().flatten().map(Duration::as_millis);
        let (stay, first, last) =
            (of_kind.iter().filter(|after| after.is_none()).count(), after.clone().min(), after.max());
        let gone = first.zip(last).map_or_else(String::new, |(first, last)| format!("gone after {first} to {last} ms"));
        print(&format!("    {name:28} {:>5}: {stay} stay for 15 s; {gone}\n", of_kind.len()));
    }
    tell("after that", b)?;
    print(&format!(
        "  {RATE} calls/s: p99 {:.2} ms before, {:.2} ms meanwhile (max {:.0} ms); {} and {} failed\n",
        before.p99_ms, meanwhile.p99_ms, meanwhile.max_ms, before.errors, meanwhile.errors
    ));
    Ok(ends.iter().all(|(_, after)| after.is_some_and(|after| after <= GONE)))
}
