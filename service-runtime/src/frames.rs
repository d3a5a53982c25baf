//! Follows the frame boundaries of an HTTP/2 byte stream, without decoding anything: hyper does that, but does not tell.

/// The beginning of each frame. Source: RFC 9113, 4.1.
const HEAD: usize = 9;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const CONTINUATION: u8 = 9;

pub const ACK: u8 = 1;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// What a frame says of itself before its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Of the payload, in bytes.
    pub length: usize,
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
}

impl Head {
    pub fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// What comes along the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// The first byte of a frame.
    Begins,
    Head(Head),
    /// The next bytes of its payload.
    Payload(&'a [u8]),
}

/// Where in the stream we are.
#[derive(Debug, Default)]
pub struct Frames {
    head: [u8; HEAD],
    filled: usize,
    payload_left: usize,
}

impl Frames {
    /// Takes the next bytes of the stream and calls `seen` at each step.
    pub fn follow<'a>(&mut self, mut bytes: &'a [u8], mut seen: impl FnMut(Step<'a>)) {
        while !bytes.is_empty() {
            let payload;
            (payload, bytes) = bytes.split_at(self.payload_left.min(bytes.len()));
            self.payload_left -= payload.len();
            if !payload.is_empty() {
                seen(Step::Payload(payload));
            }
            if self.filled == 0 && !bytes.is_empty() {
                seen(Step::Begins);
            }
            let taken = bytes.len().min(HEAD - self.filled);
            self.head[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled == HEAD {
                let head = read(self.head);
                (self.payload_left, self.filled) = (head.length, 0);
                seen(Step::Head(head));
            }
        }
    }

    /// Whether the stream is between two frames.
    pub fn is_between(&self) -> bool {
        self.filled == 0 && self.payload_left == 0
    }

    /// Whether the stream is within the head of a frame, so that its kind is not known yet.
    pub fn is_in_head(&self) -> bool {
        self.filled > 0
    }
}

fn read([a, b, c, kind, flags, stream @ ..]: [u8; HEAD]) -> Head {
    // The first bit of the stream's number is reserved.
    let stream = u32::from_be_bytes(stream) & (u32::MAX >> 1);
    Head { length: usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c), kind, flags, stream }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_every_frame_however_the_bytes_are_cut() {
        let settings = [0, 0, 6, SETTINGS, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6];
        let empty = [0, 0, 0, SETTINGS, 1, 0, 0, 0, 0];
        let headers = [0, 0, 1, HEADERS, END_HEADERS | END_STREAM, 0x80, 0, 1, 3, 0x82];
        let stream = [&settings[..], &empty, &headers].concat();
        let head = |length, kind, flags, stream| Step::Head(Head { length, kind, flags, stream });
        let expected = [head(6, SETTINGS, 0, 0), head(0, SETTINGS, 1, 0), head(1, HEADERS, 5, 259)]
            .map(|head| [Step::Begins, head])
            .concat();
        for chunk in 1..=stream.len() {
            let (mut frames, mut seen, mut payload) = (Frames::default(), Vec::new(), Vec::new());
            for bytes in stream.chunks(chunk) {
                frames.follow(bytes, |step| match step {
                    Step::Payload(bytes) => payload.extend_from_slice(bytes),
                    step => seen.push(step),
                });
            }
            assert_eq!(seen, expected, "in chunks of {chunk}");
            assert_eq!(payload, [1, 2, 3, 4, 5, 6, 0x82]);
            assert!(frames.is_between());
        }
    }

    #[test]
    fn knows_where_in_a_frame_it_is() {
        let mut frames = Frames::default();
        frames.follow(&[0, 0, 2, DATA], |_| {});
        assert!(!frames.is_between() && frames.is_in_head());
        frames.follow(&[0, 0, 0, 0, 1, b'h'], |_| {});
        assert!(!frames.is_between() && !frames.is_in_head());
        frames.follow(b"i", |_| {});
        assert!(frames.is_between());
    }
}
