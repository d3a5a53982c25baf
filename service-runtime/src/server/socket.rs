//! The socket of a connection: hyper reads and writes it, and at the same time it tells when the peer resets the connection.
//!
//! Over HTTP/1.1 hyper reads nothing while a handler works, so that a peer may close its sending half after a whole request (FIN)
//! and still be answered. It then sees no reset either; the event loop does, whether or not anybody reads.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, Interest, ReadBuf};

use super::listener::Stream;

/// A byte stream that tells when its peer has reset it.
pub trait Resets {
    /// Returns once the connection is broken: reset by its peer, or given up by the kernel because the peer vanished. A peer that
    /// has only said that it sends no more (FIN) is still there.
    fn reset(&self) -> impl Future<Output = ()> + Send + 'static;
}

/// Shared by the one who reads and writes, and the one who waits for the reset.
pub(super) struct Socket(Arc<Stream>);

impl Socket {
    pub fn new(stream: Stream) -> Self {
        Socket(Arc::new(stream))
    }
}

impl Resets for Socket {
    fn reset(&self) -> impl Future<Output = ()> + Send + 'static {
        let stream = self.0.clone();
        // An error of its own is the end of the runtime.
        async move { drop(stream.ready(Interest::ERROR).await) }
    }
}

/// In memory there is no reset: a peer that is gone has closed both directions.
impl Resets for DuplexStream {
    fn reset(&self) -> impl Future<Output = ()> + Send + 'static {
        std::future::pending()
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            let room = buf.remaining();
            let mut has_read = false;
            let tried = self.0.try_io(Interest::READABLE, || {
                let length = self.0.try_read_buf(buf)?;
                has_read = true;
                // Less than there was room for: the kernel has no more, and need not be asked again before its next event. To say
                // so takes this error. Tokio's own `poll_read`, which is not for a shared socket, saves the same system call.
                if 0 < length && length < room { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
            });
            match tried {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && !has_read => {}
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Poll::Ready(Err(error)),
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl Socket {
    fn poll_try_write(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&Stream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match write(&self.0) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_try_write(cx, |stream| stream.try_write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_try_write(cx, |stream| stream.try_write_vectored(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// What is written goes to the kernel at once.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0.shut_down_writing() {
            // Its peer was faster.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            done => Poll::Ready(done),
        }
    }
}
