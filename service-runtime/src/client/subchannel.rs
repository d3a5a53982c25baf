//! Keeps one connection to one target: connects at start, replaces a lost connection at once, and backs off while the peer
//! is down. Calls never wait for a backoff.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, sleep_until},
};

use super::{
    Dial, Endpoint,
    backoff::{Backoff, FIRST_PAUSE},
    connection::Connection,
    dial::dial,
    peer_log::PeerLog,
};
use crate::{identity::Peer, status::Cause};

/// A connection that was ready for less than this was none.
const LASTING: Duration = FIRST_PAUSE;

/// How to connect.
#[derive(Debug)]
pub(crate) struct Connect {
    /// For the byte stream, preface and SETTINGS together.
    pub timeout: Duration,
    /// Between two tries.
    pub backoff: Backoff,
}

/// An endpoint and the connection to it. Dropped, it stops connecting; calls in flight keep their connection.
pub(crate) struct Subchannel {
    state: watch::Receiver<State>,
    task: AbortHandle,
}

/// gRPC's words for it. There is no idle state.
#[derive(Clone)]
pub(crate) enum State {
    /// The first try since the start, or since a connection was lost: calls wait for it.
    Connecting,
    Ready(Connection),
    /// The last try failed. It stays so during the next ones: calls fail at once, with this.
    TransientFailure(Failure),
}

/// Why there is no connection, and when the next try is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub cause: Cause,
    pub next_try: Instant,
}

impl Failure {
    /// This one or `other`: what stands in the peer's place tells more than that there is no listener.
    pub fn or_worse(self, other: Failure) -> Failure {
        let tells_more = !matches!(other.cause, Cause::Unreachable(_)) && matches!(self.cause, Cause::Unreachable(_));
        let cause = if tells_more { other.cause } else { self.cause };
        Failure { cause, next_try: self.next_try.min(other.next_try) }
    }
}

impl Subchannel {
    /// Starts connecting by `dialer`; `on_change` is called with every state but the first. Needs a Tokio runtime.
    pub fn new(
        dialer: Arc<dyn Dial>,
        endpoint: &Endpoint,
        connect: Connect,
        log: Arc<PeerLog>,
        peer: Peer,
        on_change: impl Fn(&State) + Send + Sync + 'static,
    ) -> Self {
        let (sender, state) = watch::channel(State::Connecting);
        let endpoint = endpoint.clone();
        let task = tokio::spawn(async move {
            let set = |state| {
                sender.send_replace(state);
                on_change(&sender.borrow());
            };
            keep_connected(dialer, &endpoint, connect, set, &StateLog { log: &log, peer: &peer, endpoint: &endpoint })
                .await;
        });
        Subchannel { state, task: task.abort_handle() }
    }

    /// Whether a call can be made now.
    pub fn is_ready(&self) -> bool {
        matches!(&*self.state.borrow(), State::Ready(connection) if !connection.is_gone())
    }

    /// The connection for one call, if there is one.
    pub fn connection(&self) -> Option<Connection> {
        match &*self.state.borrow() {
            State::Ready(connection) if !connection.is_gone() => Some(connection.clone()),
            _ => None,
        }
    }

    /// Why there is none; `None` where there is, or where a first try is under way: worth the wait.
    pub fn failure(&self) -> Option<Failure> {
        match &*self.state.borrow() {
            State::TransientFailure(failure) => Some(*failure),
            _ => None,
        }
    }
}

impl Drop for Subchannel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where changes of state are logged, and whose they are.
struct StateLog<'a> {
    log: &'a PeerLog,
    peer: &'a Peer,
    endpoint: &'a Endpoint,
}

async fn keep_connected(
    dialer: Arc<dyn Dial>,
    endpoint: &Endpoint,
    connect: Connect,
    set: impl Fn(State),
    log: &StateLog<'_>,
) {
    let Connect { timeout, mut backoff } = connect;
    // Once an outage: more of them would be a way around the backoff.
    let mut second_try = true;
    loop {
        let cause = match Connection::open(dial(&*dialer, endpoint), &endpoint.target, timeout).await {
            Ok(connection) => {
                if use_up(connection, &set, log).await >= LASTING {
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
        set(State::TransientFailure(Failure { cause, next_try }));
        log.log.failed(log.peer, endpoint, cause);
        sleep_until(next_try).await;
    }
}

/// Offers the connection to calls until it is gone, and says how long it lasted; from then on calls wait for the next.
async fn use_up(connection: Connection, set: &impl Fn(State), log: &StateLog<'_>) -> Duration {
    let since = Instant::now();
    set(State::Ready(connection.clone()));
    let ready = log.log.ready(log.peer, log.endpoint);
    connection.gone().await;
    drop(ready);
    set(State::Connecting);
    since.elapsed()
}
