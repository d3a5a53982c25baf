//! More metadata than a server should take.

use super::{
    parts::{Row, ask, frame, greet_and_say, row},
    request::{HELLO, Request},
};
use crate::{
    client::{
        step::{Next, Script},
        target::Target,
    },
    frame::{DATA, END_HEADERS, END_STREAM, HEADERS},
};

pub(super) const ROWS: &[Row] = &[
    row("metadata-17k", "17 KiB of metadata", |t, _| with(t, 17)),
    row("metadata-33k", "33 KiB of metadata", |t, _| with(t, 33)),
    row("metadata-100k", "100 KiB of metadata", |t, _| with(t, 100)),
    row("metadata-1m", "1 MiB of metadata", |t, _| with(t, 1024)),
    row("metadata-1000-fields", "1,000 fields of a letter each", |t, _| {
        let more = (0..1000).map(|_| ("x", "y".into()));
        ask(&Request::grpc(t).and(more))
    }),
    row("hpack-bomb", "a header block of 12 KiB that stands for 32 MiB", |t, _| {
        let head = frame(HEADERS, END_HEADERS, 1, &bomb(t));
        let said = [head, frame(DATA, END_STREAM, 1, HELLO)].concat();
        Script::until_answer(greet_and_say(said), Next::Grpc)
    }),
];

/// A field that is remembered, and then 8,000 times the one byte that means it (RFC 7541, 6.1 and 6.2.1).
fn bomb(target: &Target) -> Vec<u8> {
    const LENGTH: [u8; 3] = [0x7f, 0xa1, 0x1e];
    let field = [&[0x40, 1, b'x'], &LENGTH[..], &[b'x'; 4000]].concat();
    [Request::grpc(target).block(), field, vec![0xbe; 8000]].concat()
}

fn with(target: &Target, kib: usize) -> Script {
    ask(&Request::grpc(target).set("x-much", "x".repeat(kib * 1024)))
}
