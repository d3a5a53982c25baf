//! The calls of one connection, and what its peer owes: when it has waited long enough, is done, or is to be sent elsewhere.
//!
//! Looked at by the task that serves the connection, and by nothing else: its lock is never waited for.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};

use super::{
    config::Lifetime,
    flood::{Flood, Pace},
    wire::{UNFINISHED, Wire},
};
use crate::{deadline::after, layers::record::InFlight};

/// What a connection gets for its first call also when the drain has begun: it may have been accepted a moment ago.
pub(super) const FIRST_CALL: Duration = Duration::from_millis(100);
/// A connection that is leaving ends this long after its last call, whether or not its peer answers. The contract gives the
/// process 250 ms; a tenth of it is for its exit.
pub(super) const QUIET: Duration = Duration::from_millis(225);

/// How often it is looked at the most, whether a connection over HTTP/1.1 is idle.
const LOOK: Duration = Duration::from_millis(10);

/// A call whose answer is not complete yet; the last clone that is dropped ends it.
struct OneCall {
    calls: Arc<Calls>,
    /// Set of a stream: whether its answer is one too.
    stream: OnceLock<bool>,
}

/// A call that a handler has not answered yet.
pub(super) struct InHand(Arc<Calls>);

/// What is under way on one connection.
#[derive(Debug)]
pub(super) struct Calls {
    accepted: Instant,
    state: Mutex<State>,
    changed: Notify,
    /// In bytes.
    read_in_this_turn: AtomicUsize,
}

#[derive(Debug)]
struct State {
    wire: Wire,
    /// Calls that a handler has in hand.
    in_hand: usize,
    /// Calls whose answer is not complete.
    now: usize,
    /// Those of them whose method streams requests, responses or both: their length has no bound.
    streams: usize,
    /// Those of the streams whose method streams responses.
    answered_by_streams: usize,
    ever: bool,
    /// When the last call ended.
    idle_since: Instant,
}

impl State {
    fn is_busy(&self) -> bool {
        self.now > 0 || self.is_answering()
    }

    fn is_answering(&self) -> bool {
        self.wire.answers_under_way() > 0 || !self.wire.is_flushed()
    }

    /// When the connection will have been idle for as long as it may, if nothing more comes.
    fn idle_at(&self, lifetime: &Lifetime, now: Instant) -> Instant {
        // Over HTTP/1.1 the head of the next request has a clock of its own, however short the wait for it may be.
        let next_has_begun = self.wire.is_http1() && self.wire.has_begun();
        let since = if self.is_busy() || next_has_begun { now } else { self.idle_since };
        after(since, if self.wire.is_http1() { lifetime.idle.min(lifetime.http1_keep_alive) } else { lifetime.idle })
    }
}

impl Calls {
    pub fn new() -> Self {
        let accepted = Instant::now();
        let wire = Wire::new(accepted);
        let state =
            State { wire, in_hand: 0, now: 0, streams: 0, answered_by_streams: 0, ever: false, idle_since: accepted };
        Calls { accepted, state: Mutex::new(state), changed: Notify::new(), read_in_this_turn: AtomicUsize::new(0) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call has come, and a handler has it in hand. Over HTTP/1.1 `has_body` tells whether its request goes on after the headers.
    pub fn begin(self: &Arc<Self>, has_body: bool) -> (Arc<dyn InFlight>, InHand) {
        let mut state = self.state();
        state.wire.call_begins(has_body);
        state.in_hand += 1;
        state.now += 1;
        state.ever = true;
        drop(state);
        self.changed.notify_waiters();
        let call = OneCall { calls: self.clone(), stream: OnceLock::new() };
        (Arc::new(call), InHand(self.clone()))
    }

    /// The task of the connection has the thread.
    pub fn turn_begins(&self) {
        self.read_in_this_turn.store(0, Ordering::Relaxed);
    }

    /// What has come in since then, in bytes.
    pub fn read_in_this_turn(&self) -> usize {
        self.read_in_this_turn.load(Ordering::Relaxed)
    }

    /// Bytes came in. Returns how to read on.
    pub fn read(&self, bytes: &[u8]) -> Result<Pace, Flood> {
        self.read_in_this_turn.fetch_add(bytes.len(), Ordering::Relaxed);
        let mut state = self.state();
        let now = state.now;
        state.wire.read(bytes, now, Instant::now())
    }

    /// Of the `bytes` that were to go out the peer took the first `taken`; or `takes` no more for now.
    pub fn wrote<'a>(&self, bytes: impl Iterator<Item = &'a [u8]>, taken: usize, takes: bool) -> Result<(), Flood> {
        let mut state = self.state();
        let now = Instant::now();
        let was_busy = state.is_busy();
        let was_answering = state.is_answering();
        state.wire.takes_bytes(takes, now);
        let (mut left, mut flood) = (taken, Ok(()));
        for bytes in bytes {
            let (gone, _) = bytes.split_at(left.min(bytes.len()));
            left -= gone.len();
            flood = flood.and(state.wire.wrote(gone, now));
        }
        if was_busy && !state.is_busy() {
            state.idle_since = now;
        }
        // Also where it begins: a handler is done before the first byte of its answer goes out.
        let changed = was_answering != state.is_answering();
        drop(state);
        if changed {
            self.changed.notify_waiters();
        }
        flood
    }

    /// The peer's highest stream, if a frame could be put in between now.
    pub fn last_stream(&self) -> Option<u32> {
        let state = self.state();
        state.wire.is_between_writes().then_some(state.wire.last_stream)
    }

    /// Calls that would be cut if the connection ended now: with a handler, or answered and not taken by the peer.
    pub fn unfinished(&self) -> usize {
        let state = self.state();
        state.now.max(state.in_hand + state.wire.answers_under_way())
    }

    /// Returns once a call has begun, now or before, or when it is too late for a first one.
    pub async fn begun(&self) {
        let changed = self.changed.notified();
        if !self.state().ever {
            tokio::select! { () = changed => {}, () = sleep_until(self.accepted + FIRST_CALL) => {} }
        }
    }

    /// Returns once nothing has been under way for [`QUIET`], the wait for a first call included.
    pub async fn quiet(&self) {
        let quiet = if self.state().ever { QUIET } else { QUIET - FIRST_CALL };
        self.without(State::is_busy, quiet).await;
    }

    /// Returns once no stream is open: at once where there is none, else when the last one's end has gone out.
    pub async fn streams_ended(&self) {
        if self.state().streams > 0 {
            self.without(|state| state.streams > 0 || state.is_answering(), QUIET).await;
        }
    }

    /// Returns once it `is_so` no more, and has not been for `quiet`.
    async fn without(&self, is_so: impl Fn(&State) -> bool, quiet: Duration) {
        loop {
            let mut changed = pin!(self.changed.notified());
            // From here on nothing is missed.
            changed.as_mut().enable();
            if is_so(&self.state()) {
                changed.await;
            } else if timeout(quiet, changed).await.is_err() {
                return;
            }
        }
    }

    /// Returns once the peer has been waited for long enough, whatever it owes.
    pub async fn given_up(&self) {
        loop {
            let ends = {
                let state = self.state();
                state.wire.gives_up_at(state.answered_by_streams)
            };
            let now = Instant::now();
            match ends {
                Some(at) if at <= now => return,
                // Whatever begins later ends later than this, so that nothing is looked at too late.
                ends => sleep_until(ends.unwrap_or(now + UNFINISHED).min(now + UNFINISHED)).await,
            }
        }
    }

    /// Whether the peer speaks HTTP/2; that is known once it has said so.
    pub fn is_http2(&self) -> bool {
        self.state().wire.is_http2()
    }

    /// Whether the peer is in the middle of something, as far as that can be told.
    pub fn has_begun(&self) -> bool {
        self.state().wire.has_begun()
    }

    /// Returns once the connection has had no call for as long as it may, or is too old.
    pub async fn worn(&self, lifetime: &Lifetime) {
        let old = after(self.accepted, lifetime.age);
        loop {
            let now = Instant::now();
            let idle_at = self.state().idle_at(lifetime, now);
            if idle_at <= now || old <= now {
                return;
            }
            // A call over HTTP/1.1 that begins in this time, and ends, leaves a connection that is kept longer than that.
            let look_again = if self.is_http2() { idle_at } else { after(now, lifetime.http1_keep_alive.max(LOOK)) };
            sleep_until(idle_at.min(look_again).min(old)).await;
        }
    }
}

impl InFlight for OneCall {
    fn is_a_stream(&self, and_so_is_its_answer: bool) {
        if self.stream.set(and_so_is_its_answer).is_ok() {
            let mut state = self.calls.state();
            state.streams += 1;
            state.answered_by_streams += usize::from(and_so_is_its_answer);
        }
    }
}

impl Drop for OneCall {
    fn drop(&mut self) {
        let stream = self.stream.get();
        let now = Instant::now();
        let mut state = self.calls.state();
        state.now -= 1;
        state.wire.call_ends(now);
        state.streams -= usize::from(stream.is_some());
        if stream == Some(&true) {
            let streams = state.answered_by_streams;
            state.wire.stream_ends(streams, now);
            state.answered_by_streams -= 1;
        }
        state.idle_since = now;
        drop(state);
        self.calls.changed.notify_waiters();
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.state().in_hand -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::{END_HEADERS, HEADERS};

    #[tokio::test(start_paused = true)]
    async fn follows_what_the_peer_took_and_not_what_was_offered() {
        let calls = Calls::new();
        calls.read(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let answer = |stream| [0, 0, 1, HEADERS, END_HEADERS, 0, 0, 0, stream, 0x88];
        let (first, second) = (answer(1), answer(3));
        calls.wrote([&first[..], &second].into_iter(), 12, true).unwrap();
        assert_eq!(calls.unfinished(), 1);
        calls.wrote([&second[2..]].into_iter(), 8, true).unwrap();
        assert_eq!(calls.unfinished(), 2);
    }
}
