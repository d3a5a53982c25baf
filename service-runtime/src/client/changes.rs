//! Tells whoever serves the calls that wait that something has changed which they may wait for.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// For the calls of one worker to one peer.
#[derive(Debug, Default)]
pub struct Changes {
    waiting: AtomicUsize,
    changed: Notify,
}

impl Changes {
    /// The number of calls that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// This number of calls waits now.
    pub fn wait(&self, waiting: usize) {
        self.waiting.store(waiting, Ordering::Relaxed);
    }

    /// Something has changed. Costs nothing while no call waits.
    pub fn happened(&self) {
        if self.waiting() > 0 {
            self.changed.notify_one();
        }
    }

    /// Returns when something has changed.
    pub async fn next(&self) {
        self.changed.notified().await;
    }
}
