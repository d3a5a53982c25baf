//! One connection to a peer, made once. It counts as made when the peer's SETTINGS have arrived, not before: until then
//! it is not known whether a gRPC server listens there. Generic over the byte stream, for tests and for TLS below.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use h2::client::SendRequest;
use http::{
    Request, Response, Uri, Version,
    uri::{self, Authority, PathAndQuery, Scheme},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use super::{
    ByteStream, Keepalive, Target,
    changes::Changes,
    exchange::{self, Outbound, PeerBody, UnderWay},
    io::ClientIo,
    keepalive,
    seen::{Life, Seen},
};
use crate::status::Cause;

/// The number of calls given up that h2 remembers for a second: it passes over what still comes for them. To anything that comes
/// later it answers with a reset, takes it for a mistake of the peer's, and would close the connection at the 1,025th in its
/// life, with all calls on it: under short deadlines that is every second. So the mistakes are not counted.
const GIVEN_UP: usize = 1_000;

/// What one answer may have sent that was not read yet, what all answers of a connection may together, and the most that an answer's headers
/// may take, in bytes. The values that hyper's client has.
const STREAM_WINDOW: u32 = 2 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 5 * 1024 * 1024;
const HEADER_LIST: u32 = 16 * 1024;

/// A connection that was there for less than this, and answered no call, was none.
const LASTING: Duration = Duration::from_millis(200);

/// A connection that a gRPC server answered on. Cheap to clone.
#[derive(Clone)]
pub struct Connection(Arc<Inner>);

struct Inner {
    sender: SendRequest<Bytes>,
    /// What calls name.
    authority: Authority,
    seen: Arc<Seen>,
    /// Calls that have a stream now.
    streams: AtomicU32,
    /// Calls that were sent so far.
    calls: AtomicU64,
}

/// How a connection is made.
pub struct Opening {
    /// What calls name.
    pub authority: Target,
    /// For the byte stream, preface and SETTINGS together.
    pub timeout: Duration,
    /// When PINGs go out; `None` is never.
    pub keepalive: Option<Keepalive>,
    /// For calls that wait for a stream.
    pub(crate) changes: Arc<Changes>,
}

impl Opening {
    /// With the keepalive that a service has, and no calls that wait.
    pub fn new(authority: Target, timeout: Duration) -> Self {
        Opening { authority, timeout, keepalive: Some(Keepalive::default()), changes: Arc::default() }
    }

    #[cfg(test)]
    pub fn for_tests() -> Self {
        let authority = "service-a:1".parse().expect("a name and a port");
        Opening { keepalive: None, ..Self::new(authority, Duration::from_secs(1)) }
    }
}

/// Why a connection is not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gone {
    /// It answered a call, or was there for a while.
    UsedUp,
    /// The peer has said goodbye (GOAWAY with NO_ERROR) before it has answered a call; it may still do so.
    Leaving,
    /// The same, and no call was made on it.
    Unused,
    /// It was closed before it was of any use.
    Failed,
}

impl Connection {
    /// Connects: the byte stream that `dialled` makes, preface and SETTINGS.
    pub async fn open<IO: ByteStream>(
        dialled: impl Future<Output = Result<IO, Cause>>,
        how: Opening,
    ) -> Result<Self, Cause> {
        let opened = timeout(how.timeout, async { Self::over(dialled.await?, how).await }).await;
        opened.unwrap_or(Err(Cause::Unreachable("connect timeout")))
    }

    /// Makes a connection of a byte stream. Waits for the peer as long as the peer keeps it open.
    pub async fn over<IO>(io: IO, how: Opening) -> Result<Self, Cause>
    where
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let authority = how.authority.uri().authority().cloned().expect("a target has one");
        let seen = Arc::new(Seen::new(how.changes));
        let mut life = seen.life.subscribe();
        let lost = |_: h2::Error| seen.end.get().copied().unwrap_or(Cause::Unreachable("closed"));
        let io = ClientIo::new(io, seen.clone());
        let (sender, connection) = builder().handshake(io).await.map_err(lost)?;
        // It ends when the connection does: with its peer, or after the last call of the last who holds a sender.
        tokio::spawn(keepalive::keep(connection, how.keepalive, seen.clone()));
        let opened = life.wait_for(|life| *life > Life::Opening).await.map(|life| *life);
        match opened {
            Ok(Life::Ready | Life::GoingAway) => Ok(Connection(Arc::new(Inner {
                sender,
                authority,
                seen,
                streams: AtomicU32::default(),
                calls: AtomicU64::default(),
            }))),
            // Ready for a shorter time than it takes to look: no call was lost, so it was never there.
            _ => Err(match seen.end.get() {
                Some(Cause::ConnectionLost(how)) => Cause::Unreachable(how),
                Some(cause) => *cause,
                None => Cause::Unreachable("closed"),
            }),
        }
    }

    /// Sends a request for which a stream is reserved. Errors: what became of the connection or of the stream.
    ///
    /// No `async fn`: the request would be in its future twice.
    pub(crate) fn send(
        &self,
        mut request: Request<()>,
        body: Outbound,
    ) -> impl Future<Output = Result<Response<PeerBody>, Cause>> + Send + use<> {
        let Inner { sender, authority, seen, calls, .. } = &*self.0;
        calls.fetch_add(1, Ordering::Relaxed);
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = at(authority, request.uri());
        let sent = exchange::begin(sender.clone(), request, body, UnderWay::begin(seen)).map_err(|_| {
            // Such as one whose stream ids are used up, which nothing else tells.
            seen.goes_away();
            Cause::NeverSent
        });
        async move { sent?.await }
    }

    /// Takes one of the streams that the peer allows; false where none is free, or nothing new can begin.
    pub fn reserve(&self) -> bool {
        let limit = self.stream_limit();
        let taken = |streams: u32| (streams < limit).then_some(streams + 1);
        let can_begin = !self.is_gone() && !self.0.seen.is_stuck();
        can_begin && self.0.streams.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok()
    }

    /// Gives a stream back.
    pub fn release(&self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether a stream is free.
    pub fn has_room(&self) -> bool {
        !self.is_gone() && self.streams() < self.stream_limit() && !self.0.seen.is_stuck()
    }

    /// Calls that have a stream.
    pub fn streams(&self) -> u32 {
        self.0.streams.load(Ordering::Relaxed)
    }

    /// Calls so far.
    pub fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::Relaxed)
    }

    /// The calls that the peer allows at once, now.
    pub fn stream_limit(&self) -> u32 {
        self.0.seen.stream_limit.load(Ordering::Relaxed)
    }

    /// Whether no new call can be made on this connection.
    pub fn is_gone(&self) -> bool {
        *self.0.seen.life.borrow() > Life::Ready
    }

    /// Returns once no new call can be made on this connection. Does not keep it.
    pub fn gone(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut life = self.0.seen.life.subscribe();
        async move { drop(life.wait_for(|life| *life > Life::Ready).await) }
    }

    /// What a connection was that is gone.
    pub fn was(&self) -> Gone {
        let seen = &self.0.seen;
        // A peer may say what looks like an answer without having been asked, and would be connected to again without a pause.
        let was_asked = self.calls() > 0;
        let left_cleanly = seen.left_cleanly.load(Ordering::Relaxed);
        if was_asked && seen.has_answered() || seen.age() >= LASTING {
            Gone::UsedUp
        } else if left_cleanly {
            if was_asked { Gone::Leaving } else { Gone::Unused }
        } else {
            Gone::Failed
        }
    }

    /// What is known of it from its bytes. Does not keep it.
    pub(super) fn seen(&self) -> Arc<Seen> {
        self.0.seen.clone()
    }

    /// Whether its socket takes nothing.
    pub fn is_stuck(&self) -> bool {
        self.0.seen.is_stuck()
    }

    /// Whether both are the same.
    pub fn is(&self, other: &Connection) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether the peer has left because of our PINGs.
    pub fn had_too_many_pings(&self) -> bool {
        self.0.seen.too_many_pings.load(Ordering::Relaxed)
    }
}

fn builder() -> h2::client::Builder {
    let mut builder = h2::client::Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEADER_LIST)
        .enable_push(false)
        .max_concurrent_reset_streams(GIVEN_UP)
        .max_local_error_reset_streams(None);
    builder
}

/// The path of `uri`, at our peer.
fn at(authority: &Authority, uri: &Uri) -> Uri {
    let mut parts = uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority.clone());
    parts.path_and_query = uri.path_and_query().cloned().or_else(|| Some(PathAndQuery::from_static("/")));
    Uri::from_parts(parts).expect("all its parts are there")
}

#[cfg(test)]
mod tests;
