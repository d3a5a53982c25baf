//! Keeps one connection to one target: connects at start, replaces a lost connection at once, and backs off while the peer
//! is down. Calls never wait for a backoff.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, sleep_until},
};
use tracing::{info, warn};

use super::{
    Dial, Peer, Target,
    backoff::{Backoff, FIRST_PAUSE},
    connection::Connection,
};
use crate::status::Cause;

/// A connection that was ready for less than this was none.
const LASTING: Duration = FIRST_PAUSE;

/// How to connect.
pub(super) struct Connect<D> {
    pub dial: D,
    /// What calls and the log name.
    pub target: Target,
    /// For the byte stream, preface and SETTINGS together.
    pub timeout: Duration,
    /// Between two tries.
    pub backoff: Backoff,
}

/// A target and the connection to it. Dropped, it stops connecting; calls in flight keep their connection.
pub(super) struct Subchannel {
    state: watch::Receiver<State>,
    task: AbortHandle,
}

/// gRPC's words for it. There is no idle state.
#[derive(Clone)]
enum State {
    /// The first try since the start, or since a connection was lost: calls wait for it.
    Connecting,
    Ready(Connection),
    /// The last try failed. It stays so during the next ones: calls fail at once, with this.
    TransientFailure(Failure),
}

impl State {
    /// A connection that is gone is about to be replaced: worth the wait.
    fn is_decided(&self) -> bool {
        match self {
            State::Connecting => false,
            State::Ready(connection) => !connection.is_gone(),
            State::TransientFailure(_) => true,
        }
    }
}

/// Why there is no connection, and when the next try is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    pub cause: Cause,
    pub next_try: Instant,
}

impl Subchannel {
    /// Starts connecting. Needs a Tokio runtime.
    pub fn new(connect: Connect<impl Dial>, log: Arc<PeerLog>, peer: Peer) -> Self {
        log.peers().entry(peer.name).or_insert_with(Seen::new);
        let (sender, state) = watch::channel(State::Connecting);
        let task = tokio::spawn(async move { keep_connected(connect, &sender, &log, peer).await });
        Subchannel { state, task: task.abort_handle() }
    }

    /// A connection for one call: now, or as soon as the try under way has ended.
    pub async fn ready(&self) -> Result<Connection, Failure> {
        let mut state = self.state.clone();
        let decided = state.wait_for(State::is_decided).await;
        match decided.as_deref() {
            Ok(State::Ready(connection)) => Ok(connection.clone()),
            Ok(State::TransientFailure(failure)) => Err(*failure),
            // Only once the process ends.
            Ok(State::Connecting) | Err(_) => {
                Err(Failure { cause: Cause::Unreachable("closed"), next_try: Instant::now() })
            }
        }
    }
}

impl Drop for Subchannel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep_connected(connect: Connect<impl Dial>, state: &watch::Sender<State>, log: &PeerLog, peer: Peer) {
    let Connect { dial, target, timeout, mut backoff } = connect;
    // Once an outage: more of them would be a way around the backoff.
    let mut second_try = true;
    loop {
        let cause = match Connection::open(&dial, &target, timeout).await {
            Ok(connection) => {
                if use_up(connection, state, log, peer).await >= LASTING {
                    backoff.reset();
                    second_try = true;
                    continue;
                }
                // A peer that takes connections only to drop them is treated as one that is down.
                Cause::Unreachable("closed")
            }
            Err(cause) => cause,
        };
        // Closed before it was connected: perhaps the last act of a server that is being replaced.
        if matches!(cause, Cause::Unreachable("closed" | "reset")) && std::mem::take(&mut second_try) {
            continue;
        }
        let next_try = Instant::now() + backoff.next_pause();
        state.send_replace(State::TransientFailure(Failure { cause, next_try }));
        log.failed(peer, cause, &target);
        sleep_until(next_try).await;
    }
}

/// Offers the connection to calls until it is gone, and says how long it lasted; from then on calls wait for the next.
async fn use_up(connection: Connection, state: &watch::Sender<State>, log: &PeerLog, peer: Peer) -> Duration {
    let since = Instant::now();
    state.send_replace(State::Ready(connection.clone()));
    log.ready(peer);
    connection.gone().await;
    log.lost(peer);
    state.send_replace(State::Connecting);
    since.elapsed()
}

/// One log line a change, peer and process, however many workers there are. Not on the way of any call.
#[derive(Default)]
pub(super) struct PeerLog(Mutex<HashMap<&'static str, Seen>>);

struct Seen {
    /// Workers that are connected.
    ready: usize,
    /// What the log said last; nothing before the first try has ended.
    said: Option<bool>,
    since: Instant,
}

impl PeerLog {
    fn ready(&self, peer: Peer) {
        let mut peers = self.peers();
        let seen = peers.entry(peer.name).or_insert_with(Seen::new);
        seen.ready += 1;
        if let Some(after_ms) = seen.changed(true) {
            info!(peer = peer.name, state = "ready", after_ms);
        }
    }

    fn lost(&self, peer: Peer) {
        self.peers().entry(peer.name).or_insert_with(Seen::new).ready -= 1;
    }

    fn failed(&self, peer: Peer, cause: Cause, target: &Target) {
        let mut peers = self.peers();
        let seen = peers.entry(peer.name).or_insert_with(Seen::new);
        let first = seen.said.is_none();
        if seen.ready > 0 {
            return;
        }
        match seen.changed(false) {
            Some(_) if first => info!("{} is not up yet; will keep trying", peer.name),
            Some(after_ms) => {
                let cause = format!("connect {}: {cause}", target.authority());
                warn!(peer = peer.name, state = "transient_failure", after_ms, cause);
            }
            None => {}
        }
    }

    fn peers(&self) -> MutexGuard<'_, HashMap<&'static str, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn new() -> Self {
        Seen { ready: 0, said: None, since: Instant::now() }
    }

    /// The milliseconds since the last change, if this is one.
    fn changed(&mut self, ready: bool) -> Option<u64> {
        if self.said.replace(ready) == Some(ready) {
            return None;
        }
        let after = std::mem::replace(&mut self.since, Instant::now()).elapsed();
        u64::try_from(after.as_millis()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_a_change_once() {
        let mut seen = Seen::new();
        let changes = [true, true, false, false, true].map(|ready| seen.changed(ready).is_some());
        assert_eq!(changes, [true, false, true, false, true]);
    }
}
