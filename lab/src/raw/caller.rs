//! One connection, and the calls on it.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant as Deadline, sleep, timeout_at},
};

use super::{
    call::{Call, Ended, exchange},
    frame::{self, Frame},
};

/// The window that every stream has where nobody says otherwise (RFC 9113, 6.5.2).
const WINDOW: u32 = 65_535;
/// What does not come within that does not come.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the caller behaves.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// It answers a PING.
    pub answers_pings: bool,
    /// So many bytes of an answer may come at a time.
    pub window: u32,
    /// It reads so many bytes, and then nothing for so long; `None` reads no more than the window.
    pub pause: Option<Duration>,
}

impl Manners {
    /// As they should be.
    pub const GOOD: Manners = Manners { answers_pings: true, window: WINDOW, pause: Some(Duration::ZERO) };
    /// Never answers a PING.
    pub const DEAF: Manners = Manners { answers_pings: false, ..Manners::GOOD };
}

/// One connection.
pub struct Caller {
    stream: TcpStream,
    incoming: BytesMut,
    manners: Manners,
    next_stream: u32,
    calls: Vec<Call>,
    goaways: Vec<u32>,
    heard: bool,
    pongs: usize,
    resets: usize,
}

impl Caller {
    /// Connects, and sends the preface; does not wait for the peer's. Errors: nobody takes the connection.
    pub async fn connect(to: SocketAddr, manners: Manners) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        stream.write_all(&frame::opening(manners.window)).await?;
        Ok(Caller {
            stream,
            incoming: BytesMut::new(),
            manners,
            next_stream: 1,
            calls: Vec::new(),
            goaways: Vec::new(),
            heard: false,
            pongs: 0,
            resets: 0,
        })
    }

    /// Calls the method of `service` with this text; returns once the system has all of it. Errors: the connection is gone.
    pub async fn call(&mut self, service: &str, msg: &str, headers: &[(&str, &str)]) -> anyhow::Result<()> {
        let (path, request, answer) = exchange(service, msg);
        let stream = self.take_stream();
        let mut out = Vec::new();
        frame::put_headers(&mut out, stream, path, headers);
        frame::put_message(&mut out, stream, &request);
        self.stream.write_all(&out).await?;
        self.calls.push(Call::new(stream, &answer));
        Ok(())
    }

    /// Begins so many calls at once, whatever the peer allows, and never sends their messages. Errors: the connection is gone.
    pub async fn only_begin(&mut self, service: &str, calls: usize) -> anyhow::Result<()> {
        let (path, ..) = exchange(service, "");
        let mut out = Vec::new();
        for _ in 0..calls {
            frame::put_headers(&mut out, self.take_stream(), path, &[]);
        }
        Ok(self.stream.write_all(&out).await?)
    }

    /// Cancels the last call. Errors: the connection is gone.
    pub async fn cancel(&mut self) -> anyhow::Result<()> {
        let Some(call) = self.calls.pop() else { return Ok(()) };
        let mut out = Vec::new();
        frame::put(&mut out, frame::RST_STREAM, 0, call.stream, &frame::CANCEL.to_be_bytes());
        Ok(self.stream.write_all(&out).await?)
    }

    fn take_stream(&mut self) -> u32 {
        self.next_stream += 2;
        self.next_stream - 2
    }

    /// Returns once the peer has read all that was sent: frames keep their order, and it has answered a PING behind them.
    ///
    /// Errors: it does not.
    pub async fn heard(&mut self) -> anyhow::Result<()> {
        let mut out = Vec::new();
        frame::put(&mut out, frame::PING, 0, 0, b"are you?");
        self.stream.write_all(&out).await?;
        let (before, until) = (self.pongs, Deadline::now() + PATIENCE);
        while self.pongs == before {
            timeout_at(until, self.next()).await.context("no answer to a PING")??.context("closed")?;
        }
        Ok(())
    }

    /// Returns once every call has ended. Errors: the connection ended before, or patience.
    pub async fn answered(&mut self) -> anyhow::Result<()> {
        let until = Deadline::now() + PATIENCE;
        while self.calls.iter().any(|call| call.ended.is_none()) {
            timeout_at(until, self.next()).await.context("no answer")??.context("closed")?;
        }
        Ok(())
    }

    /// Reads what comes for so long; false if the peer closes the connection meanwhile. Errors: it was reset.
    pub async fn read_for(&mut self, time: Duration) -> anyhow::Result<bool> {
        let until = Deadline::now() + time;
        loop {
            while let Some(frame) = self.take().await? {
                drop(frame);
            }
            let Ok(read) = timeout_at(until, self.stream.read_buf(&mut self.incoming)).await else { return Ok(true) };
            if read? == 0 {
                return Ok(false);
            }
        }
    }

    /// How many streams the peer has reset.
    pub fn resets(&self) -> usize {
        self.resets
    }

    /// The peer has said that it takes no more streams.
    pub fn is_told_to_go(&self) -> bool {
        !self.goaways.is_empty()
    }

    /// Reads what comes until the peer closes the connection, at most for so long, and says what became of all.
    pub async fn ended(mut self, patience: Duration) -> Ended {
        let until = Deadline::now() + patience;
        let closed = loop {
            match timeout_at(until, self.next()).await {
                Ok(Ok(Some(_))) => continue,
                Ok(Ok(None) | Err(_)) => break true,
                Err(_) => break false,
            }
        };
        let Caller { calls, goaways, heard, .. } = self;
        Ended { calls, goaways, heard, at: Instant::now(), closed }
    }

    /// The next frame, which has been taken care of; `None` at the end. Errors: the connection was reset.
    ///
    /// Dropped meanwhile, it loses nothing that has come, but may have taken care of a frame only in part.
    pub async fn next(&mut self) -> anyhow::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.take().await? {
                return Ok(Some(frame));
            }
            if self.stream.read_buf(&mut self.incoming).await? == 0 {
                return Ok(None);
            }
        }
    }

    async fn take(&mut self) -> anyhow::Result<Option<Frame>> {
        let Some(frame) = frame::take(&mut self.incoming)? else { return Ok(None) };
        self.heard = true;
        self.take_care_of(&frame).await?;
        Ok(Some(frame))
    }

    async fn take_care_of(&mut self, frame: &Frame) -> anyhow::Result<()> {
        let is_answer = frame.flags & frame::ACK != 0;
        match frame.kind {
            frame::SETTINGS if !is_answer => self.put(frame::SETTINGS, frame::ACK, 0, &[]).await,
            frame::PING if is_answer => self.pongs += 1,
            frame::PING if self.manners.answers_pings => self.put(frame::PING, frame::ACK, 0, &frame.payload).await,
            frame::GOAWAY => self.goaways.push((&frame.payload[..]).try_get_u32()? & (u32::MAX >> 1)),
            frame::DATA | frame::HEADERS | frame::RST_STREAM => self.note(frame),
            _ => {}
        }
        if frame.kind == frame::DATA {
            self.make_room(frame).await;
        }
        Ok(())
    }

    fn note(&mut self, frame: &Frame) {
        self.resets += usize::from(frame.kind == frame::RST_STREAM);
        let Some(call) = self.calls.iter_mut().find(|call| call.stream == frame.stream) else { return };
        match frame.kind {
            frame::DATA => call.answer.extend_from_slice(&frame.payload),
            // After a whole answer it may come too, and says only that the peer reads no more.
            frame::RST_STREAM if call.ended.is_none() => call.reset = (&frame.payload[..]).try_get_u32().ok(),
            _ => {}
        }
        if frame.kind == frame::RST_STREAM || frame.flags & frame::END_STREAM != 0 {
            call.ended.get_or_insert_with(Instant::now);
        }
    }

    /// Lets as many bytes come as came, after the pause, if it reads on at all.
    async fn make_room(&mut self, data: &Frame) {
        let Some(pause) = self.manners.pause.filter(|_| !data.payload.is_empty()) else { return };
        if !pause.is_zero() {
            sleep(pause).await;
        }
        let more = (data.payload.len() as u32).to_be_bytes();
        self.put(frame::WINDOW_UPDATE, 0, 0, &more).await;
        if data.flags & frame::END_STREAM == 0 {
            self.put(frame::WINDOW_UPDATE, 0, data.stream, &more).await;
        }
    }

    /// Where the peer has gone meanwhile, there may still be something to read.
    async fn put(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let mut out = Vec::new();
        frame::put(&mut out, kind, flags, stream, payload);
        let _ = self.stream.write_all(&out).await;
    }
}
