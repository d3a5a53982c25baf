//! Whatever the peer and the network do, a call gets what the contract says, in time, and nothing is left of it.
//!
//! A number stands for a world: a peer's behaviors, faults of single bytes, connects that fail, callers with short
//! deadlines and with long ones. It is drawn from the number, played over an in-memory wire on a paused clock, and then asked: were the codes
//! and reasons allowed, was every answer in time, was the peer found again, is nothing left. `draw` says what there is,
//! `allowed` what may come of it.
//!
//! `FAULT_SEEDS=10000` plays ten thousand numbers, `FAULT_SEED=1234` plays one and tells its story.

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

use crate::{
    driver::{Played, Until, drive},
    number, panics,
};
use run::play;

/// The number of seeds that are played where the environment says nothing.
const FEW: u64 = 500;

#[test]
fn keeps_the_contract_whatever_peer_and_network_do() {
    if let Some(seed) = number("FAULT_SEED") {
        panics::note();
        let outcome = play(seed);
        println!("{}", outcome.story.join("\n"));
        assert_eq!([outcome.wrong, panics::take()].concat(), Vec::<String>::new(), "seed {seed}");
        return;
    }
    let count = number("FAULT_SEEDS").unwrap_or(FEW);
    let Played { failed, .. } = drive(0, Until::Count(count), 1, |batch| batch.each(is_as_the_contract_says));
    let failed: Vec<String> = failed.iter().map(|(seed, wrong)| summary(*seed, wrong)).collect();
    assert!(failed.is_empty(), "of {count} seeds:\n{}", failed.join("\n"));
}

#[test]
fn tells_the_same_story_for_the_same_seed() {
    for seed in 0..50 {
        assert_eq!(play(seed).story, play(seed).story, "seed {seed}");
    }
}

fn is_as_the_contract_says(seed: u64) -> Result<bool, String> {
    let wrong = play(seed).wrong;
    if wrong.is_empty() { Ok(true) } else { Err(wrong.join("\n  ")) }
}

fn summary(seed: u64, wrong: &str) -> String {
    format!("seed {seed}: {wrong}\n  FAULT_SEED={seed} cargo test -p simulation -- --nocapture")
}
