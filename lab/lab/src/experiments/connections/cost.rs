//! What connections cost a process.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::time::sleep;

use crate::{
    child::Child,
    print::print,
    usage::{descriptors, memory_kb, peak_memory_kb},
};

/// Descriptors that a process has at most for itself.
pub const OWN_DESCRIPTORS: usize = 40;
/// How long B may take to close what its peers have left.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(60);

/// Prints B's memory, now and at its peak.
pub fn tell(what: &str, b: &Child) -> anyhow::Result<()> {
    let pid = b.pid().context("B has ended")?;
    #[expect(clippy::cast_precision_loss, reason = "a figure")]
    let [now, peak] = [memory_kb(pid)?, peak_memory_kb(pid)?].map(|kb| kb as f64 / 1024.0);
    print(&format!("  {what:58} {now:>7.1} MiB  peak {peak:>7.1}\n"));
    Ok(())
}

/// Returns once B has closed what its peers have left.
pub async fn left(b: &Child) -> anyhow::Result<()> {
    let pid = b.pid().context("B has ended")?;
    let until = Instant::now() + CLOSE_TIMEOUT;
    while descriptors(pid)? > OWN_DESCRIPTORS {
        anyhow::ensure!(Instant::now() < until, "B keeps connections that nobody has");
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
