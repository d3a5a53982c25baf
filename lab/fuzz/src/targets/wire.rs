//! What a server notes of one connection: the same however the bytes are cut, and no more of it than there is.

use std::collections::HashSet;

use tokio::time::Instant;

use super::{cuts, frames::heads, text::split};
use service_runtime::harness::{DATA, END_STREAM, HEADERS, RST_STREAM, Wire};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const WORDS: &str = r"PRI\x20*\x20HTTP/2.0\r\n\r\nSM\r\n\r\n \x00\x00\x00\x04\x00\x00\x00\x00\x00 \x00\x00\x01\x01\x04\x00\x00\x00\x01\x82 \x1e \x00\x00\x00\x00\x01\x00\x00\x00\x01 \
    \x00\x00\x01\x01\x00\x00\x00\x00\x01\x82 \x00\x00\x01\x09\x04\x00\x00\x00\x01\x84 \x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x08 \x00\x00\x08\x06\x00\x00\x00\x00\x0012345678";

/// What the peer says, then behind the byte 30 what the server says.
pub fn holds(input: &[u8]) -> bool {
    let (said, answered) = split(input, 0x1e);
    let now = Instant::now();
    let noted: Vec<_> = cuts(said).into_iter().zip(cuts(answered)).map(|cut| note(&cut.0, &cut.1, now)).collect();
    assert!(noted.iter().all(|other| *other == noted[0]), "{noted:?}");
    let (answering, _, _, last_stream) = noted[0];
    match said.strip_prefix(PREFACE) {
        None => assert_eq!((answering, last_stream), (0, 0)),
        Some(said) => {
            assert_eq!(answering, streams_open(answered));
            assert_eq!(last_stream, heads(said).0.iter().map(|head| head.stream).max().unwrap_or(0));
        }
    }
    last_stream > 0
}

/// On which an answer has begun and not ended.
fn streams_open(answered: &[u8]) -> usize {
    let mut open = HashSet::new();
    for head in heads(answered).0 {
        let ends = head.flags & END_STREAM != 0;
        match head.kind {
            RST_STREAM => drop(open.remove(&head.stream)),
            DATA | HEADERS if ends => drop(open.remove(&head.stream)),
            HEADERS => drop(open.insert(head.stream)),
            _ => {}
        }
    }
    open.len()
}

/// What is known in the end; that there was a flood stays.
fn note(said: &[&[u8]], answered: &[&[u8]], now: Instant) -> (usize, Option<Instant>, bool, u32) {
    let mut wire = Wire::new(now);
    let mut flooded = false;
    for piece in said {
        flooded |= wire.read(piece, 0, now).is_err();
    }
    wire.call_begins(false);
    for piece in answered {
        flooded |= wire.wrote(piece, now).is_err();
    }
    (wire.answers_under_way(), wire.gives_up_at(0), flooded, wire.last_stream)
}
