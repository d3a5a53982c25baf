//! Three replicas restarted one after the other, round after round, under load: nothing may fail.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    load::{self, Loop},
    replicas::start_a,
};
use crate::{child::Child, print::print, program::Program};

const RATE: u32 = 2000;
const REPLICAS: usize = 3;
/// Between a replica that is back and the end of the next: 1.3 s (docs/contract.md, row 12).
const PAUSE: Duration = Duration::from_millis(1300);

/// Restarts every replica `rounds` times. True if no call failed, was lost, or got another's answer.
pub async fn run(program: &Program, rounds: usize) -> anyhow::Result<bool> {
    let mut replicas = Vec::new();
    for _ in 0..REPLICAS {
        replicas.push(start_a(program, 0, &[]).await?);
    }
    let urls: Vec<String> = replicas.iter().map(Child::url).collect();
    let flags = ["--log", "warn", "--service-a", &urls.join(",")];
    let b = Child::start_on_free_port(program, "service-b", &flags).await?;
    let restarts = async {
        sleep(Duration::from_secs(1)).await;
        for _ in 0..rounds {
            for replica in &mut replicas {
                let port = replica.address().port();
                replica.terminate()?;
                replica.exited().await?;
                *replica = start_a(program, port, &[]).await?;
                sleep(PAUSE).await;
            }
        }
        anyhow::Ok(())
    };
    // Two seconds of calls for each restart, and some to begin with; the load ends a little after the last restart.
    let calls = RATE as usize * (2 * REPLICAS * rounds + 4);
    let url = b.url();
    let load = load::run(program, &url, Loop::Open(RATE), calls, Duration::from_secs(600));
    let (restarted, report) = tokio::join!(restarts, load);
    restarted?;
    let report = report?;
    print(&format!(
        "{} restarts under {RATE} calls/s: {} calls, {} failed, {} lost or swapped, p99 {:.1} ms, max {:.0} ms  {}\n",
        rounds * REPLICAS,
        report.calls,
        report.errors,
        report.swapped_or_lost,
        report.p99_ms,
        report.max_ms,
        report.failures
    ));
    Ok(report.errors == 0 && report.swapped_or_lost == 0)
}
