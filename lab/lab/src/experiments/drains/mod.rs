//! Signals, by the hundred: each to a process that has calls in flight and every kind of peer that could hold its exit back.

mod newcomers;
mod peers;
mod round;
mod tally;

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};

use super::{figures::Figures, replicas::start_a};
use crate::{print::print, program::Program};
use round::{Kind, Round, play};

/// Rounds at the same time: enough to be quick, few enough for the figures to be the services' own on two cores.
const AT_ONCE: usize = 4;

/// What came of all rounds of one kind.
#[derive(Default)]
struct Sum {
    rounds: usize,
    as_they_must: usize,
    whole: usize,
    unprocessed: usize,
    lost: usize,
    exits: Figures,
}

/// Sends `rounds` signals with calls in flight, and a tenth of that without. True if each round was as it must be.
pub async fn run(program: &Program, rounds: usize) -> anyhow::Result<bool> {
    let a = start_a(program, 0, &["--fault-injection"]).await?;
    let kinds = (0..rounds).map(|number| (number, Kind::of(number, true)));
    let idle = (0..rounds.div_ceil(10).max(4)).map(|number| (number, Kind::of(number, false)));
    let mut played = stream::iter(kinds.chain(idle))
        .map(|(number, kind)| {
            let a = a.url();
            async move { (kind, play(program, kind, number, &a).await) }
        })
        .buffer_unordered(AT_ONCE);
    let mut sums = BTreeMap::<Kind, Sum>::new();
    let mut wrong = BTreeMap::<String, (usize, String)>::new();
    while let Some((kind, round)) = played.next().await {
        let round = round?;
        add(sums.entry(kind).or_default(), &round);
        for what in round.wrong {
            let who = format!("{}, {}", kind.name(), what.split(':').next().unwrap_or_default());
            wrong.entry(who).or_insert((0, what)).0 += 1;
        }
    }
    tell(&mut sums);
    for (who, (times, first)) in &wrong {
        print(&format!("{who}, {times} times, the first: {first}\n"));
    }
    Ok(wrong.is_empty())
}

fn add(sum: &mut Sum, round: &Round) {
    sum.rounds += 1;
    sum.as_they_must += usize::from(round.wrong.is_empty());
    sum.whole += round.whole;
    sum.unprocessed += round.unprocessed;
    sum.lost += round.lost;
    sum.exits.add(round.exit_after.as_secs_f64() * 1000.0);
}

fn tell(sums: &mut BTreeMap<Kind, Sum>) {
    let figures = ["median", "p99", "p99.9", "max"].map(|figure| format!("{figure:>9}")).concat();
    print(&format!("{:28} rounds  as must be  answered  never taken  lost  {figures}  ms to exit\n", "signal"));
    for (kind, Sum { rounds, as_they_must, whole, unprocessed, lost, exits }) in sums {
        let counts = format!("{rounds:>6} {as_they_must:>11} {whole:>9} {unprocessed:>12} {lost:>5}");
        print(&format!("{:28} {counts}  {exits}\n", kind.name()));
    }
}
