//! One call: what has come of the request, and what is left to do.

use std::{collections::VecDeque, time::Duration};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::time::Instant;

use crate::{
    frame::{self, Frame, MAX_FRAME_SIZE, MESSAGE_HEAD},
    server::{
        step::{Body, Call, Step, When},
        table,
    },
};

pub(crate) struct Stream {
    request: BytesMut,
    request_is_whole: bool,
    steps: VecDeque<Step>,
    starts: bool,
    /// DATA that waits for the client's windows, and whether END_STREAM goes with the last of it.
    unsent: Bytes,
    last: bool,
    /// How much DATA the client takes now.
    pub window: i64,
    pub wake: Option<Instant>,
    /// END_STREAM was sent.
    pub answered: bool,
    /// RST_STREAM was sent.
    pub reset: bool,
}

impl Stream {
    pub(crate) fn new(call: Call, when: When, window: i64) -> Self {
        let steps = match call {
            Call::Echo => table::parts::answer(),
            Call::Steps(steps) => steps,
        };
        Stream {
            request: BytesMut::new(),
            request_is_whole: false,
            steps: steps.into(),
            starts: when == When::Headers,
            unsent: Bytes::new(),
            last: false,
            window,
            wake: None,
            answered: false,
            reset: false,
        }
    }

    pub(crate) fn request_data(&mut self, frame: Frame) {
        let mut data = frame.payload;
        if frame.flags & frame::PADDED != 0 && data.has_remaining() {
            let padding = usize::from(data.get_u8());
            data.truncate(data.len().saturating_sub(padding));
        }
        self.request.put(data);
    }

    pub(crate) fn request_ends(&mut self) {
        self.request_is_whole = true;
        self.starts = true;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.reset && self.steps.is_empty() || self.answered && self.steps.is_empty() && self.request_is_whole
    }

    /// The next step, if its time has come.
    pub(crate) fn next(&mut self) -> Option<Step> {
        if self.starts { self.steps.pop_front() } else { None }
    }

    /// Whether it still waits.
    pub(crate) fn waits(&mut self, now: Instant) -> bool {
        self.wake = self.wake.filter(|wake| *wake > now);
        self.wake.is_some()
    }

    pub(crate) fn wait(&mut self, now: Instant, ms: u64) {
        self.wake = Some(now + Duration::from_millis(ms));
    }

    pub(crate) fn stall(&mut self) {
        self.steps.clear();
    }

    pub(crate) fn say(&mut self, body: &Body) {
        self.unsent = self.bytes(body);
    }

    pub(crate) fn say_last(&mut self, body: &Body) {
        self.say(body);
        self.last = true;
    }

    /// Says it, and will again.
    pub(crate) fn drip(&mut self, body: Body, ms: u64) {
        self.say(&body);
        self.steps.push_front(Step::Drip(body, ms));
        self.steps.push_front(Step::Wait(ms));
    }

    /// Sends what the client's windows let through. True: nothing is left.
    pub(crate) fn send(&mut self, id: u32, connection_window: &mut i64, out: &mut BytesMut) -> bool {
        while !self.unsent.is_empty() {
            let window = self.window.min(*connection_window);
            let room = usize::try_from(window).unwrap_or(0).min(MAX_FRAME_SIZE).min(self.unsent.len());
            if room == 0 {
                return false;
            }
            let part = self.unsent.split_to(room);
            self.answered = self.last && self.unsent.is_empty();
            frame::put(out, frame::DATA, if self.answered { frame::END_STREAM } else { 0 }, id, &part);
            self.window -= room as i64;
            *connection_window -= room as i64;
        }
        true
    }

    /// A body as bytes, now that the request is known.
    pub(crate) fn bytes(&self, body: &Body) -> Bytes {
        let echo = self.message();
        match body {
            Body::Echo => framed(0, echo.len(), echo),
            Body::Flagged(flag) => framed(*flag, echo.len(), echo),
            Body::HalfEcho => {
                let whole = framed(0, echo.len(), echo);
                whole.slice(..whole.len() / 2)
            }
            Body::Overstated => framed(0, echo.len() + 10, echo),
            Body::Message(message) => framed(0, message.len(), message),
            Body::Raw(bytes) => Bytes::copy_from_slice(bytes),
        }
    }

    /// The request's message, or nothing where there is none.
    fn message(&self) -> &[u8] {
        let Some(mut prefix) = self.request.get(1..MESSAGE_HEAD) else { return &[] };
        let end = MESSAGE_HEAD + prefix.get_u32() as usize;
        &self.request[MESSAGE_HEAD..end.min(self.request.len())]
    }
}

/// The message behind a head that announces `length` bytes.
fn framed(flag: u8, length: usize, message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(MESSAGE_HEAD + message.len());
    frame::put_message_head(&mut framed, flag, length);
    framed.put_slice(message);
    framed.freeze()
}
