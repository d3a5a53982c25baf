//! A byte stream that notes what h2 does not tell: the peer's SETTINGS, answers and GOAWAY, what the socket takes, and how it ended.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use super::{
    seen::{Life, NOT_HTTP2, Seen},
    settings::Payload,
};
use crate::{
    frames::{Frames, Step},
    status::Cause,
};

/// A peer that takes no byte in this time is as dead as one that answers no probe of the kernel's (10 s and three probes). The keepalive would
/// not find out: it has no PING to send once every call that reached the connection has given up, and a PING could not be written
/// either.
pub(super) const STALLED: Duration = Duration::from_secs(13);

pub(super) struct ClientIo<IO> {
    io: IO,
    frames: Frames,
    heard: bool,
    /// The payload of a frame that is of interest.
    payload: Payload,
    /// Until when the peer has to take something, while it does not.
    stalled: Option<Pin<Box<Sleep>>>,
    seen: Arc<Seen>,
}

impl<IO> ClientIo<IO> {
    pub fn new(io: IO, seen: Arc<Seen>) -> Self {
        ClientIo { io, frames: Frames::default(), heard: false, payload: Payload::None, stalled: None, seen }
    }

    fn read(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return self.ended("closed");
        }
        self.seen.hears();
        // The first byte of a frame's length: an HTTP/1 answer, a TLS alert and most garbage have something else there.
        if !std::mem::replace(&mut self.heard, true) && bytes[0] != 0 {
            return self.ended("not HTTP/2");
        }
        let ClientIo { frames, payload, seen, .. } = self;
        frames.follow(bytes, |step| match step {
            Step::Begins => {}
            Step::Head(head) => {
                *payload = Payload::of(head);
                seen.begins(head);
                payload.take(&[], seen);
            }
            Step::Payload(bytes) => payload.take(bytes, seen),
        });
    }

    fn ended(&mut self, how: &'static str) {
        let _ = self.seen.end.set(match (*self.seen.life.borrow(), self.heard) {
            (Life::Opening, false) => Cause::Unreachable(how),
            (Life::Opening, true) => NOT_HTTP2,
            _ => Cause::ConnectionLost(how),
        });
        self.seen.life.send_replace(Life::Closed);
    }

    /// What came of writing: a reset is often seen here first, and a peer that takes nothing only here.
    fn wrote<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let result = match result {
            Poll::Ready(result) => {
                if self.stalled.take().is_some() {
                    self.seen.takes_bytes();
                }
                result
            }
            Poll::Pending => {
                let seen = &self.seen;
                let stalled = self.stalled.get_or_insert_with(|| {
                    seen.takes_nothing();
                    Box::pin(sleep(STALLED))
                });
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
