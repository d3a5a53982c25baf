//! The end of a connection over HTTP/1.1 that this server closes: its peer is read on for a while, so that it can read its answer.
//!
//! A socket that is closed with bytes unread, or to which more bytes come, resets its connection, and the reset may destroy an answer
//! that the peer has not read yet.

use std::{
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    time::{Sleep, sleep},
};

/// The longest time, and the most bytes. A peer has to send what this process reads: it costs both of them the same.
const LONGEST: Duration = Duration::from_secs(2);
const MOST: usize = 16 * 1024 * 1024;
/// What is read at a time, and before other tasks have a turn, in bytes.
const READ: usize = 4 * 1024;
const READS: usize = 4;

/// What is still read of a peer that is told nothing more.
pub(super) struct Linger {
    until: Pin<Box<Sleep>>,
    may_read: usize,
    /// Whether more is to come, or was read.
    waits: bool,
}

impl Linger {
    /// `owes` tells whether the peer is in the middle of something. Otherwise only what is there already is read.
    pub fn new(owes: bool) -> Self {
        Linger { until: Box::pin(sleep(LONGEST)), may_read: MOST, waits: owes }
    }

    /// Ready once the peer has closed its end, or was waited for long enough.
    pub fn poll(&mut self, io: &mut (impl AsyncRead + Unpin), cx: &mut Context<'_>) -> Poll<()> {
        let mut room = [MaybeUninit::uninit(); READ];
        for _ in 0..READS {
            let mut part = ReadBuf::uninit(&mut room);
            match Pin::new(&mut *io).poll_read(cx, &mut part) {
                Poll::Pending if self.waits => return self.until.as_mut().poll(cx),
                Poll::Ready(Ok(())) if !part.filled().is_empty() => {}
                // It is done, or gone; or nothing is there and nothing is owed, as at the end of most connections.
                _ => return Poll::Ready(()),
            }
            self.waits = true;
            self.may_read = self.may_read.saturating_sub(part.filled().len());
            if self.may_read == 0 {
                return Poll::Ready(());
            }
        }
        cx.waker().wake_by_ref();
        self.until.as_mut().poll(cx)
    }
}
