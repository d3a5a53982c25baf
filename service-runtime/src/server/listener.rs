//! A listener and what it accepts, over TCP or a Unix socket: the same to the acceptor and the workers.

use std::{
    io::{self, IoSlice},
    net::Shutdown,
    task::{Context, Poll},
    time::Duration,
};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{Interest, ReadBuf, Ready},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
};

use super::socket_file::SocketFile;
use crate::address::Address;

/// A connection that brings no byte for the first time is probed by TCP, then at the second, `PROBES` times at most. So a caller that vanished is found after 25 s, within the contract's 30, also over HTTP/1.1, which has no PING.
const SILENT: Duration = Duration::from_secs(15);
const PROBES_EVERY: Duration = Duration::from_secs(5);
const PROBES: u32 = 2;

/// Takes connections. Dropped, it refuses them.
pub(super) enum Listener {
    Tcp(TcpListener),
    /// The file is removed with it.
    Unix(UnixListener, SocketFile),
}

/// A connection that belongs to one runtime.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A connection on its way from the acceptor's runtime to a worker's.
pub(super) enum InTransit {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Listener {
    /// Errors: the runtime cannot take it.
    pub fn unix(file: SocketFile) -> io::Result<Self> {
        let listener = UnixListener::from_std(file.listener.try_clone()?)?;
        Ok(Listener::Unix(listener, file))
    }

    pub fn address(&self) -> io::Result<Address> {
        match self {
            Listener::Tcp(listener) => Ok(listener.local_addr()?.into()),
            Listener::Unix(_, file) => Ok(file.address()),
        }
    }

    pub async fn accept(&self) -> io::Result<Stream> {
        match self {
            Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| Stream::Tcp(stream)),
            Listener::Unix(listener, _) => listener.accept().await.map(|(stream, _)| Stream::Unix(stream)),
        }
    }
}

impl Stream {
    /// Sets it up, and takes it out of this runtime. Errors: its peer is gone.
    pub fn leave(self) -> io::Result<InTransit> {
        match self {
            Stream::Tcp(stream) => {
                set_up(&stream);
                stream.into_std().map(InTransit::Tcp)
            }
            Stream::Unix(stream) => stream.into_std().map(InTransit::Unix),
        }
    }
}

/// Does the same with either kind of stream.
macro_rules! either {
    ($either:expr, $stream:ident => $then:expr) => {
        match $either {
            Stream::Tcp($stream) => $then,
            Stream::Unix($stream) => $then,
        }
    };
}

/// What Tokio has for a stream that is shared: for [`Socket`](super::socket::Socket).
impl Stream {
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        either!(self, stream => stream.ready(interest).await)
    }

    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_read_ready(cx))
    }

    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_write_ready(cx))
    }

    pub fn try_io<R>(&self, interest: Interest, io: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        either!(self, stream => stream.try_io(interest, io))
    }

    pub fn try_read_buf(&self, buf: &mut ReadBuf<'_>) -> io::Result<usize> {
        either!(self, stream => stream.try_read_buf(buf))
    }

    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        either!(self, stream => stream.try_write(buf))
    }

    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        either!(self, stream => stream.try_write_vectored(bufs))
    }

    pub fn shut_down_writing(&self) -> io::Result<()> {
        either!(self, stream => SockRef::from(stream).shutdown(Shutdown::Write))
    }
}

impl InTransit {
    /// The connection in the runtime that this is called in.
    pub fn arrive(self) -> io::Result<Stream> {
        match self {
            InTransit::Tcp(stream) => TcpStream::from_std(stream).map(Stream::Tcp),
            InTransit::Unix(stream) => UnixStream::from_std(stream).map(Stream::Unix),
        }
    }
}

/// Without these a connection still works; a socket that refuses them has lost its peer already.
fn set_up(stream: &TcpStream) {
    // An answer is small and complete: waiting for more to send (Nagle) would cost 40 ms.
    let _ = stream.set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(SILENT).with_interval(PROBES_EVERY).with_retries(PROBES);
    let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn finds_a_peer_that_vanished_within_thirty_seconds() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (peer, accepted) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let (_peer, (stream, _)) = (peer.unwrap(), accepted.unwrap());
        set_up(&stream);
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
        let (silent, every) = (socket.tcp_keepalive_time().unwrap(), socket.tcp_keepalive_interval().unwrap());
        assert_eq!(silent + every * socket.tcp_keepalive_retries().unwrap(), Duration::from_secs(25));
    }
}
