//! Follows the frame boundaries of an HTTP/2 byte stream, without decoding anything: hyper does that, but does not tell.

/// The beginning of each frame. Source: RFC 9113, 4.1.
const HEAD: usize = 9;

pub(crate) const SETTINGS: u8 = 4;
pub(crate) const GOAWAY: u8 = 7;

/// What a frame says of itself before its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub kind: u8,
    pub flags: u8,
}

/// Where in the stream we are.
#[derive(Default)]
pub(crate) struct Frames {
    head: [u8; HEAD],
    filled: usize,
    payload_left: usize,
}

impl Frames {
    /// Takes the next bytes of the stream and calls `seen` with the head of each frame that begins in them.
    pub fn follow(&mut self, mut bytes: &[u8], mut seen: impl FnMut(Head)) {
        while !bytes.is_empty() {
            let skipped = self.payload_left.min(bytes.len());
            self.payload_left -= skipped;
            bytes = &bytes[skipped..];
            let taken = bytes.len().min(HEAD - self.filled);
            self.head[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled == HEAD {
                let [a, b, c, kind, flags, ..] = self.head;
                self.payload_left = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                self.filled = 0;
                seen(Head { kind, flags });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_every_frame_however_the_bytes_are_cut() {
        let settings = [0, 0, 6, SETTINGS, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6];
        let empty = [0, 0, 0, SETTINGS, 1, 0, 0, 0, 0];
        let goaway = [0, 0, 8, GOAWAY, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let stream = [&settings[..], &empty, &goaway].concat();
        for chunk in 1..=stream.len() {
            let (mut frames, mut seen) = (Frames::default(), Vec::new());
            for bytes in stream.chunks(chunk) {
                frames.follow(bytes, |head| seen.push((head.kind, head.flags)));
            }
            assert_eq!(seen, [(SETTINGS, 0), (SETTINGS, 1), (GOAWAY, 0)], "in chunks of {chunk}");
        }
    }
}
