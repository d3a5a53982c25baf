//! What is known of a connection from its bytes.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use super::changes::Changes;
use crate::{
    deadline::millis,
    frames::{ACK, DATA, END_STREAM, HEADERS, Head, SETTINGS},
    status::Cause,
};

/// After this time in which the socket takes nothing, new calls go elsewhere.
const BUSY_WRITING: Duration = Duration::from_millis(100);

/// What something else than a gRPC server is.
pub(super) const NOT_HTTP2: Cause = Cause::NotGrpc("not HTTP/2");

/// The life of a connection, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Life {
    /// No SETTINGS yet.
    Opening,
    Ready,
    /// The peer sent GOAWAY: what is in flight may finish, nothing new begins.
    GoingAway,
    Closed,
}

/// What is known of a connection from its bytes.
pub(super) struct Seen {
    pub life: watch::Sender<Life>,
    pub end: OnceLock<Cause>,
    /// The peer's SETTINGS_MAX_CONCURRENT_STREAMS; without one there is no limit.
    pub stream_limit: AtomicU32,
    /// Calls that were sent and have not ended.
    pub under_way: AtomicU32,
    /// Some call has been answered, to the end.
    answered: AtomicBool,
    /// GOAWAY with NO_ERROR.
    pub left_cleanly: AtomicBool,
    /// GOAWAY with ENHANCE_YOUR_CALM and `too_many_pings`.
    pub too_many_pings: AtomicBool,
    /// Since when the socket takes nothing, in milliseconds from `began` and at least 1; 0 while it takes bytes.
    writing_since: AtomicU64,
    /// When bytes came in last, in milliseconds from `began`.
    heard: AtomicU64,
    pub began: Instant,
    /// For calls that wait for a stream.
    pub changes: Arc<Changes>,
}

impl Seen {
    pub fn new(changes: Arc<Changes>) -> Self {
        Seen {
            life: watch::Sender::new(Life::Opening),
            end: OnceLock::new(),
            stream_limit: AtomicU32::new(u32::MAX),
            under_way: AtomicU32::default(),
            answered: AtomicBool::default(),
            left_cleanly: AtomicBool::default(),
            too_many_pings: AtomicBool::default(),
            writing_since: AtomicU64::default(),
            heard: AtomicU64::default(),
            began: Instant::now(),
            changes,
        }
    }

    pub fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// The socket takes nothing, from now on.
    pub fn takes_nothing(&self) {
        self.writing_since.store(millis(self.age()).max(1), Ordering::Relaxed);
    }

    /// Bytes came in.
    pub fn hears(&self) {
        self.heard.store(millis(self.age()), Ordering::Relaxed);
    }

    /// When bytes came in last.
    pub fn heard_at(&self) -> Instant {
        self.began + Duration::from_millis(self.heard.load(Ordering::Relaxed))
    }

    /// Nothing new begins on the connection; what is in flight may finish.
    pub fn goes_away(&self) {
        if *self.life.borrow() == Life::Ready {
            self.life.send_replace(Life::GoingAway);
        }
    }

    /// It takes bytes again.
    pub fn takes_bytes(&self) {
        self.writing_since.store(0, Ordering::Relaxed);
        self.changes.happened();
    }

    /// Whether the socket has taken nothing for a while, though there is something to take.
    pub fn is_stuck(&self) -> bool {
        let since = self.writing_since.load(Ordering::Relaxed);
        since != 0 && self.age() >= Duration::from_millis(since) + BUSY_WRITING
    }

    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Seen {
    /// A frame of the peer's begins.
    pub fn begins(&self, Head { kind, flags, .. }: Head) {
        let now = *self.life.borrow();
        match (now, kind) {
            // A server's connection preface is a SETTINGS frame, and not its ACK (RFC 9113, 3.4).
            (Life::Opening, SETTINGS) if flags & ACK == 0 => {}
            (Life::Opening, _) => {
                let _ = self.end.set(NOT_HTTP2);
                self.life.send_replace(Life::Closed);
            }
            (_, HEADERS | DATA) if flags & END_STREAM != 0 => self.answered.store(true, Ordering::Relaxed),
            _ => {}
        }
    }
}
