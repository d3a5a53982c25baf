//! What came of calls, second by second.

use std::time::Duration;

use service_runtime::status::CODE_NAMES;
use tonic::Code;

use super::{latency::Latencies, outcome::Outcome};

/// All seconds from the first one that counts.
#[derive(Clone, Default)]
pub struct Seconds(Vec<Second>);

/// One second.
#[derive(Clone)]
pub struct Second {
    /// How long the calls took that were to start in it.
    pub latencies: Latencies,
    /// What came of these calls, by the number of the code.
    pub codes: [u64; CODE_NAMES.len()],
    /// OK, but with another text.
    pub swapped: u64,
    /// How many answers came in it, whenever their calls were to start.
    pub answers: u64,
}

impl Second {
    fn new() -> Self {
        Second { latencies: Latencies::coarse(), codes: [0; CODE_NAMES.len()], swapped: 0, answers: 0 }
    }

    /// The calls that were to start in it, and ended.
    pub fn calls(&self) -> u64 {
        self.codes.iter().sum()
    }

    /// The calls that went well.
    pub fn ok(&self) -> u64 {
        self.codes[Code::Ok as usize] - self.swapped
    }

    fn add(&mut self, other: &Second) {
        self.latencies.add(&other.latencies);
        self.codes.iter_mut().zip(other.codes).for_each(|(mine, theirs)| *mine += theirs);
        self.swapped += other.swapped;
        self.answers += other.answers;
    }
}

impl Seconds {
    /// Takes a call; the times are from the first second on.
    pub fn record(&mut self, intended: Duration, ended: Duration, outcome: &Outcome) {
        self.at(ended).answers += 1;
        let second = self.at(intended);
        second.latencies.record(ended.saturating_sub(intended));
        second.codes[outcome.code as usize] += 1;
        second.swapped += u64::from(*outcome == Outcome::SWAPPED);
    }

    /// Takes all of `other`.
    pub fn add(&mut self, other: &Seconds) {
        self.reach(other.0.len());
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| mine.add(theirs));
    }

    /// The seconds, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Second> {
        self.0.iter()
    }

    /// The codes that came at all, by their numbers.
    pub fn codes(&self) -> Vec<usize> {
        (0..CODE_NAMES.len()).filter(|code| self.0.iter().any(|second| second.codes[*code] > 0)).collect()
    }

    fn at(&mut self, time: Duration) -> &mut Second {
        let index = usize::try_from(time.as_secs()).unwrap_or(usize::MAX);
        self.reach(index + 1);
        &mut self.0[index]
    }

    fn reach(&mut self, len: usize) {
        if self.0.len() < len {
            self.0.resize_with(len, Second::new);
        }
    }
}
