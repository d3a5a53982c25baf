//! Answers with a wrong number of messages, or wrong ones.

use Body::{Echo, Flagged, Message, Overstated, Raw};
use Step::{Data, Drip, Stall, Wait};

use super::parts::{Row, headers, headers_with, ok, row};
use crate::server::step::{Body, Script, Step, on_call};

/// Between two messages, or two parts of one, that never end.
const A_MOMENT: u64 = 10;

pub(super) const ROWS: &[Row] = &[
    row("no-message", "OK without a message", |_| on_call([headers(), ok()])),
    row("empty-message", "a message of length 0", |_| only(Message(b""))),
    row("two-messages", "two messages where one is right", |_| on_call([headers(), Data(Echo), Data(Echo), ok()])),
    row("three-messages", "three messages, one every 10 ms, and OK: right for a stream", |_| {
        on_call([headers(), Data(Echo), Wait(A_MOMENT), Data(Echo), Wait(A_MOMENT), Data(Echo), ok()])
    }),
    row("endless-messages", "messages without end, one every 10 ms", |_| on_call([headers(), Drip(Echo, A_MOMENT)])),
    row("endless-message", "a message of 1 GiB, a KiB every 10 ms", |_| {
        on_call([headers(), Data(announced(1 << 30)), Drip(Raw(vec![b'x'; 1024].into()), A_MOMENT)])
    }),
    row("truncated", "a message shorter than its length says, and OK", |_| only(Overstated)),
    row("undecodable", "a message that is no protobuf", |_| only(Message(&[0xff; 11]))),
    row("invalid-utf8", "a message whose text is not UTF-8", |_| only(Message(b"\x0a\x02\xff\xfe"))),
    row("oversize", "the first KiB of a message of 5 MiB, then nothing", |_| {
        on_call([headers(), Data(announced(5 << 20)), Data(Raw(vec![b'x'; 1024].into())), Stall])
    }),
    row("another-text", "a message with another text", |_| only(Message(b"\x0a\x0csomeone else"))),
    row("compressed-flag", "a message flagged as compressed, and no grpc-encoding", |_| only(Flagged(1))),
    row("unknown-encoding", "a message flagged as compressed with snappy", |_| {
        on_call([headers_with(&[("grpc-encoding", "snappy")]), Data(Flagged(1)), ok()])
    }),
    row("bad-flag", "a message with flag 7", |_| only(Flagged(7))),
    row("encoding-named-only", "grpc-encoding gzip, and a message that is not compressed: healthy", |_| {
        on_call([headers_with(&[("grpc-encoding", "gzip")]), Data(Echo), ok()])
    }),
];

/// The healthy answer with another body.
fn only(body: Body) -> Script {
    on_call([headers(), Data(body), ok()])
}

/// The first five bytes of a message of that length.
fn announced(length: u32) -> Body {
    let mut prefix = vec![0];
    prefix.extend(length.to_be_bytes());
    Raw(prefix.into())
}
