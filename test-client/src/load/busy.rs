//! How much of its time a thread has something to do: one that always has cannot keep to a schedule.

use std::time::{Duration, Instant};

use tokio::runtime::Handle;

/// Less time than this says nothing.
const TOO_SHORT: Duration = Duration::from_millis(50);

/// The time of a runtime of one thread. Unlike the processor's time it also passes while another thread has the processor.
pub struct Busy {
    before: Duration,
    at: Instant,
}

impl Busy {
    /// Starts to measure. Needs a Tokio runtime.
    pub fn now() -> Self {
        Busy { before: so_far(), at: Instant::now() }
    }

    /// The share of the time since then in which this thread did not wait for anything, from 0 to 1.
    pub fn share(&self) -> f64 {
        let all = self.at.elapsed();
        let busy = so_far().saturating_sub(self.before);
        if all < TOO_SHORT { 0.0 } else { (busy.as_secs_f64() / all.as_secs_f64()).min(1.0) }
    }
}

fn so_far() -> Duration {
    Handle::current().metrics().worker_total_busy_duration(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tells_work_from_waiting() {
        let busy = Busy::now();
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(busy.share() < 0.5, "{}", busy.share());
        let busy = Busy::now();
        for _ in 0..20 {
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(10) {}
            tokio::task::yield_now().await;
        }
        assert!(busy.share() > 0.5, "{}", busy.share());
    }
}
