//! Counts over the last ten seconds, without a lock: for all workers of a process.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

/// One more bucket than the window has seconds: the oldest is on its way out.
const BUCKETS: usize = SECONDS as usize + 1;
const SECONDS: u32 = 10;

/// Two counts a second, `all` and `marked`, packed with the second that they belong to.
#[derive(Debug)]
pub(crate) struct Window {
    since: Instant,
    buckets: [AtomicU64; BUCKETS],
}

/// What happened within a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub all: u32,
    pub marked: u32,
}

impl Default for Window {
    fn default() -> Self {
        Window { since: Instant::now(), buckets: Default::default() }
    }
}

impl Window {
    /// Counts one, now.
    pub fn count(&self, marked: bool) {
        self.count_at(self.second(), marked);
    }

    /// The last ten seconds, and the second under way: no less than ten.
    pub fn counts(&self) -> Counts {
        self.counts_at(self.second(), SECONDS)
    }

    /// The last nine seconds, and the second under way: no more than ten.
    pub fn counts_at_most(&self) -> Counts {
        self.counts_at(self.second(), SECONDS - 1)
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.buckets.iter().for_each(|bucket| bucket.store(0, Ordering::Relaxed));
    }

    fn second(&self) -> u32 {
        (self.since.elapsed().as_secs() % CYCLE) as u32
    }

    fn count_at(&self, now: u32, marked: bool) {
        let bucket = &self.buckets[now as usize % BUCKETS];
        let counted = |packed| {
            let (second, counts) = unpack(packed);
            let Counts { all, marked: so_far } = if second == now { counts } else { Counts::default() };
            Some(pack(now, Counts { all: all + 1, marked: so_far + u32::from(marked) }))
        };
        // Never fails: the closure always gives a value.
        let _ = bucket.fetch_update(Ordering::Relaxed, Ordering::Relaxed, counted);
    }

    fn counts_at(&self, now: u32, seconds: u32) -> Counts {
        let recent = |bucket: &AtomicU64| {
            let (second, counts) = unpack(bucket.load(Ordering::Relaxed));
            ((u64::from(now) + CYCLE - u64::from(second)) % CYCLE <= seconds.into()).then_some(counts)
        };
        let sum = |sum: Counts, next: Counts| Counts { all: sum.all + next.all, marked: sum.marked + next.marked };
        self.buckets.iter().filter_map(recent).fold(Counts::default(), sum)
    }
}

/// 20 bits of seconds (twelve days, then they come again), 22 of each count.
const COUNT_BITS: u32 = 22;
const COUNT: u64 = (1 << COUNT_BITS) - 1;
/// Fits into these bits, and is a multiple of `BUCKETS`, so that each second has the bucket after the last one's.
const CYCLE: u64 = (1 << 20) - 1;
const _: () = assert!(CYCLE.is_multiple_of(BUCKETS as u64));

fn pack(second: u32, Counts { all, marked }: Counts) -> u64 {
    let count = |count: u32| u64::from(count).min(COUNT);
    u64::from(second) << (2 * COUNT_BITS) | count(all) << COUNT_BITS | count(marked)
}

fn unpack(packed: u64) -> (u32, Counts) {
    let count = |shift: u32| (packed >> shift & COUNT) as u32;
    let second = (packed >> (2 * COUNT_BITS)) as u32;
    (second, Counts { all: count(COUNT_BITS), marked: count(0) })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn counts_ten_seconds_and_the_one_under_way() {
        let window = Window::default();
        window.count_at(100, true);
        window.count_at(100, false);
        window.count_at(105, false);
        assert_eq!(window.counts_at(105, SECONDS), Counts { all: 3, marked: 1 });
        assert_eq!(window.counts_at(110, SECONDS), Counts { all: 3, marked: 1 });
        assert_eq!(window.counts_at(111, SECONDS), Counts { all: 1, marked: 0 });
        assert_eq!(window.counts_at(116, SECONDS), Counts::default());
        window.count_at(111, true);
        assert_eq!(window.counts_at(111, SECONDS), Counts { all: 2, marked: 1 });
        window.clear();
        assert_eq!(window.counts_at(111, SECONDS), Counts::default());
    }

    #[tokio::test(start_paused = true)]
    async fn counts_on_when_the_seconds_it_keeps_begin_again() {
        let window = Window::default();
        tokio::time::advance(Duration::from_secs(CYCLE - 2)).await;
        for seen in 1..=5 {
            window.count(true);
            assert_eq!(window.counts(), Counts { all: seen, marked: seen });
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(window.counts().all, 5, "the first is ten seconds old");
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(window.counts().all, 0);
    }

    #[test]
    fn packs_what_it_counts() {
        let counts = Counts { all: 4_000_000, marked: 12 };
        assert_eq!(unpack(pack(1_000_000, counts)), (1_000_000, counts));
    }
}
