//! How long things took: a histogram that keeps every value to a fixed share of itself, whatever its size.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Whatever takes longer than this counts as having taken this long.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What every form of the report tells of latencies, and `--fail-if` compares: a name, and the share of the calls that took
/// no longer.
pub const QUANTILES: [(&str, f64); 6] =
    [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// Durations, in microseconds.
#[derive(Clone, Debug)]
pub struct Latencies {
    histogram: Histogram<u64>,
    max: Duration,
}

/// A bar of the histogram that people look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bin {
    /// From above the bin before it up to this.
    pub up_to: Duration,
    /// How many there are.
    pub count: u64,
}

impl Latencies {
    /// To a tenth of a percent.
    pub fn fine() -> Self {
        Self::with_digits(3)
    }

    /// To a percent: a tenth of the memory, for what there are many of.
    pub fn coarse() -> Self {
        Self::with_digits(2)
    }

    fn with_digits(digits: u8) -> Self {
        let histogram = Histogram::new(digits).expect("two or three digits are possible");
        Latencies { histogram, max: Duration::ZERO }
    }

    /// Takes one more.
    pub fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.min(LONGEST).as_micros()).unwrap_or(u64::MAX);
        self.histogram.record(micros).expect("it grows as needed, and a day is within reach");
        self.max = self.max.max(latency);
    }

    /// Takes all of `other`.
    pub fn add(&mut self, other: &Latencies) {
        self.histogram.add(&other.histogram).expect("it grows as needed");
        self.max = self.max.max(other.max);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The value that a share of `quantile` (0 to 1) does not exceed; `None` where there is none at all.
    pub fn at(&self, quantile: f64) -> Option<Duration> {
        let value = || Duration::from_micros(self.histogram.value_at_quantile(quantile)).min(self.max);
        (self.count() > 0).then(value)
    }

    /// The longest.
    pub fn max(&self) -> Option<Duration> {
        (self.count() > 0).then_some(self.max)
    }

    /// The mean; zero where there is none at all.
    pub fn mean(&self) -> Duration {
        Duration::from_secs_f64(self.histogram.mean() / 1e6)
    }

    /// The values in bins whose bounds grow as 1, 2, 5, 10, 20, 50, …, from the first with anything in it to the last.
    pub fn bins(&self) -> Vec<Bin> {
        let bounds = (0..).flat_map(|power| [1, 2, 5].map(|first| first * 10_u64.pow(power)));
        let mut bins = Vec::new();
        let mut before = 0;
        let mut left = self.count();
        for bound in bounds {
            if left == 0 {
                break;
            }
            // Counts a bucket that spans the bound as below it: by a tenth of a percent at most.
            let so_far = self.histogram.count_between(0, bound);
            let count = so_far - before;
            before = so_far;
            left = self.count() - so_far;
            if count > 0 || !bins.is_empty() {
                bins.push(Bin { up_to: Duration::from_micros(bound), count });
            }
        }
        bins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_to(n: u64) -> Latencies {
        let mut latencies = Latencies::fine();
        (1..=n).for_each(|ms| latencies.record(Duration::from_millis(ms)));
        latencies
    }

    #[test]
    fn knows_the_percentiles_of_known_data() {
        let latencies = one_to(1000);
        for (quantile, ms) in [(0.5, 500.0), (0.9, 900.0), (0.99, 990.0), (0.999, 999.0), (1.0, 1000.0)] {
            let got = latencies.at(quantile).unwrap().as_secs_f64() * 1000.0;
            assert!((got - ms).abs() <= ms * 0.001, "{quantile}: {got} for {ms}");
        }
        assert_eq!((latencies.count(), latencies.max()), (1000, Some(Duration::from_secs(1))));
        assert!((latencies.mean().as_secs_f64() - 0.5005).abs() < 0.001);
    }

    #[test]
    fn is_the_same_in_parts_as_in_one() {
        let mut sum = one_to(500);
        let whole = one_to(1000);
        let mut rest = Latencies::fine();
        (501..=1000).for_each(|ms| rest.record(Duration::from_millis(ms)));
        sum.add(&rest);
        for quantile in [0.01, 0.5, 0.99, 0.999, 1.0] {
            assert_eq!(sum.at(quantile), whole.at(quantile));
        }
    }

    #[test]
    fn says_nothing_of_nothing_and_survives_the_longest_wait_there_is() {
        assert_eq!((Latencies::fine().at(0.5), Latencies::fine().max()), (None, None));
        assert_eq!(Latencies::fine().bins(), []);
        let mut latencies = Latencies::coarse();
        latencies.record(Duration::MAX);
        latencies.record(Duration::ZERO);
        assert_eq!((latencies.count(), latencies.max()), (2, Some(Duration::MAX)));
        assert_eq!(latencies.bins().iter().map(|bin| bin.count).sum::<u64>(), 2);
    }

    #[test]
    fn puts_every_value_into_one_bin() {
        let bins = one_to(1000).bins();
        assert_eq!(bins.first().unwrap(), &Bin { up_to: Duration::from_millis(1), count: 1 });
        assert_eq!(bins.last().unwrap().up_to, Duration::from_secs(1));
        assert_eq!(bins.iter().map(|bin| bin.count).sum::<u64>(), 1000);
    }
}
