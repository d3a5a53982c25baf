//! One thread that makes calls: a runtime, connections and a tally of its own, so that no call waits for another thread.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{Arc, Barrier, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    runtime::Runtime,
    sync::{Notify, watch},
    task::LocalSet,
    time::{sleep, timeout},
};

use super::{
    args::LoadArgs,
    busy::Busy,
    caller::Caller,
    links::Links,
    live::Glimpse,
    loops,
    tally::{Ended, Tally},
};
use crate::args::Args;

/// How often the thread shows how it is going.
const GLIMPSES: Duration = Duration::from_millis(250);
/// After its deadline a call must end by itself; so long is that waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the threads share; nothing of it is touched on the way of a call.
pub struct Shared {
    /// All flags.
    pub args: &'static Args,
    /// Those of `load`.
    pub load: &'static LoadArgs,
    /// What tells the texts of this run from those of another.
    pub run: u32,
    /// Where all threads meet when they are connected.
    pub connected: Barrier,
    /// When the first call is to start.
    pub epoch: OnceLock<Instant>,
    /// Becomes true when somebody presses Ctrl-C.
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

/// Makes calls until there is an end to it. Blocks.
pub fn work(runtime: Runtime, shared: Arc<Shared>, index: usize) -> Tally {
    let tally = LocalSet::new().block_on(&runtime, async {
        let worker = Rc::new(Worker::connect(shared, index).await);
        worker.run().await
    });
    // A resolver that is still looking for the name must not hold the report back.
    runtime.shutdown_background();
    tally
}

impl Worker {
    async fn connect(shared: Arc<Shared>, index: usize) -> Self {
        let Shared { args, load, run, .. } = *shared;
        let links = Links::new(args, share(load.connections, load.threads, index));
        let mut stop = shared.stop.clone();
        tokio::select! {
            () = links.tried() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        shared.connected.wait();
        let epoch = *shared.epoch.get_or_init(Instant::now);
        let metadata = args.metadata();
        let caller = Caller { links, kind: load.target, timeout: args.flags.timeout, metadata, size: load.size, run };
        let tally = RefCell::new(Tally::new(epoch + load.warmup));
        Worker { shared, index, epoch, caller, tally, in_flight: Cell::new(0), ended: Notify::new() }
    }

    async fn run(self: Rc<Self>) -> Tally {
        let showing = tokio::task::spawn_local(self.clone().show());
        let busy = Busy::now();
        let mut stop = self.shared.stop.clone();
        let finished = async {
            match self.shared.load.rate {
                Some(rate) => loops::open(&self, rate).await,
                None => loops::closed(&self).await,
            }
            let _ = timeout(self.caller.timeout + PATIENCE, self.none_in_flight()).await;
        };
        let stopped = tokio::select! {
            () = finished => false,
            _ = stop.wait_for(|stop| *stop) => true,
        };
        showing.abort();
        self.finish(stopped, busy.share())
    }

    fn finish(&self, stopped: bool, busy: f64) -> Tally {
        let mut tally = self.tally.borrow().clone();
        tally.busy = busy;
        let left = u64::try_from(self.in_flight.get()).unwrap_or(u64::MAX);
        if stopped { &mut tally.unfinished } else { &mut tally.lost }.clone_from(&left);
        tally
    }

    /// Makes one call and takes note of what came of it; says whether there was a connection for it.
    pub async fn call(&self, number: u64, intended: Instant) -> bool {
        let started = Instant::now();
        let answer = self.caller.call(number).await;
        let sent = answer.sent;
        self.tally.borrow_mut().record(Ended { intended, started, at: Instant::now(), answer });
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

    async fn none_in_flight(&self) {
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

    async fn show(self: Rc<Self>) {
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
