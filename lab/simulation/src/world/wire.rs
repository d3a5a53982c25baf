//! The client's end of a connection whose bytes may meet a fault.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    time::Instant,
};

use super::{
    draw::{Bytes, Fault, Kind, Way},
    streams::Streams,
};

/// A byte stream to the peer.
pub struct Wire {
    /// None once a fault has ended it: the peer sees its end then.
    io: Option<DuplexStream>,
    cable: Cable,
}

/// The same from outside: what happens to it, and what it has seen.
#[derive(Clone)]
pub struct Cable(Arc<Mutex<State>>);

pub struct State {
    piece: usize,
    fault: Option<Fault>,
    /// The fault that has happened.
    pub hit: Option<(Way, Kind)>,
    /// Of no use to a healthy network, which closes it: its peer lets no call through, or is about to end it.
    pub spoilt: bool,
    /// The peer may have stopped in the middle of a frame.
    pub mute: bool,
    pub streams: Streams,
    /// When the peer said its first word.
    pub heard: Option<Instant>,
    /// When the client let go of it.
    pub gone: Option<Instant>,
    reader: Option<Waker>,
}

/// What a fault lets through.
enum Gate {
    Open(usize),
    Ended,
    Reset,
    Stalled,
    Swallowed,
}

impl Wire {
    pub fn new(io: DuplexStream) -> (Self, Cable) {
        let (hit, heard, gone, reader) = (None, None, None, None);
        let state = State {
            piece: usize::MAX,
            fault: None,
            hit,
            spoilt: false,
            mute: false,
            streams: Streams::default(),
            heard,
            gone,
            reader,
        };
        let cable = Cable(Arc::new(Mutex::new(state)));
        (Wire { io: Some(io), cable: cable.clone() }, cable)
    }

    /// What passes now. A stream that ends lets the peer know.
    fn gate(&mut self, way: Way) -> Gate {
        let gate = self.cable.lock().gate(way);
        if matches!(gate, Gate::Ended | Gate::Reset) {
            self.io = None;
        }
        gate
    }
}

impl Cable {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// From now on.
    pub fn meets(&self, bytes: Bytes) {
        let mut state = self.lock();
        (state.piece, state.fault) = (bytes.piece, bytes.fault);
        state.wake();
    }

    pub fn reset(&self) {
        let mut state = self.lock();
        state.hit = Some((Way::Back, Kind::Reset));
        state.wake();
    }

    /// What has happened cannot be undone, but no more will.
    pub fn heal(&self) {
        let mut state = self.lock();
        (state.piece, state.fault) = (usize::MAX, None);
    }

    pub fn is_alive(&self) -> bool {
        self.lock().gone.is_none()
    }

    /// Whether it was there long enough to count as a connection.
    pub fn has_lasted(&self) -> bool {
        self.lock().heard.is_some_and(|heard| heard.elapsed() >= Duration::from_millis(200))
    }

    /// No byte comes through, and neither end is told.
    pub fn is_stuck(&self) -> bool {
        let state = self.lock();
        state.gone.is_none() && (state.mute || matches!(state.hit, Some((_, Kind::Stall | Kind::Swallow))))
    }
}

impl State {
    fn wake(&mut self) {
        self.reader.take().into_iter().for_each(Waker::wake);
    }

    fn gate(&mut self, way: Way) -> Gate {
        let due = self.fault.filter(|fault| fault.way == way && !matches!(fault.kind, Kind::Corrupt(_)));
        if let (None, Some(Fault { after: 0, kind, .. })) = (self.hit, due) {
            self.hit = Some((way, kind));
            self.fault = None;
        }
        match self.hit {
            Some((_, Kind::Close)) => Gate::Ended,
            Some((_, Kind::Reset)) => Gate::Reset,
            Some((on, Kind::Stall)) if on == way => Gate::Stalled,
            Some((on, Kind::Swallow)) if on == way => Gate::Swallowed,
            _ => Gate::Open(due.map_or(self.piece, |fault| fault.after.min(self.piece))),
        }
    }

    /// What becomes of these bytes.
    fn alter(&self, way: Way, bytes: &mut [u8]) {
        if let Some(Fault { after, kind: Kind::Corrupt(by), .. }) = self.fault.filter(|fault| fault.way == way)
            && let Some(byte) = bytes.get_mut(after)
        {
            *byte ^= by;
        }
    }

    /// These bytes have come through.
    fn passed(&mut self, way: Way, bytes: &[u8]) {
        if let Some(fault) = self.fault.as_mut().filter(|fault| fault.way == way) {
            if matches!(fault.kind, Kind::Corrupt(_)) && fault.after < bytes.len() {
                self.hit = self.hit.or(Some((way, fault.kind)));
                self.fault = None;
            } else {
                fault.after -= bytes.len();
            }
        }
        if way == Way::Back && !bytes.is_empty() {
            self.heard.get_or_insert_with(Instant::now);
        }
        self.streams.follow(way, bytes);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.cable.lock().gone = Some(Instant::now());
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.cable.lock().reader = Some(cx.waker().clone());
        let most = match self.gate(Way::Back) {
            Gate::Open(most) => most,
            Gate::Ended => return Poll::Ready(Ok(())),
            Gate::Reset => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Gate::Stalled | Gate::Swallowed => return Poll::Pending,
        };
        let mut bytes = [0; 4096];
        let most = most.min(buf.remaining()).min(bytes.len());
        let mut part = ReadBuf::new(&mut bytes[..most]);
        let io = self.io.as_mut().expect("open");
        ready!(Pin::new(io).poll_read(cx, &mut part))?;
        self.cable.lock().alter(Way::Back, part.filled_mut());
        self.cable.lock().passed(Way::Back, part.filled());
        buf.put_slice(part.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let most = match self.gate(Way::Out) {
            Gate::Open(most) => most,
            Gate::Ended => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Gate::Reset => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Gate::Stalled => return Poll::Pending,
            Gate::Swallowed => return Poll::Ready(Ok(buf.len())),
        };
        let mut bytes = buf[..most.min(buf.len())].to_vec();
        self.cable.lock().alter(Way::Out, &mut bytes);
        let io = self.io.as_mut().expect("open");
        let written = ready!(Pin::new(io).poll_write(cx, &bytes))?;
        self.cable.lock().passed(Way::Out, &bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.as_mut().map_or(Poll::Ready(Ok(())), |io| Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.as_mut().map_or(Poll::Ready(Ok(())), |io| Pin::new(io).poll_shutdown(cx))
    }
}
