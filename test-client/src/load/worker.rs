//! What one thread knows of its calls: its connections, its tally, and how many calls are under way.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{Arc, Barrier, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    sync::{Notify, watch},
    time::sleep,
};

use super::{
    args::LoadArgs,
    caller::Caller,
    links::Links,
    live::Glimpse,
    tally::{Ended, Tally},
};
use crate::options::CallOptions;

/// How often the thread shows how it is going.
const GLIMPSES: Duration = Duration::from_millis(250);

/// What the threads share; nothing of it is touched on the way of a call.
pub struct Shared {
    /// The flags.
    pub load: LoadArgs,
    /// Where the calls go, and what goes out with each.
    pub options: CallOptions,
    /// What tells the texts of this run from those of another.
    pub run: u32,
    /// Where all threads meet when they are connected.
    pub connected: Barrier,
    /// When the first call is to start.
    pub epoch: OnceLock<Instant>,
    /// Becomes true when Ctrl-C comes.
    pub stop: watch::Receiver<bool>,
    /// How it is going, a place for each thread.
    pub glimpses: Vec<Mutex<Glimpse>>,
}

/// What the calls of one thread have in common.
pub struct Worker {
    /// What it shares with the others.
    pub shared: Arc<Shared>,
    /// Which of the threads it is.
    pub index: usize,
    /// When the first call of all threads is to start.
    pub epoch: Instant,
    caller: Caller,
    tally: RefCell<Tally>,
    in_flight: Cell<usize>,
    ended: Notify,
}

impl Worker {
    /// Returns once every connection was tried, on this thread and all others.
    pub async fn connect(shared: Arc<Shared>, index: usize) -> Self {
        let Shared { load, options, run, .. } = &*shared;
        let links = Links::new(options, share(load.connections, load.threads, index));
        let mut stop = shared.stop.clone();
        tokio::select! {
            // A call would wait no longer for its connection either.
            () = links.tried(options.timeout) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        shared.connected.wait();
        let epoch = *shared.epoch.get_or_init(Instant::now);
        let CallOptions { timeout, metadata, .. } = options.clone();
        let caller = Caller { links, kind: load.target, timeout, metadata, size: load.size, run: *run };
        let tally = RefCell::new(Tally::new(epoch + load.warmup));
        Worker { shared, index, epoch, caller, tally, in_flight: Cell::new(0), ended: Notify::new() }
    }

    /// What came of the calls. Those without an end are unfinished where the load was stopped, and lost where it was not.
    pub fn finish(&self, stopped: bool, busy: f64) -> Tally {
        let mut tally = self.tally.borrow().clone();
        tally.busy = busy;
        let left = u64::try_from(self.in_flight.get()).unwrap_or(u64::MAX);
        match stopped {
            true => tally.unfinished = left,
            false => tally.lost = left,
        }
        tally
    }

    /// Makes one call and takes note of what came of it; says whether there was a connection for it.
    pub async fn call(&self, number: u64, intended: Instant) -> bool {
        let started = Instant::now();
        let answer = self.caller.call(number).await;
        let sent = answer.sent;
        let mut tally = self.tally.borrow_mut();
        tally.any_sent |= sent;
        tally.ignores_behavior |= answer.ignores_behavior;
        tally.record(Ended { intended, started, at: Instant::now(), answer });
        sent
    }

    /// Notes that a call begins.
    pub fn begin(&self) {
        self.in_flight.set(self.in_flight.get() + 1);
    }

    /// Notes that a call has ended.
    pub fn end(&self) {
        self.in_flight.set(self.in_flight.get() - 1);
        self.ended.notify_one();
    }

    /// Calls under way.
    pub fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    /// Returns when a call has ended since the last time.
    pub async fn ended(&self) {
        self.ended.notified().await;
    }

    /// Returns when no call is under way.
    pub async fn none_in_flight(&self) {
        while self.in_flight.get() > 0 {
            self.ended().await;
        }
    }

    /// How long a call may wait for its start.
    pub fn timeout(&self) -> Duration {
        self.caller.timeout
    }

    /// A call that was to start at `intended` and never will.
    pub fn give_up(&self, intended: Instant) {
        let mut tally = self.tally.borrow_mut();
        tally.not_started += u64::from(tally.counts(intended));
    }

    /// A call that was to start at `intended` and waits for another one to end.
    pub fn queue(&self, intended: Instant) {
        let mut tally = self.tally.borrow_mut();
        tally.queued += u64::from(tally.counts(intended));
    }

    /// This thread's part of `n`; the first threads take what is left over.
    pub fn share(&self, n: usize) -> usize {
        share(n, self.shared.load.threads, self.index)
    }

    /// Shows how it is going, until it is aborted.
    pub async fn show(self: Rc<Self>) {
        loop {
            sleep(GLIMPSES).await;
            let glimpse = Glimpse::of(&self.tally.borrow());
            *self.shared.glimpses[self.index].lock().unwrap_or_else(PoisonError::into_inner) = glimpse;
        }
    }
}

fn share(n: usize, threads: usize, index: usize) -> usize {
    n / threads + usize::from(index < n % threads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_everything_among_the_threads() {
        let shares = |n, threads| (0..threads).map(|index| share(n, threads, index)).collect::<Vec<_>>();
        assert_eq!(shares(10, 3), [4, 3, 3]);
        assert_eq!(shares(2, 4), [1, 1, 0, 0]);
    }
}
