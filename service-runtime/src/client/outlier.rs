//! Takes a replica that keeps failing out for a while, so that it costs a few calls and not its share (gRFC A50).
//!
//! What one worker learns all workers know: the verdict is the process's.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::window::{Counts, Window};
use crate::address::Address;

/// A replica is ejected after this number of failures in a row, or where over half of its calls in ten seconds failed and there were
/// at least `ENOUGH_CALLS`.
const IN_A_ROW: u32 = 5;
const ENOUGH_CALLS: u32 = 10;
/// Times the number of ejections; it comes back by itself.
const EJECTION: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(300);

/// Every replica that this process calls.
#[derive(Debug, Default)]
pub(crate) struct Outliers(Mutex<HashMap<Address, Weak<Outlier>>>);

/// How one replica does.
#[derive(Debug)]
pub(crate) struct Outlier {
    since: Instant,
    failed_in_a_row: AtomicU32,
    calls: Window,
    /// In milliseconds since then; 0 is never.
    ejected_until: AtomicU64,
    ejections: AtomicU32,
}

impl Default for Outlier {
    fn default() -> Self {
        Outlier {
            since: Instant::now(),
            failed_in_a_row: AtomicU32::default(),
            calls: Window::default(),
            ejected_until: AtomicU64::default(),
            ejections: AtomicU32::default(),
        }
    }
}

impl Outliers {
    /// The record of the replica there, shared by all workers.
    pub fn of(&self, address: &Address) -> Arc<Outlier> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, outlier| outlier.strong_count() > 0);
        all.get(address).and_then(Weak::upgrade).unwrap_or_else(|| {
            let outlier = Arc::default();
            all.insert(address.clone(), Arc::downgrade(&outlier));
            outlier
        })
    }

    /// Takes the replica out if it has failed too often and no more than half are out then; for how long.
    pub fn judge(&self, outlier: &Outlier) -> Option<Duration> {
        if !outlier.keeps_failing() || outlier.is_ejected() {
            return None;
        }
        // Rare, and so the one place where workers meet.
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let live: Vec<_> = all.values().filter_map(Weak::upgrade).collect();
        let out = live.iter().filter(|other| other.is_ejected()).count();
        (!outlier.is_ejected() && (out + 1) * 2 <= live.len()).then(|| outlier.eject())
    }
}

impl Outlier {
    /// Notes how an attempt ended.
    pub fn note(&self, failed: bool) {
        self.calls.count(failed);
        match failed {
            true => self.failed_in_a_row.fetch_add(1, Ordering::Relaxed),
            false => self.failed_in_a_row.swap(0, Ordering::Relaxed),
        };
    }

    /// Whether it gets no calls while another replica is ready.
    pub fn is_ejected(&self) -> bool {
        self.ejected_until.load(Ordering::Relaxed) > self.now_ms()
    }

    fn now_ms(&self) -> u64 {
        ms(self.since.elapsed())
    }

    fn keeps_failing(&self) -> bool {
        let Counts { all, marked } = self.calls.counts();
        self.failed_in_a_row.load(Ordering::Relaxed) >= IN_A_ROW || all >= ENOUGH_CALLS && marked * 2 > all
    }

    /// Longer each time; a time of health as long as an ejection takes one off.
    fn eject(&self) -> Duration {
        let well = self.now_ms().saturating_sub(self.ejected_until.load(Ordering::Relaxed)) / ms(EJECTION);
        let forgiven = u32::try_from(well).unwrap_or(u32::MAX);
        let ejections = self.ejections.load(Ordering::Relaxed).saturating_sub(forgiven) + 1;
        self.ejections.store(ejections, Ordering::Relaxed);
        let time = (EJECTION * ejections).min(LONGEST);
        self.ejected_until.store(self.now_ms() + ms(time), Ordering::Relaxed);
        // What comes after is a new chance.
        self.failed_in_a_row.store(0, Ordering::Relaxed);
        self.calls.clear();
        time
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn replicas(count: u16) -> (Outliers, Vec<Arc<Outlier>>) {
        let outliers = Outliers::default();
        let replicas = (1..=count).map(|port| outliers.of(&([127, 0, 0, 1], port).into())).collect();
        (outliers, replicas)
    }

    fn fail(outlier: &Outlier, times: u32) {
        (0..times).for_each(|_| outlier.note(true));
    }

    #[tokio::test(start_paused = true)]
    async fn takes_a_replica_out_after_five_failures_in_a_row_and_brings_it_back() {
        let (outliers, replicas) = replicas(2);
        fail(&replicas[0], 4);
        assert_eq!(outliers.judge(&replicas[0]), None);
        fail(&replicas[0], 1);
        assert_eq!(outliers.judge(&replicas[0]), Some(EJECTION));
        assert!(replicas[0].is_ejected() && !replicas[1].is_ejected());
        advance(EJECTION + Duration::from_millis(1)).await;
        assert!(!replicas[0].is_ejected());
    }

    #[tokio::test(start_paused = true)]
    async fn is_content_while_successes_come_between_and_most_calls_succeed() {
        let (outliers, replicas) = replicas(2);
        for _ in 0..20 {
            fail(&replicas[0], 1);
            replicas[0].note(false);
        }
        assert_eq!(outliers.judge(&replicas[0]), None);
        fail(&replicas[0], 1);
        assert_eq!(outliers.judge(&replicas[0]), Some(EJECTION), "over half of its calls");
    }

    #[tokio::test(start_paused = true)]
    async fn never_takes_out_more_than_half() {
        for (count, most) in [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2)] {
            let (outliers, replicas) = replicas(count);
            replicas.iter().for_each(|replica| fail(replica, 5));
            let out = replicas.iter().filter_map(|replica| outliers.judge(replica)).count();
            assert_eq!(out, most, "of {count}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn takes_it_out_for_longer_each_time_and_forgives() {
        let (outliers, replicas) = replicas(2);
        let eject = || {
            fail(&replicas[0], 5);
            outliers.judge(&replicas[0])
        };
        assert_eq!(eject(), Some(EJECTION));
        advance(EJECTION).await;
        assert_eq!(eject(), Some(EJECTION * 2));
        advance(EJECTION * 2).await;
        assert_eq!(eject(), Some(EJECTION * 3));
        advance(EJECTION * 3 + EJECTION * 9).await;
        assert_eq!(eject(), Some(EJECTION));
    }

    #[tokio::test(start_paused = true)]
    async fn forgets_replicas_that_nobody_calls_any_more() {
        let (outliers, mut replicas) = replicas(4);
        replicas.truncate(2);
        replicas.iter().for_each(|replica| fail(replica, 5));
        assert_eq!(replicas.iter().filter_map(|replica| outliers.judge(replica)).count(), 1);
    }
}
