//! The server's end of a byte stream. It notes what goes over it, for hyper shows none of that, reads a peer slowly that sends many
//! frames which are no calls, and ends where the peer floods.

use std::{
    io::{self, IoSlice},
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
    calls::Calls,
    flood::{Flood, Pace},
    linger::Linger,
};
use crate::frames::GOAWAY;

/// GOAWAY's word for a flood. Source: RFC 9113, 7.
const ENHANCE_YOUR_CALM: u32 = 11;

/// What is read, in bytes, before the other tasks of the worker have a turn: the calls of this connection, which take what was
/// read, and other connections. In it are some two hundred calls at most: hyper starts all that have come before it lets go of
/// the thread, and it reads on after each.
const TURN: usize = 16 * 1024;
/// What is read at a time, in bytes, of a peer whose flood budget runs low, and the pause between two reads: some fifty calls at
/// most, which take a fraction of that time.
const SLOW_READ: usize = 1536;
const PAUSE: Duration = Duration::from_millis(1);

/// Above TLS, below hyper.
pub(super) struct ServerIo<IO> {
    io: IO,
    calls: Arc<Calls>,
    /// The peer is read slowly, and this is the time between two reads.
    pause: Option<Pin<Box<Sleep>>>,
    flood: Option<Flood>,
    /// The end of a connection over HTTP/1.1, once it has begun.
    linger: Option<Linger>,
}

impl<IO: AsyncWrite + Unpin> ServerIo<IO> {
    pub fn new(io: IO, calls: Arc<Calls>) -> Self {
        ServerIo { io, calls, pause: None, flood: None, linger: None }
    }

    fn wrote<'a>(&mut self, bytes: impl Iterator<Item = &'a [u8]>, result: &Poll<io::Result<usize>>) {
        let taken = if let Poll::Ready(Ok(taken)) = result { *taken } else { 0 };
        self.flood = self.flood.or(self.calls.wrote(bytes, taken, result.is_ready()).err());
    }

    /// The end of a peer that floods. It is told why, if its connection takes that at once.
    fn end(&mut self, flood: Flood, cx: &mut Context<'_>) -> io::Error {
        if let Some(last_stream) = self.calls.last_stream() {
            let _ = Pin::new(&mut self.io).poll_write(cx, &goaway(last_stream, flood.debug_data()));
        }
        io::Error::other("the peer floods")
    }
}

/// GOAWAY, ENHANCE_YOUR_CALM. Source: RFC 9113, 6.8.
fn goaway(last_stream: u32, debug_data: &'static str) -> Vec<u8> {
    let length = u8::try_from(8 + debug_data.len()).expect("the words are short");
    let head = [0, 0, length, GOAWAY, 0, 0, 0, 0, 0];
    let payload = [&last_stream.to_be_bytes()[..], &ENHANCE_YOUR_CALM.to_be_bytes(), debug_data.as_bytes()];
    [&head[..], &payload.concat()].concat()
}

impl<IO: AsyncRead + Unpin> ServerIo<IO> {
    /// Reads what there is, or a little of it.
    fn poll_some(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.pause.is_none() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(SLOW_READ.min(buf.remaining())));
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut part))?;
        let length = part.filled().len();
        buf.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for ServerIo<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.calls.read_in_this_turn() >= TURN {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
        }
        let before = buf.filled().len();
        ready!(self.poll_some(cx, buf))?;
        let bytes = &buf.filled()[before..];
        let pace = if bytes.is_empty() { Ok(Pace::Free) } else { self.calls.read(bytes) };
        self.pause = (pace == Ok(Pace::Slow)).then(|| Box::pin(sleep(PAUSE)));
        self.flood = self.flood.or(pace.err());
        Poll::Ready(self.flood.map_or(Ok(()), |flood| Err(self.end(flood, cx))))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ServerIo<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write(cx, buf);
        self.wrote(std::iter::once(buf), &result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.wrote(bufs.iter().map(|buf| &**buf), &result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ServerIo { io, calls, linger, .. } = &mut *self;
        if linger.is_none() {
            ready!(Pin::new(&mut *io).poll_shutdown(cx))?;
            if calls.is_http2() {
                return Poll::Ready(Ok(()));
            }
        }
        linger.get_or_insert_with(|| Linger::new(calls.has_begun())).poll(io, cx).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::Wake,
    };

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        time::Instant,
    };

    use super::*;
    use crate::frames::{END_HEADERS, HEADERS};

    #[tokio::test]
    async fn lets_others_have_a_turn_however_much_there_is_to_read() {
        let (mut peer, server) = duplex(4 * TURN);
        peer.write_all(&vec![0; 3 * TURN]).await.unwrap();
        let calls = Arc::new(Calls::new());
        let mut io = ServerIo::new(server, calls.clone());
        let wakes = Arc::new(Wakes::default());
        let waker = wakes.clone().into();
        let mut reads = || {
            let mut room = vec![0; TURN];
            Pin::new(&mut io).poll_read(&mut Context::from_waker(&waker), &mut ReadBuf::new(&mut room)).is_ready()
        };
        assert!(reads());
        // However often it is asked in this turn: h2 is, once for each call that has come.
        assert!(!reads() && !reads());
        assert_eq!(wakes.0.load(Ordering::Relaxed), 2);
        calls.turn_begins();
        assert!(reads());
    }

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn reads_little_at_a_time_of_a_peer_that_floods() {
        let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        let (mut peer, server) = duplex(4 * TURN);
        peer.write_all(&[&hello[..], &ping.repeat(600)].concat()).await.unwrap();
        let mut io = ServerIo::new(server, Arc::new(Calls::new()));
        let mut room = [0; TURN / 4];
        let (began, mut reads) = (Instant::now(), Vec::new());
        for _ in 0..3 {
            reads.push((io.read(&mut room).await.unwrap(), began.elapsed()));
        }
        // After the first 4 KiB it is known what comes.
        let then = |pauses| (SLOW_READ, PAUSE * pauses);
        assert_eq!(reads, [(TURN / 4, Duration::ZERO), then(1), then(2)]);
    }

    #[tokio::test]
    async fn notes_of_a_frame_what_the_peer_took_and_not_what_was_offered() {
        let calls = Arc::new(Calls::new());
        calls.read(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let (mut peer, server) = duplex(5);
        let mut io = ServerIo::new(server, calls.clone());
        let headers = [0, 0, 1, HEADERS, END_HEADERS, 0, 0, 0, 1, 0x88];
        assert_eq!(io.write(&headers).await.unwrap(), 5);
        assert_eq!(calls.unfinished(), 0);
        peer.read_exact(&mut [0; 5]).await.unwrap();
        io.write_all(&headers[5..]).await.unwrap();
        assert_eq!(calls.unfinished(), 1);
    }
}
