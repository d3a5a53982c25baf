//! The two ways of making many calls: by the clock (open), or one after the other (closed).

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    task::{JoinSet, spawn_local},
    time::sleep,
};

use super::{
    schedule::{Pacer, Schedule, calls_in, span},
    worker::Worker,
};

/// How long a caller that found no connection waits before its next call: without a pause it would only spin.
const WITHOUT_CONNECTION: Duration = Duration::from_millis(10);

/// Starts calls at evenly spaced instants, whatever becomes of them, until all that are due have started.
///
/// Where too many are in flight, the next call waits, and its lag grows; after the timeout it is given up.
pub async fn open(worker: &Rc<Worker>, rate: f64) {
    let (schedule, calls) = schedule(worker, rate);
    let pacer = Pacer::start(schedule);
    let most = worker.share(worker.shared.load.concurrency());
    let mut n = 0;
    let mut queued = 0;
    while n < calls {
        let intended = schedule.intended(n);
        let now = Instant::now();
        if intended > now {
            pacer.tick().await;
        } else if worker.in_flight() < most {
            start(worker, worker.number(n), intended);
            n += 1;
        } else if now - intended > worker.timeout() {
            worker.give_up(intended);
            n += 1;
        } else {
            if queued <= n {
                worker.queue(intended);
                queued = n + 1;
            }
            tokio::select! {
                () = worker.ended() => {}
                () = pacer.tick() => {}
            }
        }
    }
}

/// When this thread starts calls, and how many of them: those of the warm-up, then those that count.
fn schedule(worker: &Worker, rate: f64) -> (Schedule, u64) {
    let load = &worker.shared.load;
    let counted = load.requests.map_or_else(|| calls_in(load.duration, rate), to_u64);
    let all = calls_in(load.warmup, rate).saturating_add(counted);
    let threads = to_u64(load.threads);
    let index = to_u64(worker.index);
    #[expect(clippy::cast_precision_loss, reason = "nobody has 2^53 threads")]
    let schedule = Schedule { epoch: worker.epoch + span(index, rate), rate: rate / threads as f64 };
    (schedule, all.saturating_add(threads - 1 - index) / threads)
}

fn start(worker: &Rc<Worker>, number: u64, intended: Instant) {
    worker.begin();
    let worker = worker.clone();
    spawn_local(async move {
        worker.call(number, intended).await;
        worker.end();
    });
}

/// Callers that each make the next call when the last one has ended.
pub async fn closed(worker: &Rc<Worker>) {
    let load = &worker.shared.load;
    let counted_from = worker.epoch + load.warmup;
    let numbers = Rc::new(Cell::new(0));
    let left = Rc::new(Cell::new(load.requests.map_or(usize::MAX, |requests| worker.share(requests))));
    let end = if load.requests.is_some() { None } else { Some(counted_from + load.duration) };
    let mut callers = JoinSet::new();
    for _ in 0..worker.share(load.concurrency()) {
        let caller =
            ClosedCaller { worker: worker.clone(), numbers: numbers.clone(), left: left.clone(), end, counted_from };
        callers.spawn_local(caller.run());
    }
    while callers.join_next().await.is_some() {}
}

struct ClosedCaller {
    worker: Rc<Worker>,
    /// The number of the next call of any caller.
    numbers: Rc<Cell<u64>>,
    /// How many calls that count are still to be made.
    left: Rc<Cell<usize>>,
    counted_from: Instant,
    end: Option<Instant>,
}

impl ClosedCaller {
    async fn run(self) {
        while let Some(now) = self.turn() {
            let number = self.numbers.replace(self.numbers.get() + 1);
            self.worker.begin();
            let sent = self.worker.call(self.worker.number(number), now).await;
            self.worker.end();
            if !sent {
                sleep(WITHOUT_CONNECTION).await;
            }
        }
    }

    /// When the next call starts: now, or never.
    fn turn(&self) -> Option<Instant> {
        let now = Instant::now();
        if now < self.counted_from {
            return Some(now);
        }
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        (left > 0 && self.end.is_none_or(|end| now < end)).then_some(now)
    }
}

fn to_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

impl Worker {
    /// A number that no call of any other thread has.
    fn number(&self, n: u64) -> u64 {
        n * to_u64(self.shared.load.threads) + to_u64(self.index)
    }
}
