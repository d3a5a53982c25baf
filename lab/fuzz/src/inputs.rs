//! Plays the targets: the corpus as it is, then what becomes of it.

use std::{
    env,
    time::{Duration, Instant},
};

use simulation::{
    driver::{Played, Until, drive},
    number,
};

use super::{
    corpus,
    mutate::Mutator,
    targets::{TARGETS, Target},
};

/// The number of inputs a target where the environment says nothing.
const FEW: u64 = 1_000;

const BATCH: u64 = 500;

#[test]
fn holds_for_every_input_of_the_corpus() {
    for target in TARGETS {
        let taken = corpus::inputs(target.corpus).iter().filter(|input| (target.holds)(input)).count();
        assert!(taken > 0, "{}: nothing of the corpus is taken", target.name);
    }
}

#[test]
fn holds_whatever_the_input() {
    let only = env::var("FUZZ_TARGET").ok();
    let targets: Vec<_> =
        TARGETS.into_iter().filter(|target| only.as_ref().is_none_or(|only| only == target.name)).collect();
    assert!(!targets.is_empty(), "no such target");
    if let Some(seed) = number("FUZZ_SEED") {
        targets.iter().for_each(|target| show(target, seed));
        return;
    }
    let share = u32::try_from(targets.len()).expect("a few");
    let failed: Vec<String> = targets.into_iter().flat_map(|target| play(target, share)).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Plays many inputs, in its share of the time, and tells how to play those again that failed.
fn play(target: Target, share: u32) -> Vec<String> {
    let began = Instant::now();
    let seconds = number("FUZZ_SECONDS")
        .map(|seconds| Until::Time(began + Duration::from_secs(seconds.min(365 * 24 * 3600)) / share));
    let until = seconds.unwrap_or(Until::Count(number("FUZZ_INPUTS").unwrap_or(FEW)));
    let (name, mutator) = (target.name, Mutator::new(target.corpus, target.words));
    let play = move |seed| Ok((target.holds)(&mutator.input(seed)));
    let Played { count, reached, failed } =
        drive(number("FUZZ_FROM").unwrap_or(0), until, BATCH, move |seeds| seeds.each(&play));
    println!("{name:10} {count:>10} inputs, {reached:>10} taken, {:.1} s", began.elapsed().as_secs_f64());
    // Else it is only the first check of all that is tested.
    assert!(!failed.is_empty() || reached > count / 200, "{name}: too few are taken");
    let replay = "cargo test -p fuzz inputs -- --nocapture";
    failed.into_iter().map(|(seed, how)| format!("{how}\n  FUZZ_TARGET={name} FUZZ_SEED={seed} {replay}")).collect()
}

fn show(target: &Target, seed: u64) {
    let input = Mutator::new(target.corpus, target.words).input(seed);
    println!("{}: {}", target.name, corpus::line(&input));
    let taken = (target.holds)(&input);
    println!("{}", if taken { "taken" } else { "refused" });
}
