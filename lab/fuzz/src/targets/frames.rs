//! The boundaries of HTTP/2 frames: the same however the bytes are cut.

use super::cuts;
use service_runtime::harness::{Frames, Head, Step};

pub const WORDS: &str = r"\x00\x00\x00\x04\x00\x00\x00\x00\x00 \x00\x00\x08\x07\x00\x00\x00\x00\x00 \x00\x40\x00 \xff\xff\xff \x00\x00\x01 \x00\x00\x09";

pub fn holds(input: &[u8]) -> bool {
    let (heads, is_between) = heads(input);
    for pieces in cuts(input) {
        let mut frames = Frames::default();
        let mut seen = Vec::new();
        let mut begun = 0;
        let mut payload = 0;
        pieces.iter().for_each(|piece| {
            frames.follow(piece, |step| match step {
                Step::Begins => begun += 1,
                Step::Head(head) => seen.push(head),
                Step::Payload(bytes) => payload += bytes.len(),
            });
        });
        assert_eq!(seen, heads, "in {} pieces", pieces.len());
        assert_eq!(begun, heads.len() + usize::from(frames.is_in_head()), "in {} pieces", pieces.len());
        assert_eq!(frames.is_between(), is_between);
        let announced = heads.iter().map(|head| head.length).sum::<usize>();
        assert!(if is_between { payload == announced } else { payload <= announced }, "{payload} of {announced}");
    }
    heads.len() > 1
}

/// Every frame whose nine first bytes are there, and whether nothing is unfinished. Source: RFC 9113, 4.1.
pub fn heads(mut stream: &[u8]) -> (Vec<Head>, bool) {
    let mut heads = Vec::new();
    while let [a, b, c, kind, flags, high, d, e, f, after @ ..] = stream {
        let number = |bytes: [&u8; 4]| bytes.iter().fold(0, |number, byte| number * 256 + u32::from(**byte));
        let length = usize::try_from(number([&0, a, b, c])).expect("three bytes");
        heads.push(Head { length, kind: *kind, flags: *flags, stream: number([&(high % 128), d, e, f]) });
        if length > after.len() {
            return (heads, false);
        }
        stream = &after[length..];
    }
    (heads, stream.is_empty())
}
