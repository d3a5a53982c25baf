//! Plays seeds on every processor, up to a count or a time, and finds the one that fails or does not end.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use crate::panics;

/// A batch that takes longer in real time does not end.
const STUCK: Duration = Duration::from_secs(60);

/// The failures after which no more seeds are played.
const FAILURES: usize = 10;

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After this number of seeds.
    Count(u64),
    /// At this time.
    Time(Instant),
}

/// What came of it.
#[derive(Default)]
pub struct Played {
    /// How many were played.
    pub count: u64,
    /// How many of them reached what they are meant to test.
    pub reached: u64,
    /// The seeds that failed, and how.
    pub failed: Vec<(u64, String)>,
}

/// Plays the seeds after `from`, `batch` at a time, each on a thread of as many as there are processors.
pub fn drive(from: u64, until: Until, batch: u64, play: impl Fn(Batch) -> Played + Send + Sync + 'static) -> Played {
    panics::note();
    let next = Arc::new(AtomicU64::new(0));
    let play = Arc::new(play);
    let (sender, played) = mpsc::channel();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let at: Vec<Arc<AtomicU64>> = (0..threads).map(|_| Arc::default()).collect();
    for at in &at {
        let at = at.clone();
        let next = next.clone();
        let play = play.clone();
        let sender = sender.clone();
        thread::spawn(move || {
            while let Some(begin) = take(&next, until, batch) {
                at.store(from + begin, Ordering::Relaxed);
                let seeds = Batch { begin: from + begin, end: from + end(begin, until, batch), at: at.clone() };
                if sender.send(play(seeds)).is_err() {
                    return;
                }
            }
        });
    }
    drop(sender);
    let stuck = || panic!("does not end: one of the seeds {at:?}, or of the batch after it");
    let mut all = Played::default();
    loop {
        match played.recv_timeout(STUCK) {
            Ok(played) => all.add(played),
            Err(mpsc::RecvTimeoutError::Disconnected) => return all,
            Err(mpsc::RecvTimeoutError::Timeout) => stuck(),
        }
        if all.failed.len() >= FAILURES {
            return all;
        }
    }
}

fn take(next: &AtomicU64, until: Until, batch: u64) -> Option<u64> {
    let begin = next.fetch_add(batch, Ordering::Relaxed);
    let more = match until {
        Until::Count(count) => begin < count,
        Until::Time(end) => Instant::now() < end,
    };
    more.then_some(begin)
}

fn end(begin: u64, until: Until, batch: u64) -> u64 {
    match until {
        Until::Count(count) => count.min(begin + batch),
        Until::Time(_) => begin + batch,
    }
}

impl Played {
    fn add(&mut self, other: Played) {
        self.count += other.count;
        self.reached += other.reached;
        self.failed.extend(other.failed);
    }
}

/// Numbers to play one after the other.
pub struct Batch {
    /// The first.
    pub begin: u64,
    /// The one after the last.
    pub end: u64,
    at: Arc<AtomicU64>,
}

impl Batch {
    /// Plays each by itself; `play` tells what went wrong, or whether it reached what it is meant to test. A panic, wherever it was,
    /// is something wrong.
    pub fn each(&self, play: impl Fn(u64) -> Result<bool, String>) -> Played {
        let mut played = Played::default();
        for seed in self.begin..self.end {
            self.at.store(seed, Ordering::Relaxed);
            played.count += 1;
            let ended = panic::catch_unwind(AssertUnwindSafe(|| play(seed))).unwrap_or_else(|_| Err(String::new()));
            let panics = panics::take();
            match ended {
                Ok(reached) if panics.is_empty() => played.reached += u64::from(reached),
                ended => {
                    let wrong: Vec<String> =
                        ended.err().into_iter().filter(|wrong| !wrong.is_empty()).chain(panics).collect();
                    played.failed.push((seed, wrong.join("; ")));
                }
            }
            if played.failed.len() >= FAILURES {
                break;
            }
        }
        played
    }
}
