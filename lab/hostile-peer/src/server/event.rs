//! What a peer saw, for a test that waits for it.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

/// Where they are not read, the oldest are forgotten.
const KEPT: usize = 10_000;

/// Something that a peer saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Instant,
    /// What.
    pub kind: EventKind,
}

/// What a peer can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A client connected.
    Connected,
    /// A request's HEADERS have arrived.
    Called {
        /// The how-many-th of this peer; the first is 1.
        attempt: usize,
    },
    /// The client reset a call (RST_STREAM) that had no whole answer.
    Cancelled,
    /// The client knows a limit of calls that was changed under way: it has acknowledged the SETTINGS.
    LimitKnown,
    /// A PING of the client's has arrived.
    Pinged,
    /// A connection is over, whoever ended it.
    Closed,
}

/// The events that have not been taken yet.
#[derive(Debug, Default)]
pub(crate) struct Events {
    kept: Mutex<VecDeque<Event>>,
    more: Condvar,
    more_async: Notify,
}

impl Events {
    pub(crate) fn push(&self, kind: EventKind) {
        let mut kept = self.lock();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(Event { at: Instant::now(), kind });
        self.more.notify_all();
        self.more_async.notify_one();
    }

    /// Blocks until there is one, at most for `within`.
    pub(crate) fn next_within(&self, within: Duration) -> Option<Event> {
        let waited = self.more.wait_timeout_while(self.lock(), within, |kept| kept.is_empty());
        waited.unwrap_or_else(PoisonError::into_inner).0.pop_front()
    }

    /// Waits until there is one.
    pub(crate) async fn next(&self) -> Event {
        loop {
            if let Some(event) = self.lock().pop_front() {
                return event;
            }
            self.more_async.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Event>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
