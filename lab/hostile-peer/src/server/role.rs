//! What the connections of one peer share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use crate::server::{
    behavior::Behavior,
    event::{Event, EventKind, Events},
    step::{Call, Door, Opening, Pings, When, Which},
};

/// What a peer plays and what it has seen, shared by its connections. A clone is the same role.
#[derive(Clone, Debug)]
pub struct Role(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    now: watch::Sender<Now>,
    calls: AtomicUsize,
    connections: AtomicUsize,
    events: Events,
}

#[derive(Clone, Debug)]
struct Now {
    behavior: Behavior,
    /// Calls that came before it.
    before: usize,
}

impl Role {
    /// A peer that behaves so, and has seen nothing yet.
    pub fn new(behavior: Behavior) -> Self {
        let (now, _) = watch::channel(Now { behavior, before: 0 });
        let (calls, connections, events) = Default::default();
        Role(Arc::new(Shared { now, calls, connections, events }))
    }

    /// Behaves so from the next call and the next connection on.
    ///
    /// Connections that the old behavior has spoilt are closed, so that their clients come again; to refuse closes all.
    pub fn behave(&self, behavior: Behavior) {
        self.0.now.send_replace(Now { behavior, before: self.calls() });
    }

    /// What it plays now.
    pub fn behavior(&self) -> Behavior {
        self.0.now.borrow().behavior.clone()
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.0.connections.load(Ordering::SeqCst)
    }

    /// How many calls there were: requests whose HEADERS have arrived.
    pub fn calls(&self) -> usize {
        self.0.calls.load(Ordering::SeqCst)
    }

    /// The next event; blocks until there is one, at most for `within`.
    pub fn next_event(&self, within: Duration) -> Option<Event> {
        self.0.events.next_within(within)
    }

    /// The next event; waits until there is one.
    pub async fn event(&self) -> Event {
        self.0.events.next().await
    }

    /// Counts a connection, and tells how to greet it, and when that is no longer so.
    pub(crate) fn connected(&self) -> (Opening, Changes) {
        self.0.connections.fetch_add(1, Ordering::SeqCst);
        self.0.events.push(EventKind::Connected);
        let mut now = self.0.now.subscribe();
        let opening = now.borrow_and_update().behavior.script.opening.clone();
        (opening, Changes(now))
    }

    /// Counts a call, and tells what to do with it.
    pub(crate) fn called(&self) -> (Call, When) {
        let now = self.0.now.borrow().clone();
        let attempt = self.0.calls.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.events.push(EventKind::Called { attempt });
        let script = &now.behavior.script;
        let nth = attempt.saturating_sub(now.before);
        let meant = match script.which {
            Which::All => true,
            Which::First => nth == 1,
            Which::Every(n) => nth.is_multiple_of(n),
        };
        if meant { (script.call.clone(), script.when) } else { Default::default() }
    }

    pub(crate) fn cancelled(&self) {
        self.0.events.push(EventKind::Cancelled);
    }

    pub(crate) fn closed(&self) {
        self.0.events.push(EventKind::Closed);
    }

    /// A PING has come: what becomes of it.
    pub(crate) fn pinged(&self) -> Pings {
        self.0.events.push(EventKind::Pinged);
        self.0.now.borrow().behavior.script.pings
    }

    pub(crate) fn limit_known(&self) {
        self.0.events.push(EventKind::LimitKnown);
    }

    /// The calls that it takes at once on a connection, now.
    pub(crate) fn stream_limit(&self) -> Option<u32> {
        self.0.now.borrow().behavior.script.opening.stream_limit
    }

    /// The answers that use a connection up, now.
    pub(crate) fn most_answers(&self) -> Option<usize> {
        self.0.now.borrow().behavior.script.answers
    }

    /// Tells of every change.
    pub(crate) fn changes(&self) -> watch::Receiver<impl Sized + use<>> {
        self.0.now.subscribe()
    }
}

/// What becomes of a role after a connection has begun.
pub(crate) struct Changes(watch::Receiver<Now>);

impl Changes {
    /// Returns once the connection shall be closed: when the behavior changes, if the old one has spoilt it; when the peer
    /// refuses, in any case.
    pub(crate) async fn drop_this(mut self, spoilt: bool) {
        while self.0.changed().await.is_ok() {
            if spoilt || self.0.borrow_and_update().behavior.script.door == Door::Refused {
                return;
            }
        }
        // There is no role left to change.
        std::future::pending::<()>().await;
    }
}
