//! One connection to a peer, made once. It counts as made when the peer's SETTINGS have arrived, not before: until then
//! it is not known whether a gRPC server listens there. Generic over the byte stream, for tests and for TLS below.

use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::watch,
    time::{Sleep, sleep, timeout},
};
use tonic::transport::{Channel, Endpoint};

use super::{ByteStream, Checked, Target};
use crate::{
    frames::{Frames, GOAWAY, Head, SETTINGS, Step},
    status::Cause,
};

/// While calls are open: a PING after the first time without a frame, and the second for its answer.
const KEEPALIVE: Duration = Duration::from_secs(10);
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(3);

/// The number of calls given up that h2 remembers for a second: it passes over what still comes for them. To anything that comes
/// later it answers with a reset, takes it for a mistake of the peer's, and would close the connection at the 1,025th in its
/// life, with all calls on it: under short deadlines that is every second. So the mistakes are not counted.
const GIVEN_UP: usize = 1_000;

/// A peer that takes no byte in this time is as dead as one that answers no PING. hyper would not find out: it has no PING to
/// send once every call that reached the connection has given up, and a PING could not be written either.
const STALLED: Duration = KEEPALIVE.saturating_add(KEEPALIVE_ANSWER);

/// What something else than a gRPC server is.
const NOT_HTTP2: Cause = Cause::NotGrpc("not HTTP/2");

/// A connection that a gRPC server answered on.
#[derive(Clone)]
pub struct Connection {
    channel: Channel,
    life: watch::Receiver<Life>,
    end: Arc<OnceLock<Cause>>,
}

/// The life of a connection, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Life {
    /// No SETTINGS yet.
    Opening,
    Ready,
    /// The peer sent GOAWAY: what is in flight may finish, nothing new begins.
    GoingAway,
    Closed,
}

impl Connection {
    /// Connects within `patience`: the byte stream that `dialled` makes, preface and SETTINGS. Calls name `authority`.
    pub async fn open<IO: ByteStream>(
        dialled: impl Future<Output = Result<IO, Cause>>,
        authority: &Target,
        patience: Duration,
    ) -> Result<Self, Cause> {
        let opened = timeout(patience, async { Self::over(dialled.await?, authority).await }).await;
        opened.unwrap_or(Err(Cause::Unreachable("connect timeout")))
    }

    /// Makes a connection of a byte stream. Waits for the peer as long as the peer keeps it open.
    pub async fn over<IO>(io: IO, authority: &Target) -> Result<Self, Cause>
    where
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (observed, mut life, end) = ClientIo::new(io);
        let mut once = Some(TokioIo::new(observed));
        // tonic would reconnect by itself, without a pause; the subchannel does that, with one.
        let connector = tower::service_fn(move |_| std::future::ready(once.take().ok_or(Cause::NeverSent)));
        let endpoint = Endpoint::from(authority.uri().clone())
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE_ANSWER)
            .http2_max_concurrent_reset_streams(GIVEN_UP)
            .http2_max_local_error_reset_streams(None);
        let lost = |_: tonic::transport::Error| end.get().copied().unwrap_or(Cause::Unreachable("closed"));
        let channel = endpoint.connect_with_connector(connector).await.map_err(lost)?;
        let opened = life.wait_for(|life| *life > Life::Opening).await.map(|life| *life);
        match opened {
            Ok(Life::Ready | Life::GoingAway) => Ok(Connection { channel, life, end }),
            // Ready for a shorter time than it takes to look: no call was lost, so it was never there.
            _ => Err(match end.get() {
                Some(Cause::ConnectionLost(how)) => Cause::Unreachable(how),
                Some(cause) => *cause,
                None => Cause::Unreachable("closed"),
            }),
        }
    }

    /// Sends calls and takes answers of up to `max_message` bytes; once the connection is gone it fails for good.
    pub fn channel(&self, max_message: usize) -> Checked {
        Checked::new(self.channel.clone(), max_message)
    }

    /// How the connection ended, once it has: it knows a reset from a close, which a call's error often does not.
    pub fn end(&self) -> Option<Cause> {
        self.end.get().copied()
    }

    /// Whether no new call can be made on this connection.
    pub fn is_gone(&self) -> bool {
        *self.life.borrow() > Life::Ready
    }

    /// Returns once no new call can be made on this connection.
    pub async fn gone(&self) {
        let _ = self.life.clone().wait_for(|life| *life > Life::Ready).await;
    }
}

/// A byte stream that notes what hyper does not tell: the peer's SETTINGS and GOAWAY, and how it ended.
struct ClientIo<IO> {
    io: IO,
    frames: Frames,
    heard: bool,
    /// Until when the peer has to take something, while it does not.
    stalled: Option<Pin<Box<Sleep>>>,
    life: watch::Sender<Life>,
    end: Arc<OnceLock<Cause>>,
}

impl<IO> ClientIo<IO> {
    fn new(io: IO) -> (Self, watch::Receiver<Life>, Arc<OnceLock<Cause>>) {
        let (life, receiver) = watch::channel(Life::Opening);
        let end = Arc::new(OnceLock::new());
        let client = ClientIo { io, frames: Frames::default(), heard: false, stalled: None, life, end: end.clone() };
        (client, receiver, end)
    }

    fn read(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return self.ended("closed");
        }
        // The first byte of a frame's length: an HTTP/1 answer, a TLS alert and most garbage have something else there.
        if !std::mem::replace(&mut self.heard, true) && bytes[0] != 0 {
            return self.ended("not HTTP/2");
        }
        let ClientIo { frames, life, end, .. } = self;
        frames.follow(bytes, |step| {
            let Step::Head(Head { kind, flags, .. }) = step else { return };
            let now = *life.borrow();
            let next = match (now, kind, flags) {
                // A server's connection preface is a SETTINGS frame, and not its ACK (RFC 9113, 3.4).
                (Life::Opening, SETTINGS, 0) => Life::Ready,
                (Life::Opening, ..) => {
                    let _ = end.set(NOT_HTTP2);
                    Life::Closed
                }
                (Life::Ready, GOAWAY, _) => Life::GoingAway,
                _ => return,
            };
            life.send_replace(next);
        });
    }

    fn ended(&mut self, how: &'static str) {
        let _ = self.end.set(match (*self.life.borrow(), self.heard) {
            (Life::Opening, false) => Cause::Unreachable(how),
            (Life::Opening, true) => NOT_HTTP2,
            _ => Cause::ConnectionLost(how),
        });
        self.life.send_replace(Life::Closed);
    }

    /// What came of writing: a reset is often seen here first, and a peer that takes nothing only here.
    fn wrote<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let result = match result {
            Poll::Ready(result) => {
                self.stalled = None;
                result
            }
            Poll::Pending => {
                let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(STALLED)));
                ready!(stalled.as_mut().poll(cx));
                Err(io::ErrorKind::TimedOut.into())
            }
        };
        Poll::Ready(result.inspect_err(|error| self.failed(error)))
    }

    fn failed(&mut self, error: &io::Error) {
        self.ended(match error.kind() {
            io::ErrorKind::ConnectionReset => "reset",
            io::ErrorKind::TimedOut => "no answer to keepalive",
            _ => "closed",
        });
    }
}

impl<IO> Drop for ClientIo<IO> {
    fn drop(&mut self) {
        self.ended("closed");
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for ClientIo<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = ready!(Pin::new(&mut self.io).poll_read(cx, buf));
        match &result {
            Ok(()) => self.read(&buf.filled()[before..]),
            Err(error) => self.failed(error),
        }
        Poll::Ready(result)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for ClientIo<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write(cx, buf);
        self.wrote(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.wrote(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.io).poll_flush(cx);
        self.wrote(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.io).poll_shutdown(cx);
        self.wrote(cx, result)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const SETTINGS_FRAME: [u8; 9] = [0, 0, 0, SETTINGS, 0, 0, 0, 0, 0];

    /// Opens a connection to a peer that `acts` on its end of the wire, and tells what became of it.
    async fn open<Fut: Future<Output = DuplexStream>>(acts: impl FnOnce(DuplexStream) -> Fut) -> Result<(), Cause> {
        let (client, peer) = duplex(64 * 1024);
        let target = "service-a:1".parse().unwrap();
        let (opened, _peer) =
            tokio::join!(timeout(Duration::from_secs(1), Connection::over(client, &target)), acts(peer));
        opened.unwrap_or(Err(Cause::Timeout)).map(|_| ())
    }

    async fn says(mut peer: DuplexStream, bytes: &[u8]) -> DuplexStream {
        peer.write_all(bytes).await.unwrap();
        peer
    }

    #[tokio::test(start_paused = true)]
    async fn is_connected_once_the_peers_settings_are_there() {
        assert_eq!(open(|peer| says(peer, &SETTINGS_FRAME)).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn is_not_connected_to_a_peer_that_accepts_and_says_nothing() {
        assert_eq!(open(|peer| says(peer, b"")).await, Err(Cause::Timeout));
    }

    #[tokio::test(start_paused = true)]
    async fn tells_a_peer_that_is_no_grpc_server_from_one_that_is_not_there() {
        let http1 = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        let tls_alert = [0x15, 3, 1, 0, 2, 2, 0x46];
        let ack = [0, 0, 0, SETTINGS, 1, 0, 0, 0, 0];
        for bytes in [&http1[..], b"H", &tls_alert, &ack, b"\0garbage and more of it"] {
            assert_eq!(open(|peer| says(peer, bytes)).await, Err(NOT_HTTP2), "{bytes:?}");
        }
        let closes = |peer| async {
            drop(peer);
            duplex(1).0
        };
        assert_eq!(open(closes).await, Err(Cause::Unreachable("closed")));
    }

    #[tokio::test(start_paused = true)]
    async fn is_gone_when_the_peer_goes_away_and_when_it_closes() {
        let goaway = [0, 0, 8, GOAWAY, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for bytes in [&goaway[..], &[]] {
            let (client, mut peer) = duplex(64 * 1024);
            peer.write_all(&SETTINGS_FRAME).await.unwrap();
            let connection = Connection::over(client, &"service-a:1".parse().unwrap()).await.unwrap();
            assert!(timeout(Duration::from_secs(1), connection.gone()).await.is_err(), "gone too early");
            peer.write_all(bytes).await.unwrap();
            let _open = (!bytes.is_empty()).then_some(peer);
            timeout(Duration::from_secs(1), connection.gone()).await.expect("gone");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn is_gone_when_the_peer_takes_no_byte_for_as_long_as_keepalive_would_wait() {
        // As much as it takes until the preface is sent, and less than what follows.
        let (client, mut peer) = duplex(32);
        peer.write_all(&SETTINGS_FRAME).await.unwrap();
        let connection = Connection::over(client, &"service-a:1".parse().unwrap()).await.unwrap();
        assert!(timeout(STALLED - Duration::from_millis(10), connection.gone()).await.is_err(), "gone too early");
        timeout(Duration::from_millis(20), connection.gone()).await.expect("gone");
        assert_eq!(connection.end(), Some(Cause::ConnectionLost("no answer to keepalive")));
    }
}
