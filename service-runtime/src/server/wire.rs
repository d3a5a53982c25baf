//! What went over one connection so far, as far as it says who waits for whom: is the peer in the middle of something, does
//! it take its answers, does it flood?

use std::time::Duration;

use tokio::time::Instant;

use super::flood::{Flood, FloodBudget, Pace};
use crate::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frames, HEADERS, Head, RST_STREAM, SETTINGS, Step,
};

/// Streams at once on one connection.
pub const MAX_CONCURRENT_STREAMS: u32 = 100;

/// What an HTTP/2 client says first. Source: RFC 9113, 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whatever a peer has begun to send, it finishes in this time: the preface and SETTINGS, headers, any frame but DATA, for
/// which the call's own clock runs. The contract says within 10 s; half a second of it is for a busy machine.
pub const UNFINISHED: Duration = Duration::from_millis(9_500);
/// An answer is taken whole in this time, and a peer that takes no byte in this time is gone.
pub const UNREAD: Duration = Duration::from_secs(10);

/// A call that is given up after this time or later costs nothing of the flood budget: it held one of the connection's hundred places, so that there are no
/// more than 10,000 a second of them, and they were calls. Short deadlines make many.
const HELD: Duration = Duration::from_millis(10);

/// What the peer speaks; until that is known, how many bytes of the preface there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Unknown(usize),
    Http1,
    Http2,
}

/// One connection, both ways.
#[derive(Debug)]
pub struct Wire {
    protocol: Protocol,
    reads: Frames,
    writes: Frames,
    /// When the peer began with what it has not finished.
    begun: Option<Instant>,
    /// The last frame of the peer's.
    last: Option<Head>,
    /// SETTINGS have come, at least their begin.
    greeted: bool,
    /// HEADERS were not followed by their END_HEADERS yet.
    block_is_open: bool,
    /// Streams on which no answer has begun, and since when; of those that are refused at once, some.
    asking: Vec<(u32, Instant)>,
    /// Streams on which an answer has begun and not ended, and since when.
    answering: Vec<(u32, Instant)>,
    /// Since when the peer takes no byte.
    stuck: Option<Instant>,
    budget: FloodBudget,
    /// The peer's highest stream.
    pub last_stream: u32,
    /// The last bytes over HTTP/1.1, and whether the last call's request went on after its headers.
    tail: [u8; 3],
    had_body: bool,
}

impl Wire {
    pub fn new(now: Instant) -> Self {
        Wire {
            protocol: Protocol::Unknown(0),
            reads: Frames::default(),
            writes: Frames::default(),
            begun: Some(now),
            last: None,
            greeted: false,
            block_is_open: false,
            asking: Vec::new(),
            answering: Vec::new(),
            stuck: None,
            budget: FloodBudget::new(now),
            last_stream: 0,
            tail: [0; 3],
            had_body: false,
        }
    }

    /// The peer sent `bytes` while `calls` of its calls were under way. Returns how to read on.
    pub fn read(&mut self, bytes: &[u8], calls: usize, now: Instant) -> Result<Pace, Flood> {
        let frames = self.past_the_preface(bytes);
        if self.protocol == Protocol::Http2 {
            return self.read_frames(frames, now);
        }
        for byte in &bytes[bytes.len().saturating_sub(self.tail.len())..] {
            self.tail = [self.tail[1], self.tail[2], *byte];
        }
        // Over HTTP/1.1 what comes between two calls is the head of the next.
        if calls == 0 && self.begun.is_none() {
            self.begun = Some(now);
        }
        Ok(Pace::Free)
    }

    /// A call has begun: over HTTP/1.1 its headers are whole.
    pub fn call_begins(&mut self, has_body: bool) {
        if self.protocol == Protocol::Http1 {
            self.begun = None;
            self.had_body = has_body;
        }
    }

    /// A call has ended. Over HTTP/1.1 the next may have begun already, in the bytes that came with this one: heads end with an empty
    /// line, and what has come so far does not. After a body that cannot be told: its peer is taken for one that has begun.
    pub fn call_ends(&mut self, now: Instant) {
        let is_whole = !self.had_body && (self.tail == *b"\n\r\n" || self.tail.ends_with(b"\n\n"));
        if self.protocol == Protocol::Http1 && !is_whole {
            self.begun = Some(now);
        }
    }

    pub fn is_http1(&self) -> bool {
        self.protocol == Protocol::Http1
    }

    pub fn is_http2(&self) -> bool {
        self.protocol == Protocol::Http2
    }

    /// Whether the peer is in the middle of something.
    pub fn has_begun(&self) -> bool {
        self.begun.is_some()
    }

    fn past_the_preface<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Protocol::Unknown(matched) = self.protocol else { return bytes };
        let wanted = &PREFACE[matched..];
        let length = wanted.len().min(bytes.len());
        self.protocol = match bytes[..length] == wanted[..length] {
            false => Protocol::Http1,
            true if length == wanted.len() => Protocol::Http2,
            true => Protocol::Unknown(matched + length),
        };
        &bytes[length..]
    }

    fn read_frames(&mut self, bytes: &[u8], now: Instant) -> Result<Pace, Flood> {
        let Wire { reads, begun, last, greeted, block_is_open, asking, answering, budget, last_stream, .. } = self;
        let mut pace = Ok(Pace::Free);
        reads.follow(bytes, |step| match step {
            Step::Payload(_) => {}
            // The clock of a header block runs on, and so does that of the preface, to which SETTINGS belong (RFC 9113, 3.4).
            Step::Begins if *block_is_open || !*greeted => {}
            Step::Begins => *begun = Some(now),
            Step::Head(head) => {
                let mut is_free = false;
                match head.kind {
                    HEADERS | CONTINUATION => *block_is_open = !head.has(END_HEADERS),
                    SETTINGS if !head.has(ACK) => *greeted = true,
                    RST_STREAM => {
                        let was_held = remove(asking, head.stream).is_some_and(|since| now - since >= HELD);
                        // What is read slowly has waited in the socket, and only looks as if it had been held.
                        is_free = was_held && !budget.is_suspect();
                        remove(answering, head.stream);
                    }
                    _ => {}
                }
                if !is_free {
                    pace = pace.and_then(|pace| Ok(pace.max(budget.received(head, now)?)));
                }
                if head.kind == HEADERS && head.stream > *last_stream && asking.len() < MAX_CONCURRENT_STREAMS as usize
                {
                    asking.push((head.stream, now));
                }
                *last_stream = head.stream.max(*last_stream);
                *last = Some(head);
            }
        });
        let in_data = last.is_some_and(|last| last.kind == DATA) && !reads.is_in_head();
        if !*block_is_open && *greeted && (reads.is_between() || in_data) {
            *begun = None;
        }
        pace
    }

    /// `bytes` went out to the peer.
    pub fn wrote(&mut self, bytes: &[u8], now: Instant) -> Result<(), Flood> {
        let Wire { protocol: Protocol::Http2, writes, asking, answering, budget, .. } = self else {
            return Ok(());
        };
        let mut flood = Ok(());
        writes.follow(bytes, |step| {
            let Step::Head(head) = step else { return };
            flood = flood.and(budget.sent(head, now));
            if matches!(head.kind, HEADERS | RST_STREAM) {
                remove(asking, head.stream);
            }
            let ends = head.kind == RST_STREAM || matches!(head.kind, DATA | HEADERS) && head.has(END_STREAM);
            if ends {
                remove(answering, head.stream);
            } else if head.kind == HEADERS && !answering.iter().any(|(stream, _)| *stream == head.stream) {
                answering.push((head.stream, now));
            }
        });
        flood
    }

    /// The peer takes no more for now, or takes some again.
    pub fn takes_bytes(&mut self, takes: bool, now: Instant) {
        self.stuck = (!takes).then(|| self.stuck.unwrap_or(now));
    }

    /// Whether a frame of the server's own could be put in between.
    pub fn is_between_writes(&self) -> bool {
        self.protocol == Protocol::Http2 && self.writes.is_between() && self.stuck.is_none()
    }

    /// The number of answers that have begun and not ended.
    pub fn answers_under_way(&self) -> usize {
        self.answering.len()
    }

    /// Whether all that was written has gone out.
    pub fn is_flushed(&self) -> bool {
        self.stuck.is_none()
    }

    /// When the peer will have been waited for long enough. `streams` is the number of answers that go on for as long as they
    /// like.
    pub fn gives_up_at(&self, streams: usize) -> Option<Instant> {
        let unfinished = self.begun.map(|begun| begun + UNFINISHED);
        let stuck = self.stuck.map(|stuck| stuck + UNREAD);
        [unfinished, stuck, self.oldest_answer(streams).map(|since| since + UNREAD)].into_iter().flatten().min()
    }

    /// The handler of one of `streams` streamed answers has ended: its peer has `UNREAD` from now on to take the rest. Which one it
    /// was is not known here; the oldest answers are taken for the streamed ones.
    pub fn stream_ends(&mut self, streams: usize, now: Instant) {
        self.answering.sort_unstable_by_key(|(_, since)| *since);
        for (_, since) in self.answering.iter_mut().take(streams) {
            *since = now;
        }
    }

    /// Since when the oldest answer is under way that cannot be one of the `streams`.
    fn oldest_answer(&self, streams: usize) -> Option<Instant> {
        if self.answering.len() <= streams {
            return None;
        }
        let mut since: Vec<Instant> = self.answering.iter().map(|(_, since)| *since).collect();
        since.sort_unstable();
        since.get(streams).copied()
    }
}

/// Since when it was there.
fn remove(streams: &mut Vec<(u32, Instant)>, stream: u32) -> Option<Instant> {
    let at = streams.iter().position(|(known, _)| *known == stream)?;
    Some(streams.swap_remove(at).1)
}

#[cfg(test)]
mod tests;
