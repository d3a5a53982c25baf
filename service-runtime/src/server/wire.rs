//! What went over one connection so far, as far as it says who waits for whom: is the peer in the middle of something, does
//! it take its answers, does it flood?

use std::time::Duration;

use tokio::time::Instant;

use super::budget::{Budget, Flood, Pace};
use crate::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frames, HEADERS, Head, RST_STREAM, SETTINGS, Step,
};

/// What an HTTP/2 client says first. Source: RFC 9113, 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whatever a peer has begun to send, it finishes in this time: the preface and SETTINGS, headers, any frame but DATA, for
/// which the call's own clock runs. The contract says within 10 s; half a second of it is for a busy machine.
pub(super) const UNFINISHED: Duration = Duration::from_millis(9_500);
/// An answer is taken whole in this time, and a peer that takes no byte for so long is gone.
pub(super) const UNREAD: Duration = Duration::from_secs(10);

/// What the peer speaks; until that is known, how many bytes of the preface there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Unknown(usize),
    Http1,
    Http2,
}

/// One connection, both ways.
#[derive(Debug)]
pub(crate) struct Wire {
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
    /// Streams on which an answer has begun and not ended, and since when.
    answering: Vec<(u32, Instant)>,
    /// Since when the peer takes no byte.
    stuck: Option<Instant>,
    budget: Budget,
    /// The peer's highest stream.
    pub last_stream: u32,
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
            answering: Vec::new(),
            stuck: None,
            budget: Budget::new(now),
            last_stream: 0,
        }
    }

    /// The peer sent `bytes`. `calls`: so many of its calls are under way. Returns how to read on.
    pub fn read(&mut self, bytes: &[u8], calls: usize, now: Instant) -> Result<Pace, Flood> {
        let frames = self.past_the_preface(bytes);
        if self.protocol == Protocol::Http2 {
            return self.read_frames(frames, now).map(|()| self.budget.pace());
        }
        // Over HTTP/1.1 what comes between two calls is the head of the next.
        if calls == 0 && self.begun.is_none() {
            self.begun = Some(now);
        }
        Ok(Pace::Free)
    }

    /// A call has begun: over HTTP/1.1 its headers are whole.
    pub fn call_begins(&mut self) {
        if self.protocol == Protocol::Http1 {
            self.begun = None;
        }
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

    fn read_frames(&mut self, bytes: &[u8], now: Instant) -> Result<(), Flood> {
        let Wire { reads, begun, last, greeted, block_is_open, answering, budget, last_stream, .. } = self;
        let mut flood = Ok(());
        reads.follow(bytes, |step| match step {
            // The clock of a header block runs on, and so does that of the preface, to which SETTINGS belong (RFC 9113, 3.4).
            Step::Begins if *block_is_open || !*greeted => {}
            Step::Begins => *begun = Some(now),
            Step::Head(head) => {
                flood = flood.and(budget.received(head, now));
                match head.kind {
                    HEADERS | CONTINUATION => *block_is_open = !head.has(END_HEADERS),
                    SETTINGS if !head.has(ACK) => *greeted = true,
                    RST_STREAM => answering.retain(|(stream, _)| *stream != head.stream),
                    _ => {}
                }
                *last_stream = head.stream.max(*last_stream);
                *last = Some(head);
            }
        });
        let in_data = last.is_some_and(|last| last.kind == DATA) && !reads.is_in_head();
        if !*block_is_open && *greeted && (reads.is_between() || in_data) {
            *begun = None;
        }
        flood
    }

    /// `bytes` went out to the peer.
    pub fn wrote(&mut self, bytes: &[u8], now: Instant) -> Result<(), Flood> {
        let Wire { protocol: Protocol::Http2, writes, answering, budget, .. } = self else {
            return Ok(());
        };
        let mut flood = Ok(());
        writes.follow(bytes, |step| {
            let Step::Head(head) = step else { return };
            flood = flood.and(budget.sent(head, now));
            let ends = head.kind == RST_STREAM || matches!(head.kind, DATA | HEADERS) && head.has(END_STREAM);
            let known = answering.iter().position(|(stream, _)| *stream == head.stream);
            match (known, ends) {
                (Some(at), true) => drop(answering.swap_remove(at)),
                (None, false) if head.kind == HEADERS => answering.push((head.stream, now)),
                _ => {}
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

    /// So many answers have begun and not ended.
    pub fn answers_under_way(&self) -> usize {
        self.answering.len()
    }

    /// Whether all that was written has gone out.
    pub fn is_flushed(&self) -> bool {
        self.stuck.is_none()
    }

    /// When the peer will have been waited for long enough; `streams`: so many calls are streams that go on by right.
    pub fn patience_ends(&self, streams: usize) -> Option<Instant> {
        let unfinished = self.begun.map(|begun| begun + UNFINISHED);
        let stuck = self.stuck.map(|stuck| stuck + UNREAD);
        [unfinished, stuck, self.oldest_answer(streams).map(|since| since + UNREAD)].into_iter().flatten().min()
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

#[cfg(test)]
mod tests {
    use super::*;

    const PING: u8 = 6;

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        [&[0, 0, u8::try_from(payload.len()).unwrap(), kind, flags, 0, 0, 0, stream][..], payload].concat()
    }

    fn settings() -> Vec<u8> {
        frame(SETTINGS, 0, 0, b"sixsix")
    }

    /// A peer whose preface and SETTINGS have come, at `now`.
    fn greeted(now: Instant) -> Wire {
        let mut wire = Wire::new(now);
        wire.read(&[PREFACE, &settings()].concat(), 0, now).unwrap();
        wire
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn waits_for_the_preface_from_the_first_moment_on() {
        let began = Instant::now();
        let whole = [PREFACE, &settings()].concat();
        for said in 0..whole.len() {
            let mut wire = Wire::new(began);
            for (at, byte) in (0..).zip(&whole[..said]) {
                wire.read(&[*byte], 0, began + SECOND * at).unwrap();
            }
            assert_eq!(wire.patience_ends(0), Some(began + UNFINISHED), "after {said} bytes");
        }
        assert_eq!(greeted(began).patience_ends(0), None);
    }

    #[tokio::test(start_paused = true)]
    async fn waits_for_settings_whatever_comes_instead() {
        let began = Instant::now();
        let mut wire = Wire::new(began);
        let others = [frame(PING, 0, 0, b"12345678"), frame(SETTINGS, ACK, 0, b"")].concat();
        wire.read(&[PREFACE, &others].concat(), 0, began + SECOND).unwrap();
        assert_eq!(wire.patience_ends(0), Some(began + UNFINISHED));
        wire.read(&settings(), 0, began + SECOND).unwrap();
        assert_eq!(wire.patience_ends(0), None);
    }

    #[tokio::test(start_paused = true)]
    async fn waits_for_whatever_was_begun_from_its_first_byte_on() {
        let block = [frame(HEADERS, 0, 1, b"ab"), frame(CONTINUATION, END_HEADERS, 1, b"c")].concat();
        for whole in [frame(PING, 0, 0, b"12345678"), frame(HEADERS, END_HEADERS, 1, b"abc"), block] {
            let began = Instant::now();
            let mut wire = greeted(began);
            let (last, rest) = whole.split_last().unwrap();
            for (at, byte) in (1..).zip(rest) {
                wire.read(&[*byte], 0, began + SECOND * at).unwrap();
                assert_eq!(wire.patience_ends(0), Some(began + SECOND + UNFINISHED), "{whole:?} after {at} bytes");
            }
            wire.read(&[*last], 0, began + SECOND * 60).unwrap();
            assert_eq!(wire.patience_ends(0), None, "{whole:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn does_not_take_a_busy_peer_for_one_that_never_finishes() {
        let began = Instant::now();
        let mut wire = greeted(began);
        let ping = frame(PING, 0, 0, b"12345678");
        wire.read(&ping[..3], 0, began).unwrap();
        // Every read ends within a frame, and each frame is finished by the next one.
        for at in 1..100 {
            let now = began + SECOND * at;
            wire.read(&[&ping[3..], &ping[..3]].concat(), 0, now).unwrap();
            assert_eq!(wire.patience_ends(0), Some(now + UNFINISHED));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn leaves_a_message_that_is_under_way_to_the_clock_of_its_call() {
        let now = Instant::now();
        let mut wire = greeted(now);
        wire.read(&frame(DATA, 0, 1, b"half")[..11], 0, now).unwrap();
        assert_eq!(wire.patience_ends(0), None);
    }

    #[tokio::test(start_paused = true)]
    async fn waits_over_http_1_for_headers_but_not_for_the_next_call() {
        let began = Instant::now();
        let mut wire = Wire::new(began);
        wire.read(b"GET / HTTP/1.1\r\n", 0, began).unwrap();
        assert_eq!(wire.patience_ends(0), Some(began + UNFINISHED));
        wire.call_begins();
        assert_eq!(wire.patience_ends(0), None);
        wire.read(b"body", 1, began + SECOND).unwrap();
        assert_eq!(wire.patience_ends(0), None);
        wire.read(b"G", 0, began + SECOND * 2).unwrap();
        wire.read(b"E", 0, began + SECOND * 3).unwrap();
        assert_eq!(wire.patience_ends(0), Some(began + SECOND * 2 + UNFINISHED));
    }

    #[tokio::test(start_paused = true)]
    async fn follows_an_answer_until_its_last_byte_has_gone_out() {
        let now = Instant::now();
        let mut wire = greeted(now);
        let answer = [frame(HEADERS, END_HEADERS, 1, b"x"), frame(DATA, 0, 1, b"message")].concat();
        wire.wrote(&answer, now).unwrap();
        assert_eq!((wire.answers_under_way(), wire.patience_ends(0)), (1, Some(now + UNREAD)));
        assert_eq!(wire.patience_ends(1), None, "a stream that goes on by right");
        wire.wrote(&frame(HEADERS, END_HEADERS | END_STREAM, 1, b"x"), now).unwrap();
        assert_eq!((wire.answers_under_way(), wire.patience_ends(0)), (0, None));
        // Trailers only.
        wire.wrote(&frame(HEADERS, END_HEADERS | END_STREAM, 3, b"x"), now).unwrap();
        assert_eq!(wire.answers_under_way(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn forgets_an_answer_that_either_side_resets() {
        let now = Instant::now();
        let mut wire = greeted(now);
        for stream in [1, 3, 5] {
            wire.wrote(&frame(HEADERS, END_HEADERS, stream, b"x"), now + SECOND * stream.into()).unwrap();
        }
        wire.wrote(&frame(RST_STREAM, 0, 3, b"code"), now).unwrap();
        assert_eq!((wire.answers_under_way(), wire.patience_ends(0)), (2, Some(now + SECOND + UNREAD)));
        // One of them goes on by right; nobody knows which, so it may be the older.
        assert_eq!(wire.patience_ends(1), Some(now + SECOND * 5 + UNREAD));
        wire.read(&frame(RST_STREAM, 0, 1, b"code"), 0, now).unwrap();
        assert_eq!((wire.answers_under_way(), wire.patience_ends(0)), (1, Some(now + SECOND * 5 + UNREAD)));
    }

    #[tokio::test(start_paused = true)]
    async fn counts_from_the_first_byte_that_the_peer_did_not_take() {
        let now = Instant::now();
        let mut wire = greeted(now);
        wire.takes_bytes(false, now);
        wire.takes_bytes(false, now + SECOND);
        assert_eq!((wire.is_flushed(), wire.patience_ends(0)), (false, Some(now + UNREAD)));
        wire.takes_bytes(true, now + SECOND);
        assert_eq!((wire.is_flushed(), wire.patience_ends(0)), (true, None));
    }
}
