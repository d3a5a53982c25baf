//! What there is to say about a load, whatever the form.

use std::time::Duration;

use super::{
    args::LoadArgs,
    latency::Latencies,
    outcome::Outcome,
    schedule::span,
    tally::{Instance, Tally},
};
use crate::{options::CallOptions, units::ms};

/// A generator whose calls start later than this is not the one that was asked for.
const LAG_THAT_MATTERS: Duration = Duration::from_millis(10);
/// Nor is one that reaches less than this share of the rate.
const RATE_THAT_MATTERS: f64 = 0.99;
/// Nor is one that hardly ever waits.
const BUSY_THAT_MATTERS: f64 = 0.9;

/// Everything that is known once the calls have ended.
pub struct Report {
    /// The flags.
    pub load: LoadArgs,
    /// Where the calls went.
    pub options: CallOptions,
    /// Whether Ctrl-C ended it early.
    pub interrupted: bool,
    /// What came of the calls.
    pub tally: Tally,
    /// How long they took, whatever came of them.
    pub all: Latencies,
}

impl Report {
    /// Of what all threads have counted.
    pub fn new(load: &LoadArgs, options: CallOptions, interrupted: bool, tally: Tally) -> Self {
        let mut all = tally.ok.clone();
        all.add(&tally.failed);
        Report { load: load.clone(), options, interrupted, tally, all }
    }

    /// The calls that were to be made: those that ended, and those that never did or never started.
    pub fn calls(&self) -> u64 {
        self.started() + self.tally.not_started
    }

    /// The calls that were made.
    pub fn started(&self) -> u64 {
        self.all.count() + self.tally.lost + self.tally.unfinished
    }

    /// The calls that went well.
    pub fn ok(&self) -> u64 {
        self.tally.ok.count()
    }

    /// The calls that were made and failed, in whatever way.
    pub fn errors(&self) -> u64 {
        self.tally.failed.count() + self.tally.lost
    }

    /// The calls that were answered with the text of another one.
    pub fn swapped(&self) -> u64 {
        self.tally.outcomes.get(&Outcome::SWAPPED).copied().unwrap_or_default()
    }

    /// How long calls were made: as long as the schedule says, or longer where the generator lagged.
    pub fn elapsed(&self) -> Duration {
        match self.load.rate {
            Some(rate) => span(self.calls(), rate).max(self.tally.last_start),
            None => self.tally.last_end,
        }
    }

    /// Calls started per second.
    #[expect(clippy::cast_precision_loss, reason = "nobody makes 2^53 calls")]
    pub fn rate(&self) -> f64 {
        let seconds = self.elapsed().as_secs_f64();
        if seconds > 0.0 { self.started() as f64 / seconds } else { 0.0 }
    }

    /// What came of the calls, OK first, then by their number.
    pub fn outcomes(&self) -> Vec<(&Outcome, u64)> {
        let mut outcomes: Vec<_> = self.tally.outcomes.iter().map(|(outcome, calls)| (outcome, *calls)).collect();
        let name = |outcome: &Outcome| (outcome.code as i32, outcome.hop.clone(), outcome.reason.clone());
        outcomes.sort_by_key(|(outcome, calls)| (**outcome != Outcome::OK, u64::MAX - calls, name(outcome)));
        outcomes
    }

    /// What most calls came to, where there was a connection for none of them.
    pub fn never_sent(&self) -> Option<&Outcome> {
        let outcomes = self.outcomes();
        outcomes.first().filter(|_| !self.tally.any_sent).map(|(outcome, _)| *outcome)
    }

    /// Who answered, by name.
    pub fn instances(&self) -> Vec<(&str, &Instance)> {
        let mut instances: Vec<_> = self.tally.instances.iter().map(|(name, of)| (name.as_str(), of)).collect();
        instances.sort_by_key(|(name, _)| *name);
        instances
    }

    /// Where the calls went, without a scheme.
    pub fn address(&self) -> String {
        self.options.called.target.to_string().trim_start_matches("http://").to_owned()
    }

    /// Why the numbers may be wrong; empty where there is no reason.
    pub fn warnings(&self) -> Vec<String> {
        let Tally { unfinished, not_started, queued, busy, lag, .. } = &self.tally;
        let concurrency = self.load.concurrency();
        let warn = |when: bool, what: String| when.then_some(what);
        let rate = self.load.rate.map_or(1.0, |asked| self.rate() / asked);
        let lag = lag.at(0.99).unwrap_or_default();
        [
            warn(self.interrupted, format!("ended early by a signal, with {unfinished} calls under way")),
            warn(rate < RATE_THAT_MATTERS, format!("the load was {:.0} % of what was asked for", rate * 100.0)),
            warn(
                *not_started > 0,
                format!("{not_started} calls waited for their start until the timeout, and gave up"),
            ),
            warn(*queued > 0, format!("{queued} calls had to wait for one of the {concurrency} in flight to end")),
            warn(lag > LAG_THAT_MATTERS, format!("1 % of the calls started {} ms too late, or later", ms(lag))),
            warn(*busy > BUSY_THAT_MATTERS, format!("the generator was at work {:.0} % of the time", busy * 100.0)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
