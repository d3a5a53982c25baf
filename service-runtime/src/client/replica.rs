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
    changes::Changes,
    connection::Connection,
    outlier::{Outlier, Outliers},
    subchannel::Subchannel,
};
use crate::{
    deadline::{Deadline, MARGIN, SetBy, millis},
    identity::Peer,
    status::Cause,
};

/// A call that got less time than that says nothing of a replica that did not answer it.
const FAIR_CHANCE: Duration = Duration::from_millis(100);

/// A caller that cancels so close to its own deadline cancels because of it; one that does so earlier is impatient.
const BECAUSE_OF_ITS_DEADLINE: Duration = Duration::from_millis(50);

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
    /// For calls that wait for a stream.
    pub changes: Arc<Changes>,
}

/// A call that a replica has, and its stream: counted until it is dropped, however it ends.
pub(crate) struct Attempt {
    pub replica: Arc<Replica>,
    pub connection: Connection,
    /// When it was sent; from then on its end says something of the replica.
    began: Option<Instant>,
    /// A call that goes on until then without a word has had its time.
    time_is_up: Option<Instant>,
}

impl Replica {
    /// Takes a stream to this replica, if one is free.
    pub fn reserve(self: &Arc<Self>) -> Option<Attempt> {
        let connection = self.subchannel.reserve()?;
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Some(Attempt { replica: self.clone(), connection, began: None, time_is_up: None })
    }

    fn note(&self, failed: bool) {
        self.outlier.note(failed);
        if let Some(time) = failed.then(|| self.outliers.judge(&self.outlier)).flatten() {
            warn!(peer = self.peer.name(), state = "ejected", for_ms = millis(time), url = &*self.url);
        }
    }
}

impl Attempt {
    /// The call is sent now.
    pub fn begin(&mut self, deadline: Option<(Deadline, SetBy)>) {
        self.began = Some(Instant::now());
        self.time_is_up = deadline.map(|(deadline, set_by)| match set_by {
            SetBy::Cap => deadline.at(),
            SetBy::Caller => (deadline.at() + MARGIN).checked_sub(BECAUSE_OF_ITS_DEADLINE).unwrap_or(deadline.at()),
        });
    }

    /// Notes how it ended.
    pub fn ended(&mut self, cause: Option<Cause>) {
        let speaks_against = match cause {
            None => Some(false),
            // Whichever clock it was, ours or tonic's own, or that of a peer which was told the same deadline.
            Some(Cause::Deadline | Cause::Timeout) => self.had_a_fair_chance().then_some(true),
            Some(cause) => cause.speaks_against_the_replica(),
        };
        self.began = None;
        if let Some(failed) = speaks_against {
            self.replica.note(failed);
        }
    }

    /// Its answer has begun: from now on its deadline says nothing of the replica.
    pub fn answers(&mut self) {
        self.began = None;
        self.replica.note(false);
    }

    fn had_a_fair_chance(&self) -> bool {
        self.began.is_some_and(|began| began.elapsed() >= FAIR_CHANCE)
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        // Dropped without a word: the caller has left, or the time was up.
        let time_was_up = self.time_is_up.is_some_and(|at| at <= Instant::now());
        if time_was_up && self.had_a_fair_chance() {
            self.replica.note(true);
        }
        self.replica.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.connection.release();
        self.replica.changes.happened();
    }
}
