//! Keeps connections to one replica: connects at start, replaces a lost connection at once, backs off while the peer is down, and
//! opens one more where calls wait for a stream (gRFC A105). Calls never wait for a backoff.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    task::AbortHandle,
    time::{Instant, sleep_until},
};
use tracing::warn;

use super::{
    Backoff, Dial, Endpoint, Keepalive,
    changes::Changes,
    connection::{Connection, Gone, Opening},
    dial::dial,
    peer_log::{PeerLog, Ready},
    pool::{Counted, Pool, Total},
    seen::Seen,
    state::{Failure, State},
};
use crate::{deadline::millis, identity::Peer, status::Cause};

/// A connection beside the first that has had no call for this long is closed.
const IDLE: Duration = Duration::from_secs(30);
const LOOK_FOR_IDLE: Duration = Duration::from_secs(1);

/// A peer may say goodbye to connections while it still works on their calls, as one does that is slow and has a short
/// `--max-connection-age`. After this number of goodbyes without an answer it is one that says nothing else.
const TRUST: u32 = 5;

/// How to connect.
pub(crate) struct Connect {
    pub peer: Peer,
    /// For the byte stream, preface and SETTINGS together.
    pub timeout: Duration,
    /// Between two tries.
    pub backoff: Backoff,
    pub keepalive: Option<Keepalive>,
    /// The most connections to the replica.
    pub connections: usize,
    pub total: Arc<Total>,
    pub log: Arc<PeerLog>,
    /// For calls that wait for one.
    pub changes: Arc<Changes>,
}

/// A replica's connections. Dropped, it stops connecting; calls in flight keep theirs.
pub(crate) struct Subchannel {
    pool: Arc<Pool>,
    task: AbortHandle,
}

impl Subchannel {
    /// Starts connecting by `dialer`; `on_trouble` is called whenever there is no connection. Needs a Tokio runtime.
    pub fn new(
        dialer: Arc<dyn Dial>,
        endpoint: &Endpoint,
        connect: Connect,
        on_trouble: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let pool = Arc::new(Pool::new(connect.connections.max(1)));
        let keeper = Keeper {
            dialer,
            endpoint: endpoint.clone(),
            keepalive: connect.keepalive,
            connect,
            pool: pool.clone(),
            live: Vec::new(),
            second_try: true,
            may_rest: true,
            trust: TRUST,
            leaving: Vec::new(),
            next_try: Instant::now(),
            looked_for_idle: Instant::now(),
            on_trouble,
        };
        Subchannel { pool, task: tokio::spawn(keeper.keep_connected()).abort_handle() }
    }

    pub fn state(&self) -> State {
        self.pool.state()
    }

    /// Whether a call can be made now.
    pub fn has_room(&self) -> bool {
        self.pool.has_room()
    }

    /// A stream for one call, if one is free.
    pub fn reserve(&self) -> Option<Connection> {
        self.pool.reserve()
    }

    /// A call waits for this replica.
    pub fn want(&self) {
        self.pool.want();
    }

    /// Whether the peer takes no more calls at once on one of the connections.
    pub fn is_at_a_limit(&self) -> bool {
        self.pool.is_at_a_limit()
    }

    /// The calls that it takes at once when it has all the connections that it may have; `None` where it has none.
    pub fn most_streams(&self) -> Option<usize> {
        self.pool.most_streams()
    }
}

impl Drop for Subchannel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The task behind a subchannel.
struct Keeper<F> {
    dialer: Arc<dyn Dial>,
    endpoint: Endpoint,
    connect: Connect,
    /// Less often after the peer has said that it is too often.
    keepalive: Option<Keepalive>,
    pool: Arc<Pool>,
    /// The oldest first.
    live: Vec<Live>,
    /// A connection that closes before it is connected gets one immediate second try, once an outage: more of them would be a way
    /// around the backoff.
    second_try: bool,
    /// A peer that says goodbye to a connection which no call has used is let be until the backoff has passed or a call comes. Not
    /// again before a call was answered: it may be one that takes connections only to say goodbye.
    may_rest: bool,
    /// How often a connection that leaves before it has answered is still replaced at once.
    trust: u32,
    /// Connections that have left so: an answer after all renews the trust.
    leaving: Vec<Arc<Seen>>,
    next_try: Instant,
    looked_for_idle: Instant,
    on_trouble: F,
}

struct Live {
    connection: Connection,
    calls: u64,
    idle_since: Instant,
    _ready: Ready,
    _counted: Option<Counted>,
}

/// A try to connect that is under way.
struct Attempt {
    opens: BoxFuture<'static, Result<Connection, Cause>>,
    counted: Option<Counted>,
}

impl<F: Fn()> Keeper<F> {
    async fn keep_connected(mut self) {
        let mut gone = FuturesUnordered::new();
        // At most one at a time.
        let mut attempt: Option<Attempt> = None;
        let mut wanted = false;
        loop {
            wanted = wanted && self.would_help();
            if attempt.is_none() && self.is_time(wanted) {
                attempt = self.begin(wanted);
                wanted = false;
            }
            tokio::select! {
                Some(()) = gone.next(), if !gone.is_empty() => self.look_after_the_gone(),
                opened = async { (&mut attempt.as_mut().expect("there is one").opens).await }, if attempt.is_some() => {
                    let counted = attempt.take().and_then(|attempt| attempt.counted);
                    match opened {
                        Ok(connection) => {
                            gone.push(connection.gone());
                            self.connected(connection, counted);
                        }
                        Err(cause) => self.not_connected(cause),
                    }
                }
                () = self.pool.wanted(), if !wanted && attempt.is_none() => wanted = true,
                () = sleep_until(self.next_try), if attempt.is_none() && (wanted || self.live.is_empty()) => {}
                () = sleep_until(self.looked_for_idle + LOOK_FOR_IDLE), if self.live.len() > 1 => self.close_the_idle(),
            }
        }
    }

    /// Whether one more connection is of use to calls that wait.
    fn would_help(&self) -> bool {
        self.live.is_empty() || self.pool.may_grow()
    }

    /// Whether to begin a try to connect.
    fn is_time(&self, wanted: bool) -> bool {
        let has_paused = self.next_try <= Instant::now();
        match self.pool.state() {
            State::Connecting => has_paused || wanted && self.may_rest,
            State::TransientFailure(_) => has_paused,
            State::Ready => has_paused && wanted,
        }
    }

    fn begin(&mut self, wanted: bool) -> Option<Attempt> {
        let is_first = self.live.is_empty();
        if is_first && wanted && self.next_try > Instant::now() {
            self.may_rest = false;
        }
        let counted = if is_first { None } else { Some(self.connect.total.take()?) };
        let dialer = self.dialer.clone();
        let endpoint = self.endpoint.clone();
        let how = Opening {
            authority: self.endpoint.target.clone(),
            timeout: self.connect.timeout,
            keepalive: self.keepalive,
            changes: self.connect.changes.clone(),
        };
        let opens = Box::pin(async move { Connection::open(dial(&*dialer, &endpoint), how).await });
        Some(Attempt { opens, counted })
    }

    fn connected(&mut self, connection: Connection, counted: Option<Counted>) {
        let ready = self.connect.log.ready(&self.connect.peer, &self.endpoint);
        let now = Instant::now();
        self.live.push(Live {
            connection: connection.clone(),
            calls: 0,
            idle_since: now,
            _ready: ready,
            _counted: counted,
        });
        self.next_try = now;
        self.pool.add(connection);
        self.connect.changes.happened();
    }

    fn not_connected(&mut self, cause: Cause) {
        // Closed before it was connected: perhaps the last act of a server that is being replaced.
        if matches!(cause, Cause::Unreachable("closed" | "reset")) && std::mem::take(&mut self.second_try) {
            self.next_try = Instant::now();
            return;
        }
        self.next_try = Instant::now() + self.connect.backoff.next_pause();
        if self.live.is_empty() {
            self.pool.failed(Failure { cause, next_try: Some(self.next_try) });
            self.connect.log.failed(&self.connect.peer, &self.endpoint, cause);
            (self.on_trouble)();
        }
        self.connect.changes.happened();
    }

    fn look_after_the_gone(&mut self) {
        let (live, gone): (Vec<_>, Vec<_>) = self.live.drain(..).partition(|live| !live.connection.is_gone());
        self.live = live;
        self.pool.retain(|connection| !connection.is_gone());
        gone.iter().for_each(|gone| self.ask_less_often(&gone.connection));
        if self.leaving.iter().any(|left| left.has_answered()) {
            self.is_trusted();
        }
        match gone.iter().map(|gone| gone.connection.was()).min() {
            None => return,
            Some(Gone::UsedUp) => {
                self.is_trusted();
                self.next_try = Instant::now();
            }
            Some(Gone::Leaving) if self.trust > 0 => {
                self.trust -= 1;
                self.leaving.extend(gone.iter().map(|gone| gone.connection.seen()));
                self.next_try = Instant::now();
            }
            Some(Gone::Unused) if self.may_rest => self.next_try = Instant::now() + self.connect.backoff.next_pause(),
            // A peer that takes connections only to drop them is treated as one that is down.
            Some(_) => self.not_connected(Cause::Unreachable("closed")),
        }
        if self.live.is_empty() {
            (self.on_trouble)();
        }
        self.connect.changes.happened();
    }

    /// Whatever there was, the peer answers.
    fn is_trusted(&mut self) {
        self.connect.backoff.reset();
        self.second_try = true;
        self.may_rest = true;
        self.trust = TRUST;
        self.leaving.clear();
    }

    fn ask_less_often(&mut self, connection: &Connection) {
        if let Some(keepalive) = self.keepalive.filter(|_| connection.had_too_many_pings()) {
            let keepalive = keepalive.doubled();
            let interval_ms = millis(keepalive.interval);
            let peer = self.connect.peer.name();
            warn!(peer, url = %self.endpoint, interval_ms, "the peer has had too many PINGs: they come half as often now");
            self.keepalive = Some(keepalive);
        }
    }

    fn close_the_idle(&mut self) {
        let now = Instant::now();
        self.looked_for_idle = now;
        for live in &mut self.live {
            let calls = live.connection.calls();
            if live.connection.streams() > 0 || live.calls != calls {
                live.calls = calls;
                live.idle_since = now;
            }
        }
        let mut first = true;
        let is_kept = |live: &Live| std::mem::take(&mut first) || now - live.idle_since < IDLE;
        let (live, idle): (Vec<_>, Vec<_>) = self.live.drain(..).partition(is_kept);
        self.live = live;
        self.pool.retain(|connection| !idle.iter().any(|idle| idle.connection.is(connection)));
    }
}

#[cfg(test)]
mod tests;
