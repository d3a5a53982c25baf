//! Whatever the peer and the network do, a call gets what the contract says, in time, and nothing is left of it.
//!
//! A number stands for a world: a peer's behaviours, faults of single bytes, connects that fail, callers with and without
//! patience. It is drawn from the number, played over an in-memory wire on a paused clock, and then asked: were the codes
//! and reasons allowed, was every answer in time, was the peer found again, is nothing left. `draw` says what there is,
//! `allowed` what may come of it.
//!
//! `FAULT_SEEDS=10000` plays so many numbers, `FAULT_SEED=1234` plays one and tells its story.

mod allowed;
mod call;
mod calls;
mod check;
mod draw;
mod net;
mod run;
mod span;
mod streams;
mod wire;

use std::{
    env,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use crate::panics;
use run::{Told, play};

/// How many are played where nobody says how many.
const FEW: u64 = 500;

/// A seed that takes so long in real time turns in circles.
const STUCK: Duration = Duration::from_secs(60);

#[test]
fn keeps_the_contract_whatever_peer_and_network_do() {
    panics::note();
    if let Some(seed) = number("FAULT_SEED") {
        let told = tell(seed);
        println!("{}", told.story.join("\n"));
        assert!(told.wrong.is_empty(), "seed {seed}:\n  {}", told.wrong.join("\n  "));
        return;
    }
    let failed = play_all(number("FAULT_SEEDS").unwrap_or(FEW));
    let few: Vec<_> = failed.iter().take(10).map(|(seed, told)| summary(*seed, told)).collect();
    assert!(few.is_empty(), "{} seeds failed:\n{}", failed.len(), few.join("\n"));
}

#[test]
fn tells_the_same_story_for_the_same_seed() {
    panics::note();
    for seed in 0..50 {
        assert_eq!(tell(seed).story, tell(seed).story, "seed {seed}");
    }
}

/// The seeds that failed, in order. As many at a time as there are processors.
fn play_all(count: u64) -> Vec<(u64, Told)> {
    let (next, (sender, told)) = (Arc::new(AtomicU64::new(0)), mpsc::channel());
    for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
        let (next, sender) = (next.clone(), sender.clone());
        thread::spawn(move || {
            let seeds = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
            for seed in seeds.take_while(|seed| *seed < count) {
                // Whoever asked may have failed already.
                let _ = sender.send((seed, tell(seed)));
            }
        });
    }
    let mut all: Vec<_> = (0..count)
        .map(|done| told.recv_timeout(STUCK).unwrap_or_else(|_| panic!("a seed about number {done} does not end")))
        .collect();
    all.sort_by_key(|(seed, _)| *seed);
    all.into_iter().filter(|(_, told)| !told.wrong.is_empty()).collect()
}

/// A panic, wherever it was, is something wrong.
fn tell(seed: u64) -> Told {
    let mut told = panic::catch_unwind(AssertUnwindSafe(|| play(seed)))
        .unwrap_or_else(|_| Told { story: Vec::new(), wrong: Vec::new() });
    told.wrong.extend(panics::take());
    told
}

fn summary(seed: u64, told: &Told) -> String {
    let replay = format!("FAULT_SEED={seed} cargo test -p service-runtime --lib seeded -- --nocapture");
    format!("seed {seed}: {}\n  {replay}", told.wrong.join("\n  "))
}

fn number(name: &str) -> Option<u64> {
    Some(env::var(name).ok()?.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}
