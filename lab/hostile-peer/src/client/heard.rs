//! What the server has said on one connection, whichever HTTP it speaks.

use std::collections::BTreeMap;

use bytes::{Buf, BytesMut};

use super::{answer::Answer, http1, reaction::End};
use crate::{
    frame::{self, Frame},
    hpack,
};

/// Everything so far. HTTP/1.1 has no streams: its first answer is that of stream 1, its second that of 3, and so on.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub answers: BTreeMap<u32, Answer>,
    /// Its SETTINGS have come, so it is an HTTP/2 server.
    pub settings: bool,
    /// The error code of its GOAWAY.
    pub goaway: Option<u32>,
    /// The debug data of its GOAWAY.
    pub goaway_debug: String,
    pub end: Option<End>,
    decoder: hpack::Decoder,
    /// The header block that is not whole yet.
    block: BytesMut,
    /// Whether the stream ends with that.
    last: bool,
}

impl Heard {
    /// Takes what has arrived as a whole. What a client that behaves answers to it goes to `replies`.
    pub(crate) fn take(&mut self, incoming: &mut BytesMut, replies: &mut BytesMut) {
        if incoming.starts_with(b"HTTP/") {
            return self.take_http1(incoming);
        }
        // Something else than HTTP is taken for nothing, until it closes.
        while let Ok(Some(frame)) = frame::take(incoming) {
            self.frame(&frame, replies);
        }
    }

    fn take_http1(&mut self, incoming: &mut BytesMut) {
        loop {
            let mut reading = http1::Reading::default();
            let whole = reading.take(incoming);
            let next = self.answers.iter().find(|(_, answer)| !answer.whole).map(|(stream, _)| *stream);
            let next = next.unwrap_or_else(|| self.answers.keys().last().map_or(1, |last| last + 2));
            if let Some(answer) = reading.answer {
                self.answers.insert(next, answer);
            }
            if !whole {
                return;
            }
        }
    }

    /// No more will come. An answer of HTTP/1.1 without a length ends with that.
    pub(crate) fn ends(&mut self, end: End) {
        self.end = Some(end);
        if !self.settings && end == End::Closed {
            let no_length = |answer: &&mut Answer| answer.status != 0 && answer.field("content-length").is_none();
            self.answers.values_mut().filter(no_length).for_each(|answer| answer.whole = true);
        }
    }

    fn frame(&mut self, frame: &Frame, replies: &mut BytesMut) {
        match (frame.kind, frame.flags & frame::ACK) {
            (frame::SETTINGS, 0) => {
                self.settings = true;
                frame::put(replies, frame::SETTINGS, frame::ACK, 0, &[]);
            }
            (frame::PING, 0) => frame::put(replies, frame::PING, frame::ACK, 0, &frame.payload),
            (frame::HEADERS, _) => {
                self.last = frame.flags & frame::END_STREAM != 0;
                self.headers(frame);
            }
            (frame::CONTINUATION, _) => self.headers(frame),
            (frame::DATA, _) => {
                let answer = self.answers.entry(frame.stream).or_default();
                answer.body.extend_from_slice(&frame.payload);
                answer.whole |= frame.flags & frame::END_STREAM != 0;
            }
            (frame::RST_STREAM, _) => self.answers.entry(frame.stream).or_default().reset = code(&frame.payload),
            // The last stream comes first. A second GOAWAY is the one that counts.
            (frame::GOAWAY, _) => {
                self.goaway = frame.payload.get(4..).and_then(code).or(self.goaway);
                let debug = frame.payload.get(8..).unwrap_or_default();
                self.goaway_debug = String::from_utf8_lossy(debug).into_owned();
            }
            _ => {}
        }
    }

    fn headers(&mut self, frame: &Frame) {
        self.block.extend_from_slice(&frame.payload);
        if frame.flags & frame::END_HEADERS == 0 {
            return;
        }
        let fields = self.decoder.read(&self.block.split()).unwrap_or_default();
        let answer = self.answers.entry(frame.stream).or_default();
        let status = fields.iter().find(|(name, _)| name == ":status").and_then(|(_, status)| status.parse().ok());
        answer.status = status.unwrap_or(answer.status);
        answer.fields.extend(fields);
        answer.whole |= self.last;
    }
}

fn code(mut payload: &[u8]) -> Option<u32> {
    (payload.len() >= 4).then(|| payload.get_u32())
}
