//! A flood on one connection, made again as often as it is closed: what do the other callers notice of it?

use std::time::Duration;

use hostile_peer::client::{Attack, Target, groups};

use super::{
    load::{self, Loop, Report},
    replicas::start_a,
};
use crate::{child::Child, grpc::ECHO, print::print, program::Program};

/// Calls a second while the flood goes on: few enough that the flood is what a call waits for.
const RATE: u32 = 500;
/// Calls in one measurement: a second.
const CALLS: usize = 500;
/// How often each is flooded, in turns, of which the median counts: a machine that is busy for a while disturbs both, or few of them.
const ROUNDS: usize = 9;
/// The contract: p99 within twice of what it is while the same flood hits another port.
const ALLOWED: f64 = 2.0;
/// Below this both are the machine's noise.
const NOISE_MS: f64 = 2.0;
/// How long a load may take.
const LOAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Which of them.
#[derive(Clone, Debug, clap::Args)]
pub struct Which {
    /// Floods by name, such as `rapid-reset`; without one, all
    #[arg(value_name = "NAME")]
    names: Vec<Attack>,
}

/// Floods A, and a second A as often. True if every call went well, and the p99 was as promised.
pub async fn run(program: &Program, which: &Which) -> anyhow::Result<bool> {
    let a = start_a(program, 0, &[]).await?;
    let other = start_a(program, 0, &[]).await?;
    print(&format!("{:26} {:>9} {:>9}  {:>5}  failed\n", "p99 of others, in ms", "elsewhere", "here", "times"));
    let mut held = true;
    let floods = if which.names.is_empty() { all().collect() } else { which.names.clone() };
    for flood in floods {
        let mut elsewhere = Vec::new();
        let mut here = Vec::new();
        let mut times = Vec::new();
        let mut failed = 0;
        for _ in 0..ROUNDS {
            for (flooded, p99) in [(&other, &mut elsewhere), (&a, &mut here)] {
                let report =
                    during(&flood, flooded, load::echo(program, &a.url(), Loop::Open(RATE), CALLS, LOAD_TIMEOUT))
                        .await?;
                p99.push(report.p99_ms);
                failed += report.errors;
            }
            times.extend(here.last().zip(elsewhere.last()).map(|(here, elsewhere)| here / elsewhere));
        }
        let elsewhere = median(elsewhere);
        let here = median(here);
        let times = median(times);
        print(&format!("{:26} {elsewhere:>9.2} {here:>9.2}  {times:>5.2}  {failed}\n", flood.name()));
        held &= failed == 0 && (times <= ALLOWED || here <= NOISE_MS);
    }
    Ok(held)
}

/// The report, while the flood goes on, again and again.
async fn during(
    flood: &Attack,
    flooded: &Child,
    report: impl Future<Output = anyhow::Result<Report>>,
) -> anyhow::Result<Report> {
    let target = Target::new(flooded.address(), ECHO, "/echo");
    let again = async {
        loop {
            if let Err(error) = flood.run_for(&target, Duration::from_secs(1)).await {
                return anyhow::Error::from(error);
            }
        }
    };
    tokio::select! { report = report => report, error = again => Err(error) }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Those of the table that flood.
fn all() -> impl Iterator<Item = Attack> {
    let rows = groups().filter(|group| group.title == "floods").flat_map(|group| group.list());
    rows.filter_map(|(name, _)| name.parse().ok())
}
