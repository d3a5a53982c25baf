//! The boundaries of HTTP/2 frames: the same however the bytes are cut.

use super::cuts;
use crate::frames::Frames;

pub const WORDS: &str = r"\x00\x00\x00\x04\x00\x00\x00\x00\x00 \x00\x00\x08\x07\x00\x00\x00\x00\x00 \x00\x40\x00 \xff\xff\xff \x00\x00\x01 \x00\x00\x09";

pub fn holds(input: &[u8]) -> bool {
    let expected = heads(input);
    for pieces in cuts(input) {
        let (mut frames, mut seen) = (Frames::default(), Vec::new());
        pieces.iter().for_each(|piece| frames.follow(piece, |head| seen.push((head.kind, head.flags))));
        assert_eq!(seen, expected, "in {} pieces", pieces.len());
    }
    expected.len() > 1
}

/// Type and flags of every frame whose nine first bytes are there. Source: RFC 9113, 4.1.
fn heads(mut stream: &[u8]) -> Vec<(u8, u8)> {
    let mut heads = Vec::new();
    while let [a, b, c, kind, flags, _, _, _, _, after @ ..] = stream {
        heads.push((*kind, *flags));
        let length = usize::from(*a) * 65536 + usize::from(*b) * 256 + usize::from(*c);
        stream = after.get(length..).unwrap_or_default();
    }
    heads
}
