//! What happens on one connection, without the bytes: frames go in, steps are played, output is collected.

use std::collections::BTreeMap;

use bytes::{Buf, BytesMut};
use tokio::time::Instant;

use crate::{
    frame::{self, Frame, NotHttp2, PREFACE},
    server::{
        end::End,
        role::Role,
        step::{Body, Last, Opening, Pings, Step},
        stream::Stream,
    },
};

/// Every window, until a peer says something else.
const WINDOW: i64 = 65_535;

const NO_ERROR: u32 = 0;
const ENHANCE_YOUR_CALM: u32 = 11;
/// What gRPC servers add to it where it is the PINGs that are too many (gRFC A8).
const TOO_MANY_PINGS: &[u8] = b"too_many_pings";

pub(crate) struct Session<'a> {
    role: &'a Role,
    streams: BTreeMap<u32, Stream>,
    /// What waits to be written.
    pub out: BytesMut,
    greeted: bool,
    gives_windows: bool,
    /// A frame was begun, and whatever came next would be taken for the rest of it.
    mute: bool,
    /// The last call's stream: HEADERS of an earlier one are no call, but a request's trailers.
    newest: u32,
    /// How much DATA the client takes now, on the connection and on a new stream.
    window: i64,
    initial_window: i64,
    /// The limit of calls that the client was told last.
    told_limit: Option<u32>,
    /// Its first answer to SETTINGS is for the greeting.
    knows_greeting: bool,
    answered: usize,
    leaving: Option<Leaving>,
}

/// How a connection ends that the peer has said goodbye to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    /// With the last of the calls that it has.
    AfterCalls,
    Now,
}

impl<'a> Session<'a> {
    pub(crate) fn new(role: &'a Role, opening: &Opening) -> Self {
        Session {
            role,
            streams: BTreeMap::new(),
            out: BytesMut::new(),
            greeted: false,
            gives_windows: opening.gives_windows,
            mute: false,
            newest: 0,
            window: WINDOW,
            initial_window: WINDOW,
            told_limit: opening.stream_limit,
            knows_greeting: false,
            answered: 0,
            leaving: None,
        }
    }

    /// Takes what has arrived as a whole. Errors: it is not HTTP/2.
    pub(crate) fn receive(&mut self, incoming: &mut BytesMut) -> Result<(), NotHttp2> {
        if !self.greeted {
            if incoming.len() < PREFACE.len() {
                return Ok(());
            }
            if !incoming.starts_with(PREFACE) {
                return Err(NotHttp2);
            }
            incoming.advance(PREFACE.len());
            self.greeted = true;
        }
        while let Some(frame) = frame::take(incoming)? {
            let written = self.out.len();
            self.frame(frame);
            if self.mute {
                self.out.truncate(written);
            }
        }
        Ok(())
    }

    fn frame(&mut self, frame: Frame) {
        match (frame.kind, frame.flags & frame::ACK) {
            (frame::HEADERS, _) => self.headers(&frame),
            (frame::DATA, _) => self.data(frame),
            (frame::RST_STREAM, _) => self.cancel(frame.stream),
            (frame::SETTINGS, 0) => self.settings(frame.payload),
            (frame::SETTINGS, _) => self.acknowledged(),
            (frame::PING, 0) => self.ping(&frame),
            (frame::WINDOW_UPDATE, _) => self.window_update(&frame),
            // The rest of a header block, which no script looks at; GOAWAY.
            _ => {}
        }
    }

    fn headers(&mut self, frame: &Frame) {
        // Above the last stream of a GOAWAY nothing is looked at (RFC 9113, 6.8).
        if frame.stream > self.newest && self.leaving.is_none() {
            self.newest = frame.stream;
            let (call, when) = self.role.called();
            self.streams.insert(frame.stream, Stream::new(call, when, self.initial_window));
        }
        if let (true, Some(stream)) = (frame.flags & frame::END_STREAM != 0, self.streams.get_mut(&frame.stream)) {
            stream.request_ends();
        }
    }

    fn data(&mut self, frame: Frame) {
        let id = frame.stream;
        let length = frame.payload.len() as u32;
        let ends = frame.flags & frame::END_STREAM != 0;
        if length > 0 {
            frame::put(&mut self.out, frame::WINDOW_UPDATE, 0, 0, &length.to_be_bytes());
        }
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.request_data(frame);
        if ends {
            stream.request_ends();
        } else if length > 0 && self.gives_windows {
            frame::put(&mut self.out, frame::WINDOW_UPDATE, 0, id, &length.to_be_bytes());
        }
    }

    fn cancel(&mut self, id: u32) {
        // Of a call that is over, it is no news.
        if self.streams.remove(&id).is_some() {
            self.role.cancelled();
        }
    }

    fn settings(&mut self, mut payload: impl Buf) {
        while payload.remaining() >= 6 {
            let name = payload.get_u16();
            let value = i64::from(payload.get_u32());
            if name == frame::INITIAL_WINDOW_SIZE {
                self.streams.values_mut().for_each(|stream| stream.window += value - self.initial_window);
                self.initial_window = value;
            }
        }
        frame::put(&mut self.out, frame::SETTINGS, frame::ACK, 0, &[]);
    }

    fn acknowledged(&mut self) {
        if std::mem::replace(&mut self.knows_greeting, true) {
            self.role.limit_known();
        }
    }

    /// The limit of calls may have changed.
    pub(crate) fn tell_limit(&mut self) {
        let limit = self.role.stream_limit();
        if limit != self.told_limit && !self.mute {
            self.told_limit = limit;
            frame::put_settings(&mut self.out, &[(frame::MAX_CONCURRENT_STREAMS, limit.unwrap_or(u32::MAX))]);
        }
    }

    fn ping(&mut self, frame: &Frame) {
        match self.role.pinged() {
            Pings::Answered => frame::put(&mut self.out, frame::PING, frame::ACK, 0, &frame.payload),
            Pings::Ignored => {}
            Pings::TooMany => {
                self.go_away(self.newest, ENHANCE_YOUR_CALM, TOO_MANY_PINGS);
                self.leaving = Some(Leaving::Now);
            }
        }
    }

    fn window_update(&mut self, frame: &Frame) {
        let Some(mut increment) = frame.payload.get(..4) else { return };
        let increment = i64::from(increment.get_u32());
        if frame.stream == 0 {
            self.window += increment;
        } else if let Some(stream) = self.streams.get_mut(&frame.stream) {
            stream.window += increment;
        }
    }

    /// When a step that waits can go on.
    pub(crate) fn wake(&self) -> Option<Instant> {
        self.streams.values().filter_map(|stream| stream.wake).min()
    }

    /// Plays what can be played now. Some: the connection is over once the output is written.
    pub(crate) fn play(&mut self, now: Instant) -> Option<End> {
        let ids: Vec<u32> = self.streams.keys().copied().collect();
        for id in ids {
            let Some(mut stream) = self.streams.remove(&id) else { continue };
            let end = self.play_call(id, &mut stream, now);
            if !stream.is_over() {
                self.streams.insert(id, stream);
            } else {
                self.call_is_over();
            }
            if end.is_some() {
                return end;
            }
        }
        let is_over = match self.leaving? {
            Leaving::AfterCalls => self.streams.is_empty(),
            Leaving::Now => true,
        };
        is_over.then_some(End::Close)
    }

    fn call_is_over(&mut self) {
        self.answered += 1;
        if self.leaving.is_none() && self.role.most_answers().is_some_and(|most| self.answered >= most) {
            self.go_away(self.newest, NO_ERROR, &[]);
            self.leaving = Some(Leaving::AfterCalls);
        }
    }

    fn play_call(&mut self, id: u32, stream: &mut Stream, now: Instant) -> Option<End> {
        while !self.mute && !stream.waits(now) && stream.send(id, &mut self.window, &mut self.out) {
            match stream.next()? {
                Step::Headers(fields) => frame::put_headers(&mut self.out, id, &fields, false),
                Step::Trailers(fields) => {
                    frame::put_headers(&mut self.out, id, &fields, true);
                    stream.answered = true;
                }
                Step::Data(body) => stream.say(&body),
                Step::LastData(body) => stream.say_last(&body),
                Step::Drip(body, ms) => stream.drip(body, ms),
                Step::HalfFrame(body) => self.half_frame(id, stream, &body),
                Step::ResetStream(code) => {
                    frame::put(&mut self.out, frame::RST_STREAM, 0, id, &code.to_be_bytes());
                    stream.reset = true;
                }
                Step::GoAway(last, code) => self.go_away(if last == Last::Zero { 0 } else { id }, code, &[]),
                Step::Wait(ms) => stream.wait(now, ms),
                Step::Stall => stream.stall(),
                Step::Close => return Some(End::Close),
                Step::Reset => return Some(End::Reset),
            }
        }
        None
    }

    fn half_frame(&mut self, id: u32, stream: &Stream, body: &Body) {
        let payload = stream.bytes(body);
        frame::put_head(&mut self.out, payload.len(), frame::DATA, 0, id);
        self.out.extend_from_slice(&payload[..payload.len() / 2]);
        self.mute = true;
    }

    fn go_away(&mut self, last: u32, code: u32, debug: &[u8]) {
        let payload = [&last.to_be_bytes(), &code.to_be_bytes(), debug].concat();
        frame::put(&mut self.out, frame::GOAWAY, 0, 0, &payload);
    }
}
