//! The connections to one replica, as calls see them: the oldest with a free stream takes the next call (gRFC A105).

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

use super::{
    connection::Connection,
    state::{Failure, State},
};

/// The connections of a process to one peer beside the first of each worker to each replica.
#[derive(Debug, Default)]
pub(crate) struct Total(AtomicUsize);

/// The most of them in a process.
const MOST: usize = 1_000;

/// One of them, until it is dropped.
pub(crate) struct Counted(Arc<Total>);

impl Total {
    /// One more; `None` where there are enough.
    pub fn take(self: &Arc<Self>) -> Option<Counted> {
        let one_more = |count: usize| (count < MOST).then_some(count + 1);
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.is_ok().then(|| Counted(self.clone()))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What calls share with the task that connects.
pub(crate) struct Pool {
    inside: Mutex<Inside>,
    wanted: Notify,
    most: usize,
}

struct Inside {
    /// The oldest first.
    connections: Vec<Connection>,
    /// Why there are none.
    failure: Option<Failure>,
}

impl Pool {
    /// Has at most this number of connections.
    pub fn new(most: usize) -> Self {
        let inside = Inside { connections: Vec::new(), failure: None };
        Pool { inside: Mutex::new(inside), wanted: Notify::new(), most }
    }

    /// A stream on a connection, if one is free.
    pub fn reserve(&self) -> Option<Connection> {
        self.locked().connections.iter().find(|connection| connection.reserve()).cloned()
    }

    /// Whether a stream is free.
    pub fn has_room(&self) -> bool {
        self.locked().connections.iter().any(Connection::has_room)
    }

    pub fn state(&self) -> State {
        let inside = self.locked();
        match inside.failure {
            _ if inside.connections.iter().any(|connection| !connection.is_gone()) => State::Ready,
            Some(failure) => State::TransientFailure(failure),
            None => State::Connecting,
        }
    }

    /// Whether the peer takes no more calls at once on one of the connections.
    pub fn is_at_a_limit(&self) -> bool {
        self.locked().connections.iter().any(|connection| connection.streams() >= connection.stream_limit())
    }

    /// The calls that all connections which may be made take at once, by the newest one's limit; `None` where there is none.
    pub fn most_streams(&self) -> Option<usize> {
        let newest = self.locked().connections.last().map(Connection::stream_limit)?;
        Some(usize::try_from(newest).unwrap_or(usize::MAX).saturating_mul(self.most))
    }

    /// A call waits: for a stream, or for a connection.
    pub fn want(&self) {
        self.wanted.notify_one();
    }

    /// Returns when a call waits, or has waited since this was last asked.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Whether one more connection would help.
    pub fn may_grow(&self) -> bool {
        let inside = self.locked();
        // What one says of its limit whose socket takes nothing may be long ago.
        let takes_calls = |newest: &Connection| newest.stream_limit() > 0 || newest.is_stuck();
        let newest_takes_calls = inside.connections.last().is_none_or(takes_calls);
        inside.connections.len() < self.most
            && newest_takes_calls
            && !inside.connections.iter().any(Connection::has_room)
    }

    pub fn add(&self, connection: Connection) {
        let mut inside = self.locked();
        inside.failure = None;
        inside.connections.push(connection);
    }

    /// Keeps those that are `kept`, and says whether any is left.
    pub fn retain(&self, kept: impl Fn(&Connection) -> bool) -> bool {
        let mut inside = self.locked();
        let (left, dropped) = inside.connections.drain(..).partition(|connection| kept(connection));
        inside.connections = left;
        let any_left = !inside.connections.is_empty();
        drop(inside);
        // The last handle to a connection closes it, and that takes its time.
        drop::<Vec<Connection>>(dropped);
        any_left
    }

    pub fn failed(&self, failure: Failure) {
        self.locked().failure = Some(failure);
    }

    fn locked(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
