//! How much of its time a thread is at work: one that always is cannot keep to a schedule.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The two clocks of the thread that asks: its own, which stands while it waits, and everybody's.
pub struct Busy {
    at_work: Duration,
    at: Instant,
}

impl Busy {
    /// Starts to measure.
    pub fn now() -> Self {
        Busy { at_work: at_work(), at: Instant::now() }
    }

    /// The share of the time since then that this thread was at work, from 0 to 1.
    pub fn share(&self) -> f64 {
        let all = self.at.elapsed().as_secs_f64().max(1e-9);
        ((at_work().saturating_sub(self.at_work)).as_secs_f64() / all).min(1.0)
    }
}

fn at_work() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_work_from_waiting() {
        let busy = Busy::now();
        std::thread::sleep(Duration::from_millis(50));
        assert!(busy.share() < 0.5, "{}", busy.share());
        let (start, busy) = (at_work(), Busy::now());
        while at_work() - start < Duration::from_millis(20) {}
        assert!(busy.share() > 0.0, "{}", busy.share());
    }
}
