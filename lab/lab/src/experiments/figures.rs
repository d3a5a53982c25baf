//! Percentiles of what was measured.

use std::fmt;

/// Measurements in milliseconds; below zero is early.
#[derive(Clone, Debug, Default)]
pub struct Figures(Vec<f64>);

impl Figures {
    /// Adds one.
    pub fn add(&mut self, ms: f64) {
        self.0.push(ms);
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: &Figures) {
        self.0.extend(&other.0);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The value that a share of all does not exceed; not a number where there is none.
    pub fn percentile(&self, share: f64) -> f64 {
        Figures::of_sorted(&self.sorted(), share)
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    /// Nearest rank.
    fn of_sorted(sorted: &[f64], share: f64) -> f64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a rank"
        )]
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sorted = self.sorted();
        [0.5, 0.99, 0.999, 1.0].iter().try_for_each(|share| write!(f, "{:>9.1}", Figures::of_sorted(&sorted, *share)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_nearest_rank() {
        let mut figures = Figures::default();
        assert_eq!(figures.to_string().split_whitespace().collect::<Vec<_>>(), ["NaN"; 4]);
        (1..=1000).for_each(|n| figures.add(f64::from(n)));
        assert_eq!(figures.to_string(), "    500.0    990.0    999.0   1000.0");
    }
}
