//! What a call costs by the clock, in rounds in which each pair has its turn; and what memory a service has.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::{sync::watch, time::timeout};

use crate::{
    bare,
    load::{self, Client, Shape},
    message,
    process::Process,
    subject::{PLAIN, Service, Subject},
    tools::upstreams,
};

/// Ten connections with fifty calls each.
pub const MANY: Shape = Shape { connections: 10, streams: 50, size: 64, deadline: false };
/// One call at a time.
pub const ONE: Shape = Shape { connections: 1, streams: 1, size: 64, deadline: false };

const ROUNDS: usize = 7;
const CALLS_OF_MANY: usize = 5_000;
const CALLS_OF_ONE: usize = 400;
const IDLE_CONNECTIONS: usize = 400;

/// Medians over the rounds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Speed {
    pub cpu_us: f64,
    pub calls_per_second: f64,
    pub p50_us: f64,
    pub p99_us: f64,
}

/// Measures each subject in each round, so that what else the machine does falls on all.
pub async fn speeds(subjects: &[Subject], service: Service) -> anyhow::Result<Vec<Speed>> {
    let mut processes = Vec::new();
    for subject in subjects {
        let upstreams = upstreams(*subject, service, PLAIN).await?;
        let addresses: Vec<_> = upstreams.iter().map(|a| a.address).collect();
        processes.push((subject.start(service, &addresses, PLAIN, None).await?, upstreams));
    }
    let mut rounds = vec![Vec::new(); subjects.len()];
    for round in 0..=ROUNDS {
        for (measured, (process, _)) in rounds.iter_mut().zip(&processes) {
            let speed = speed(process, service).await?;
            // The first round makes everything warm.
            if round > 0 {
                measured.push(speed);
            }
        }
    }
    for (process, upstreams) in processes {
        process.stop().await?;
        for a in upstreams {
            a.stop().await?;
        }
    }
    Ok(rounds.iter().map(|round| medians(round)).collect())
}

async fn speed(process: &Process, service: Service) -> anyhow::Result<Speed> {
    let (cpu, began) = (process.cpu()?, Instant::now());
    load::run(process.address, service.method(), MANY, CALLS_OF_MANY).await?;
    let (cpu, took) = (process.cpu()? - cpu, began.elapsed());
    let mut one = load::run(process.address, service.method(), ONE, CALLS_OF_ONE).await?;
    one.sort_unstable();
    let percentile = |share: usize| one.get(one.len() * share / 100).map_or(0.0, |took| took.as_secs_f64() * 1e6);
    Ok(Speed {
        cpu_us: cpu.as_secs_f64() * 1e6 / CALLS_OF_MANY as f64,
        calls_per_second: CALLS_OF_MANY as f64 / took.as_secs_f64(),
        p50_us: percentile(50),
        p99_us: percentile(99),
    })
}

fn medians(rounds: &[Speed]) -> Speed {
    let median = |value: fn(&Speed) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(value).collect();
        values.sort_unstable_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    Speed {
        cpu_us: median(|speed| speed.cpu_us),
        calls_per_second: median(|speed| speed.calls_per_second),
        p50_us: median(|speed| speed.p50_us),
        p99_us: median(|speed| speed.p99_us),
    }
}

/// What a service has of memory, in KiB.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    pub idle: f64,
    /// With 1,000 calls in flight on ten connections.
    pub in_flight: f64,
    /// What one more connection without a call adds.
    pub connection: f64,
}

/// Measures a service of its own. An A's calls are in flight because their messages do not end, a B's because A does not answer.
pub async fn memory(subject: Subject, service: Service) -> anyhow::Result<Memory> {
    let (count, mut held) = watch::channel(0);
    let (listener, silent) = bare::bind().await?;
    let serving = tokio::task::spawn_local(bare::serve(listener, bare::Role::Hold(count)));
    let process = subject.start(service, &[silent], PLAIN, None).await?;
    let idle = process.memory_kib()?;
    let connections = clients(process.address, IDLE_CONNECTIONS).await?;
    let connection = (process.memory_kib()? - idle) / IDLE_CONNECTIONS as f64;
    // Not asked to end: stock tonic would wait for its connections without a limit.
    drop((process, connections));

    let process = subject.start(service, &[silent], PLAIN, None).await?;
    let mut clients = clients(process.address, 10).await?;
    let calls = in_flight(&mut clients, service, &mut held).await?;
    let in_flight = process.memory_kib()?;
    drop((process, calls, clients));
    serving.abort();
    Ok(Memory { idle, in_flight, connection })
}

async fn clients(address: SocketAddr, count: usize) -> anyhow::Result<Vec<Client>> {
    let mut clients = Vec::with_capacity(count);
    for _ in 0..count {
        clients.push(load::connect(address).await?);
    }
    Ok(clients)
}

/// Begins a hundred calls on each connection, and waits until they have arrived.
async fn in_flight(
    clients: &mut [Client],
    service: Service,
    held: &mut watch::Receiver<usize>,
) -> anyhow::Result<Vec<h2::SendStream<bytes::Bytes>>> {
    let frame = message::of_size(64);
    let mut calls = Vec::new();
    for client in clients.iter_mut() {
        for _ in 0..100 {
            calls.push(client.begin(service.method(), &frame, service == Service::B).await?);
        }
        client.settle().await?;
    }
    if service == Service::B {
        let all = held.wait_for(|held| *held >= calls.len());
        timeout(Duration::from_secs(60), all).await.context("not all calls have come to A")??;
    }
    Ok(calls)
}
