//! Takes connections and hands each to the worker that has the fewest.
//!
//! When the process, or the system, has no file descriptor left, connections stay where they are, in the queue of the
//! listener, and the loop looks again ten times a second. Their peers see a connect that succeeds and an answer that is late;
//! one that finds the queue full as well waits in its connect. The other way, a descriptor in reserve to accept and close
//! them with, would turn a shortage that may be over in a moment into failures, would cost the more CPU the faster peers
//! come back, and does not help where the system is short of descriptors or memory. Who wants peers to be told sets
//! `--max-connections` below what the descriptors suffice for.

use std::{
    io,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use tokio::time::sleep;
use tracing::{info, warn};

use super::{
    listener::{Listener, Stream},
    worker::Handle,
};

/// Where nothing is left to take a connection with, trying again at once would only burn CPU: `accept` then leaves the
/// connection where it is. The first pause is short, for where connections close as others come there is room a moment later;
/// each one after it is twice as long, up to ten tries a second, which find room well within the contract's second.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// The listener and the workers behind it.
pub struct Acceptor<'a> {
    pub listener: &'a Listener,
    pub workers: &'a [Handle],
    pub max_connections: usize,
}

impl Acceptor<'_> {
    /// Accepts until it is dropped.
    pub async fn run(&self) {
        let mut shortage = Shortage::default();
        loop {
            let accepted = match self.queued().await {
                Some(accepted) => accepted,
                None => {
                    shortage.ends();
                    self.listener.accept().await
                }
            };
            match accepted {
                Ok(stream) => {
                    shortage.eases();
                    self.hand_over(stream).await;
                }
                Err(error) if is_about_one_connection(&error) => {}
                Err(error) => sleep(shortage.goes_on(&error)).await,
            }
        }
    }

    /// Accepts what is already in the queue, and nothing after it.
    pub async fn take_queued(&self) {
        while let Some(accepted) = self.queued().await {
            match accepted {
                Ok(stream) => self.hand_over(stream).await,
                Err(error) if is_about_one_connection(&error) => {}
                Err(_) => return,
            }
        }
    }

    /// The next connection in the queue; `None` where the queue is empty.
    async fn queued(&self) -> Option<io::Result<Stream>> {
        tokio::select! {
            biased;
            accepted = self.listener.accept() => Some(accepted),
            () = std::future::ready(()) => None,
        }
    }

    async fn hand_over(&self, stream: Stream) {
        let open = |worker: &Handle| worker.open.load(Ordering::Relaxed);
        let all: usize = self.workers.iter().map(open).sum();
        // One over the limit is closed at once: it learns it now and not after a timeout.
        if all >= self.max_connections {
            return;
        }
        let Some(worker) = self.workers.iter().min_by_key(|worker| open(worker)) else {
            return;
        };
        let Ok(stream) = stream.leave() else { return };
        worker.open.fetch_add(1, Ordering::Relaxed);
        if worker.connections.send(stream).await.is_err() {
            worker.open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A time in which connections wait because nothing is left to take them with: one line when it begins, one when it is over.
#[derive(Default)]
struct Shortage {
    since: Option<Instant>,
    /// The last pause since a connection was taken.
    pause: Option<Duration>,
}

impl Shortage {
    /// How long to wait now.
    fn goes_on(&mut self, error: &io::Error) -> Duration {
        if self.since.is_none() {
            warn!(state = "not-accepting", cause = %error);
            self.since = Some(Instant::now());
        }
        let pause = self.pause.map_or(FIRST_PAUSE, |last| (last * 2).min(LONGEST_PAUSE));
        self.pause = Some(pause);
        pause
    }

    /// One could be taken; it is over only when the queue is empty.
    fn eases(&mut self) {
        self.pause = None;
    }

    fn ends(&mut self) {
        if let Some(since) = self.since.take() {
            info!(state = "accepting", after_ms = u64::try_from(since.elapsed().as_millis()).ok());
        }
    }
}

/// The peer gave up while it was queued; the next one may be fine.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted | Kind::ConnectionReset | Kind::ConnectionRefused | Kind::Interrupted
    )
}
