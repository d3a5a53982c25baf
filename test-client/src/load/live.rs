//! One line on a terminal, while the calls are under way.

use std::{
    io::{IsTerminal, Write},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use service_runtime::status::CODE_NAMES;

use super::{latency::Latencies, tally::Tally};
use crate::units::ms;

/// How it is going.
#[derive(Clone)]
pub struct Glimpse {
    latencies: Latencies,
    codes: [u64; CODE_NAMES.len()],
}

impl Default for Glimpse {
    fn default() -> Self {
        Glimpse { latencies: Latencies::fine(), codes: [0; CODE_NAMES.len()] }
    }
}

impl Glimpse {
    /// How it is going with `tally`.
    pub fn of(tally: &Tally) -> Self {
        let mut glimpse = Glimpse::default();
        glimpse.latencies.add(&tally.ok);
        glimpse.latencies.add(&tally.failed);
        for (outcome, calls) in &tally.outcomes {
            glimpse.codes[outcome.code as usize] += calls;
        }
        glimpse
    }

    fn add(&mut self, other: &Glimpse) {
        self.latencies.add(&other.latencies);
        self.codes.iter_mut().zip(other.codes).for_each(|(mine, theirs)| *mine += theirs);
    }

    /// `p50 0.41 p99 1.2 max 5.3 ms  OK 1200  UNAVAILABLE 3`
    fn line(&self) -> String {
        let at = |quantile| self.latencies.at(quantile).map(ms).unwrap_or_default();
        let mut line = format!("p50 {} p99 {} max {} ms", at(0.5), at(0.99), at(1.0));
        for (name, calls) in CODE_NAMES.iter().zip(self.codes).filter(|(_, calls)| *calls > 0) {
            line += &format!("  {name} {calls}");
        }
        line
    }
}

/// The line on the terminal; nowhere to be seen where there is none.
pub struct Live {
    terminal: bool,
    started: Instant,
    shown: (Instant, u64),
}

impl Live {
    /// Starts the clock.
    pub fn new() -> Self {
        let started = Instant::now();
        Live { terminal: std::io::stderr().is_terminal(), started, shown: (started, 0) }
    }

    /// Writes the line anew.
    pub fn show(&mut self, glimpses: &[Mutex<Glimpse>]) {
        if !self.terminal {
            return;
        }
        let mut sum = Glimpse::default();
        glimpses.iter().for_each(|glimpse| sum.add(&glimpse.lock().unwrap_or_else(PoisonError::into_inner)));
        let now = Instant::now();
        let calls = sum.latencies.count();
        let rate = rate(calls - self.shown.1, now - self.shown.0);
        self.shown = (now, calls);
        let line = match calls {
            0 => "warm-up".to_owned(),
            _ => format!("{rate:.0}/s  {}", sum.line()),
        };
        let line: String = format!("{:4} s  {line}", self.started.elapsed().as_secs()).chars().take(99).collect();
        // The report tells the same: a line that cannot be written is no loss.
        let _ = write!(std::io::stderr(), "\r\x1b[2K{line}");
    }

    /// Takes the line away.
    pub fn clear(&self) {
        if self.terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody makes 2^53 calls")]
fn rate(calls: u64, time: Duration) -> f64 {
    calls as f64 / time.as_secs_f64().max(0.001)
}
