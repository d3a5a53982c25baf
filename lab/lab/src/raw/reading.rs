//! What comes back on a connection, and what is done about it.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Buf;
use hostile_peer::frame::{self, Frame};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant as Deadline, sleep, timeout_at},
};

use super::{call::Ended, connection::RawConnection};

/// How long is waited for an answer, or for that to a PING.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

impl RawConnection {
    /// Returns once the peer has read all that was sent: frames keep their order, and it has answered a PING behind them.
    ///
    /// Errors: it does not.
    pub async fn heard(&mut self) -> anyhow::Result<()> {
        let mut out = Vec::new();
        frame::put(&mut out, frame::PING, 0, 0, b"are you?");
        self.stream.write_all(&out).await?;
        let before = self.pongs;
        let until = Deadline::now() + ANSWER_TIMEOUT;
        while self.pongs == before {
            timeout_at(until, self.next()).await.context("no answer to a PING")??.context("closed")?;
        }
        Ok(())
    }

    /// Returns once every call has ended. Errors: the connection ended before, or one takes longer than 10 s.
    pub async fn answered(&mut self) -> anyhow::Result<()> {
        let until = Deadline::now() + ANSWER_TIMEOUT;
        while self.calls.iter().any(|call| call.ended.is_none()) {
            timeout_at(until, self.next()).await.context("no answer")??.context("closed")?;
        }
        Ok(())
    }

    /// Reads what comes for that time; false if the peer closes the connection meanwhile. Errors: it was reset.
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

    /// Reads what comes until the peer closes the connection, at most for `within`, and says what became of all.
    pub async fn ended(mut self, within: Duration) -> Ended {
        let until = Deadline::now() + within;
        let closed = loop {
            match timeout_at(until, self.next()).await {
                Ok(Ok(Some(_))) => continue,
                Ok(Ok(None) | Err(_)) => break true,
                Err(_) => break false,
            }
        };
        let RawConnection { calls, goaways, heard, .. } = self;
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
            frame::PING if self.config.answers_pings => self.put(frame::PING, frame::ACK, 0, &frame.payload).await,
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
        let Some(pause) = self.config.pause.filter(|_| !data.payload.is_empty()) else { return };
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
