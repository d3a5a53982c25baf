//! Bodies that are not one message.

use super::{
    parts::{Row, ask, row},
    request::{HELLO, Request},
};
use crate::{
    client::{step::Script, target::Target},
    frame::put_message_head,
};

pub(super) const ROWS: &[Row] = &[
    row("no-message", "a unary call without a message", |t, _| with(t, b"")),
    row("two-messages", "a unary call with two messages", |t, _| with(t, &[HELLO, HELLO].concat())),
    row("malformed-protobuf", "a message that is no protobuf", |t, _| with(t, b"\0\0\0\0\x03\xff\xff\xff")),
    row("invalid-utf8", "a string that is not UTF-8", |t, _| with(t, b"\0\0\0\0\x04\x0a\x02\xff\xfe")),
    row("truncated-message", "a message that ends before it should", |t, _| with(t, b"\0\0\0\0\x07\x0a\x05he")),
    row("truncated-prefix", "three bytes where five stand before a message", |t, _| with(t, b"\0\0\0")),
    row("bad-flag", "a message whose flag is 7", |t, _| with(t, b"\x07\0\0\0\x07\x0a\x05hello")),
    row("compressed-without-encoding", "a message flagged as compressed, without grpc-encoding", |t, _| {
        with(t, b"\x01\0\0\0\x07\x0a\x05hello")
    }),
    row("encoding-snappy", "grpc-encoding: snappy", |t, _| ask(&Request::grpc(t).set("grpc-encoding", "snappy"))),
    row("encoding-gzip", "grpc-encoding: gzip", |t, _| ask(&Request::grpc(t).set("grpc-encoding", "gzip"))),
    row("message-too-large", "announces a message of 5 MiB, and sends nothing of it", |t, _| announce(t, 5 << 20)),
    row("message-of-4gib", "announces a message of 4 GiB, and sends nothing of it", |t, _| announce(t, u32::MAX)),
    row("body-unfinished", "half a message, no end, and no deadline", |t, _| ask(&half(t))),
    row("body-unfinished-deadline", "half a message, no end, and a deadline of 300 ms", |t, _| {
        ask(&half(t).set("grpc-timeout", "300m"))
    }),
];

fn with(target: &Target, body: &[u8]) -> Script {
    ask(&Request::grpc(target).body(body))
}

fn announce(target: &Target, length: u32) -> Script {
    let mut head = Vec::new();
    put_message_head(&mut head, 0, length as usize);
    ask(&Request::grpc(target).body(&head).unfinished())
}

fn half(target: &Target) -> Request {
    Request::grpc(target).body(&HELLO[..8]).unfinished()
}
