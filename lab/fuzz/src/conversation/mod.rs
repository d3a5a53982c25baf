//! Raw conversations with a live server: whatever a peer says over HTTP/2 or HTTP/1.1, and however it ends.
//!
//! `FUZZ_CONVERSATIONS=1000000` or `FUZZ_SECONDS=30` says how many, from `FUZZ_FROM`; `FUZZ_SEED=1234` plays one, and tells it.

mod acts;
mod allowed;
mod caller;
mod draw;
mod frame;
mod noted;
mod play;

use std::time::{Duration, Instant};

use simulation::{
    driver::{Batch, Played, Until, drive},
    number, panics,
};

use super::corpus;
use draw::Conversation;
use play::{Outcome, World};

/// The number of conversations where the environment says nothing.
const FEW: u64 = 300;

/// Conversations at once.
const CROWD: u64 = 50;

thread_local! {
    static WORLD: World = World::new();
}

#[test]
fn keeps_the_contract_whatever_a_peer_says() {
    panics::note();
    if let Some(seed) = number("FUZZ_SEED") {
        tell(seed);
        return;
    }
    let began = Instant::now();
    let seconds =
        number("FUZZ_SECONDS").map(|seconds| Until::Time(began + Duration::from_secs(seconds.min(365 * 24 * 3600))));
    let until = seconds.unwrap_or(Until::Count(number("FUZZ_CONVERSATIONS").unwrap_or(FEW)));
    let Played { count, reached, failed } = drive(number("FUZZ_FROM").unwrap_or(0), until, CROWD, |batch| play(&batch));
    println!("{count} conversations, {reached} with an answer, {:.1} s", began.elapsed().as_secs_f64());
    assert!(!failed.is_empty() || reached > count / 4, "too few reach the server");
    let replay = "cargo test -p fuzz conversation -- --nocapture";
    let failed: Vec<_> = failed.iter().map(|(seed, how)| format!("{how}\n  FUZZ_SEED={seed} {replay}")).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn reaches_every_check_and_the_handler() {
    let outcomes = WORLD.with(|world| world.play(0..200).0);
    let answers: Vec<_> = outcomes.into_iter().flat_map(|outcomes| outcomes.answers).collect();
    for code in ["0", "4", "8", "12", "13"] {
        assert!(answers.iter().any(|answer| answer.grpc.as_deref() == Some(code)), "no answer with {code}");
    }
    for http in [400, 405, 415] {
        assert!(answers.iter().any(|answer| answer.http == http), "no answer with HTTP {http}");
    }
    let good = answers.iter().filter(|answer| answer.grpc.as_deref() == Some("0")).count();
    assert!(good > 10, "only {good} calls succeed");
}

fn play(batch: &Batch) -> Played {
    let (outcomes, left) = WORLD.with(|world| world.play(batch.begin..batch.end));
    let reached = outcomes.iter().filter(|outcomes| !outcomes.answers.is_empty() || !outcomes.heard.is_empty()).count();
    let seeds = batch.begin..batch.end;
    let failed = seeds
        .zip(outcomes)
        .filter(|(_, outcomes)| !outcomes.wrong.is_empty())
        .map(|(seed, outcomes)| (seed, outcomes.wrong.join("; ")));
    let mut failed: Vec<_> = failed.collect();
    let together = [left, panics::take()].concat();
    if !together.is_empty() {
        failed.push((find(batch), together.join("; ")));
    }
    Played { count: batch.end - batch.begin, reached: reached as u64, failed }
}

/// Which of a batch is at fault, where it is one alone; else the first of them.
fn find(batch: &Batch) -> u64 {
    let is_at_fault = |seed: &u64| {
        let (_, left) = World::new().play(*seed..seed + 1);
        !left.is_empty() || !panics::take().is_empty()
    };
    (batch.begin..batch.end).find(is_at_fault).unwrap_or(batch.begin)
}

fn tell(seed: u64) {
    let Conversation { said, end, window } = Conversation::of(seed);
    println!("{window} bytes under way at most");
    said.iter().for_each(|(bytes, pause)| println!("> {}\n  {pause:?}", corpus::line(bytes)));
    println!("{end:?}");
    let (outcomes, left) = World::new().play(seed..seed + 1);
    for Outcome { answers, heard, wrong } in outcomes {
        println!("< {}\n{answers:?}", corpus::line(&heard));
        assert!(wrong.is_empty(), "{wrong:?}");
    }
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(panics::take(), Vec::<String>::new());
}
