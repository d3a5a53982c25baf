//! When calls of an open loop are to start, and the clock that wakes the loop for them.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::Notify;

/// The shortest pause between two wake-ups: calls that are due within it start together.
const TICK: Duration = Duration::from_micros(100);

/// Evenly spaced instants.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// When call number 0 is to start.
    pub epoch: Instant,
    /// Calls per second.
    pub rate: f64,
}

impl Schedule {
    /// When call number `n` is to start.
    pub fn intended(&self, n: u64) -> Instant {
        self.epoch + span(n, self.rate)
    }

    /// The number of the first call that is to start at `at` or later.
    fn first_from(&self, at: Instant) -> u64 {
        calls_in(at.saturating_duration_since(self.epoch), self.rate)
    }
}

/// How long `n` calls take at `rate`.
pub fn span(n: u64, rate: f64) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "2^53 calls take longer than anybody waits")]
    Duration::from_secs_f64(n as f64 / rate)
}

/// How many calls start within `duration` at `rate`.
pub fn calls_in(duration: Duration, rate: f64) -> u64 {
    // Less a hair: 0.1 s at 1000/s is 100 calls, whatever the last bit of the product says.
    let calls = (duration.as_secs_f64() * rate - 1e-6).ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "above zero, and far below 2^53")]
    return calls.max(0.0) as u64;
}

/// Wakes a loop when the next call is due: from a thread of its own, for Tokio's clock counts in milliseconds.
pub struct Pacer {
    due: Arc<Notify>,
    /// Dropped, it ends the thread.
    _running: mpsc::Sender<()>,
}

impl Pacer {
    /// Starts the thread.
    pub fn start(schedule: Schedule) -> Self {
        let due = Arc::new(Notify::new());
        let (running, stopped) = mpsc::channel();
        let wake = due.clone();
        thread::spawn(move || {
            let mut next = schedule.epoch;
            while stopped.recv_timeout(until(next)) == Err(mpsc::RecvTimeoutError::Timeout) {
                // Before the wake-up: whatever is due by now will be seen, and whatever comes later gets a wake-up of its own.
                let now = Instant::now();
                wake.notify_one();
                next = schedule.intended(schedule.first_from(now)).max(now + TICK);
            }
        });
        Pacer { due, _running: running }
    }

    /// Returns when a call has become due since the last time.
    pub async fn tick(&self) {
        self.due.notified().await;
    }
}

fn until(instant: Instant) -> Duration {
    instant.saturating_duration_since(Instant::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_calls_evenly_and_never_drifts() {
        let schedule = Schedule { epoch: Instant::now(), rate: 3.0 };
        assert_eq!(schedule.intended(0), schedule.epoch);
        assert_eq!(schedule.intended(3_000_000), schedule.epoch + Duration::from_secs(1_000_000));
        assert_eq!(schedule.first_from(schedule.epoch + Duration::from_millis(334)), 2);
    }

    #[test]
    fn counts_the_calls_of_a_duration() {
        for (ms, rate, calls) in [(1000, 2000.0, 2000), (100, 1000.0, 100), (1, 10.0, 1), (0, 10.0, 0), (2500, 1.0, 3)]
        {
            assert_eq!(calls_in(Duration::from_millis(ms), rate), calls, "{ms} ms at {rate}/s");
        }
    }
}
