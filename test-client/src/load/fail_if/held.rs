//! Whether a condition holds for a report.

use super::{Condition, Counted, Limit, Metric, Of};
use crate::{
    load::{latency::Latencies, outcome::Outcome, report::Report},
    units::{ms, percent, percent_text},
};

impl Condition {
    /// `p99>50ms: p99 is 63.2 ms` where it holds. Of nothing, nothing good can be said: so it holds then, too.
    pub fn held(&self, report: &Report) -> Option<String> {
        let Condition { text, metric, operator } = self;
        let name = text[..text.find(['<', '>'])?].trim();
        let (holds, is) = match metric {
            Metric::Latency(of, quantile, limit) => match of.latencies(report).at(*quantile) {
                Some(latency) => (operator.holds(&latency, limit), format!("{} ms", ms(latency))),
                None => (true, "unknown, no call has ended".to_owned()),
            },
            Metric::Rate(limit) => (operator.holds(&report.rate(), limit), format!("{:.1}/s", report.rate())),
            Metric::Calls(counted, limit) => {
                let calls = counted.calls(report);
                let all = report.calls();
                let holds = match limit {
                    #[expect(clippy::cast_precision_loss, reason = "nobody makes 2^53 calls")]
                    Limit::Number(limit) => operator.holds(&(calls as f64), limit),
                    Limit::Percent(limit) => operator.holds(&percent(calls, all), limit),
                };
                (holds, format!("{calls} of {all}, {}", percent_text(calls, all)))
            }
        };
        holds.then(|| format!("{text}: {name} is {is}"))
    }
}

impl Of {
    fn latencies(self, report: &Report) -> &Latencies {
        match self {
            Of::All => &report.all,
            Of::Ok => &report.tally.ok,
            Of::Lag => &report.tally.lag,
        }
    }
}

impl Counted {
    fn calls(&self, report: &Report) -> u64 {
        let sum = |counts: &dyn Fn(&Outcome) -> bool| {
            report.tally.outcomes.iter().filter(|(outcome, _)| counts(outcome)).map(|(_, calls)| calls).sum()
        };
        match self {
            Counted::Errors => report.errors(),
            Counted::Swapped => report.swapped(),
            Counted::Lost => report.tally.lost,
            Counted::NotStarted => report.tally.not_started,
            Counted::Code(code) => sum(&|outcome| outcome.code == *code),
            Counted::Hop(hop) => sum(&|outcome| outcome.hop == *hop),
            Counted::Reason(reason) => sum(&|outcome| outcome.reason == *reason),
        }
    }
}
