//! How many retries a process may make: few enough that a peer in trouble does not get more to do for it.

use super::window::{Counts, Window};

/// Retries beyond the share of calls; a process with few calls may retry too.
const RESERVE: u32 = 10;
/// The number of calls that earn one retry.
const CALLS_A_RETRY: u32 = 10;

/// Attempts stay below 1.10 × calls + 10 in any ten seconds, over all workers.
#[derive(Debug, Default)]
pub(crate) struct RetryBudget {
    calls: Window,
    retries: Window,
}

impl RetryBudget {
    /// Counts a call, which earns a share of a retry.
    pub fn call(&self) {
        self.calls.count(false);
    }

    /// Takes one retry, if there is one.
    pub fn take(&self) -> bool {
        let allowed = allows(self.calls.counts_at_most(), self.retries.counts());
        if allowed {
            self.retries.count(false);
        }
        allowed
    }
}

fn allows(calls: Counts, retries: Counts) -> bool {
    retries.all < calls.all / CALLS_A_RETRY + RESERVE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn allows_ten_retries_and_one_for_ten_calls() {
        let budget = RetryBudget::default();
        (0..100).for_each(|_| budget.call());
        let taken = (0..100).filter(|_| budget.take()).count();
        assert_eq!(taken, 20);
        tokio::time::advance(std::time::Duration::from_secs(12)).await;
        assert_eq!((0..100).filter(|_| budget.take()).count(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn counts_for_a_burst_only_the_calls_of_its_own_ten_seconds() {
        let budget = RetryBudget::default();
        for _ in 0..11 {
            tokio::time::advance(std::time::Duration::from_secs(1)).await;
            (0..1000).for_each(|_| budget.call());
        }
        let taken = (0..10_000).filter(|_| budget.take()).count();
        assert!((900..=1010).contains(&taken), "{taken} retries for 10,000 calls in ten seconds");
    }
}
