//! One of two As stands still under load: what that costs the callers of B, whichever clock ends their calls, ours, theirs or A's
//! (docs/contract.md, "Retries": ejection).

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tokio::time::timeout;

use super::{
    callers::{Answers, BOTH, Callers, Whose},
    replicas::start_a,
};
use crate::{child::line_with, failures::Question, print::print, program::Program};

/// How much of it.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Size {
    /// A small one, of a few seconds: 500 calls for each kind of caller instead of 1,000
    #[arg(long)]
    short: bool,
}

/// How callers end their calls.
struct Kind {
    name: &'static str,
    question: Question,
    /// The caller's own clock.
    patience: Duration,
}

const KINDS: [Kind; 3] = [
    Kind {
        name: "500 ms, and wait for the answer",
        question: Question { msg: "hello", timeout: Some("500m") },
        patience: Duration::from_secs(5),
    },
    Kind {
        name: "500 ms, and cancel after 480 ms",
        question: Question { msg: "hello", timeout: Some("500m") },
        patience: Duration::from_millis(480),
    },
    Kind {
        name: "300 ms, by their own clock",
        question: Question { msg: "hello", timeout: Some("300m") },
        patience: Duration::from_millis(300),
    },
];

/// Callers, each of which makes one call after the other.
const CALLERS: usize = 25;
/// The time that the healthy A takes for a call: long enough that not all calls are made before the first ones to the frozen A fail.
const BEHAVIOR: &str = "sleep-20ms";
/// B's cap is above every deadline.
const CAP: Duration = Duration::from_secs(2);
/// How long after the last call a line on the log is waited for.
const LOGGED: Duration = Duration::from_secs(1);

/// What came of it.
struct Outcome {
    answers: Answers,
    /// Calls under way when A froze.
    in_flight: usize,
    ejected_after: Option<Duration>,
}

/// Every kind of caller before both. True if ours ejected it, and no more failed than what was in
/// flight, and a round more.
pub async fn run(program: &Program, size: Size) -> anyhow::Result<bool> {
    let calls = if size.short { 500 } else { 1000 };
    print(
        "| callers have | B | calls | OK | slowest ms | the others | in flight, and a round more | ejected after |\n",
    );
    print("|---|---|--:|--:|--:|---|--:|--:|\n");
    let mut held = true;
    for kind in &KINDS {
        let (ours, stock) =
            tokio::try_join!(play(program, Whose::Ours, kind, calls), play(program, Whose::Stock, kind, calls))?;
        for (whose, outcome) in BOTH.into_iter().zip([ours, stock]) {
            let Outcome { answers, in_flight, ejected_after } = outcome;
            let allowed = in_flight + CALLERS;
            let kept = answers.failed() <= allowed && ejected_after.is_some();
            let mark = if kept { "✓" } else { "✗" };
            let ejected = ejected_after.map_or("–".into(), |after| format!("{} ms", after.as_millis()));
            let name = whose.to_string();
            print(&format!("| {:32} | {name:11} | {answers} | {mark} {allowed} | {ejected} |\n", kind.name));
            held &= kept || whose == Whose::Stock;
        }
    }
    Ok(held)
}

async fn play(program: &Program, whose: Whose, kind: &Kind, calls: usize) -> anyhow::Result<Outcome> {
    let first = start_a(program, 0, &["--rpc-behavior", BEHAVIOR]).await?;
    let second = start_a(program, 0, &["--rpc-behavior", BEHAVIOR]).await?;
    let urls = format!("{},{}", first.url(), second.url());
    let b = whose.start(program, &urls, CAP, &[]).await?;
    let mut log = b.log_from_now();
    let ejected = tokio::spawn(async move { line_with(&mut log, "state=ejected").await.ok().map(|_| Instant::now()) });
    let callers = Callers::connect(&b, CALLERS).await?;
    let (begun, in_flight) = (Cell::new(0), Cell::new(0));
    let frozen = Cell::new(None);
    let answers = join_all((0..CALLERS).map(async |number| {
        let mut answers = Vec::new();
        while begun.get() < calls {
            begun.set(begun.get() + 1);
            if begun.get() == calls / 4 {
                first.freeze()?;
                frozen.set(Some((Instant::now(), in_flight.get())));
            }
            in_flight.set(in_flight.get() + 1);
            let answer = timeout(kind.patience, callers.call(number, kind.question)).await;
            in_flight.set(in_flight.get() - 1);
            answers.push(answer.unwrap_or_else(|_| Err(anyhow::anyhow!("the caller has left"))));
        }
        anyhow::Ok(answers)
    }));
    let mut all = Answers::default();
    for answers in answers.await {
        answers?.into_iter().for_each(|answer| all.add(answer));
    }
    let (since, in_flight) = frozen.get().unwrap_or((Instant::now(), 0));
    // Where it has not come by now, it has not come in time.
    let ejected = timeout(LOGGED, ejected).await.ok().and_then(Result::ok).flatten();
    Ok(Outcome { answers: all, in_flight, ejected_after: ejected.map(|at| at.saturating_duration_since(since)) })
}
