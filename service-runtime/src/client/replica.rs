//! One replica of a peer as one worker sees it: the way to it, and how it does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
use tracing::warn;

use super::{
    Endpoint,
    connection::Connection,
    outlier::{Outlier, Outliers},
    subchannel::Subchannel,
};
use crate::{
    deadline::{Deadline, millis},
    identity::Peer,
    status::Cause,
};

/// A call that got less time than that says nothing of a replica that did not answer it.
const FAIR_CHANCE: Duration = Duration::from_millis(100);

/// One replica.
pub(crate) struct Replica {
    pub peer: Peer,
    pub endpoint: Endpoint,
    /// For the log of each call.
    pub url: Arc<str>,
    pub subchannel: Subchannel,
    pub in_flight: AtomicUsize,
    pub outlier: Arc<Outlier>,
    pub outliers: Arc<Outliers>,
}

/// A call that a replica has: counted until it is dropped, however it ends.
pub(crate) struct Attempt {
    pub replica: Arc<Replica>,
    pub connection: Connection,
    deadline: Deadline,
    began: Instant,
    ended: bool,
}

impl Replica {
    /// Begins a call on a connection that is ready.
    pub fn begin(self: Arc<Self>, connection: Connection, deadline: Deadline) -> Attempt {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Attempt { replica: self, connection, deadline, began: Instant::now(), ended: false }
    }

    fn note(&self, failed: bool) {
        self.outlier.note(failed);
        if let Some(time) = failed.then(|| self.outliers.judge(&self.outlier)).flatten() {
            warn!(peer = self.peer.name(), state = "ejected", for_ms = millis(time), url = &*self.url);
        }
    }
}

impl Attempt {
    /// Notes how it ended.
    pub fn ended(mut self, cause: Option<Cause>) {
        self.ended = true;
        if let Some(failed) = cause.map_or(Some(false), |cause| cause.speaks_against_the_replica()) {
            self.replica.note(failed);
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.replica.in_flight.fetch_sub(1, Ordering::Relaxed);
        // Dropped without a word: the caller has left, or the time was up.
        let time_was_up = self.deadline.remaining().is_zero() && self.began.elapsed() >= FAIR_CHANCE;
        if !self.ended && time_was_up {
            self.replica.note(true);
        }
    }
}
