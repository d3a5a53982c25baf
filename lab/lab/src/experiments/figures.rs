//! Percentiles of what was measured.

use std::fmt;

use crate::print::print;

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

/// Prints a row of what was found: how many calls, how many of them ended as they must, and the figures.
pub fn tell(name: &str, calls: usize, as_they_must: usize, figures: &mut Figures) {
    print(&format!("{name:24} {calls:>6} {as_they_must:>6}  {figures}\n"));
}

/// Prints the headline of such rows.
pub fn headline(of: &str) {
    let figures = ["median", "p99", "p99.9", "max"].map(|figure| format!("{figure:>9}")).concat();
    print(&format!("{of:24}  calls     ok  {figures}  ms\n"));
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
