//! Frames that RFC 9113 forbids: each ends the connection, with the reason in GOAWAY, or should.

use super::{
    parts::{Row, frame, greet_and_say, greeting_with, row},
    request::Request,
};
use crate::{
    client::{
        step::{Script, Step},
        target::Target,
    },
    frame::{
        CONTINUATION, DATA, ENABLE_PUSH, END_HEADERS, END_STREAM, HEADERS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE,
        MAX_FRAME_SIZE_SETTING, PING, PREFACE, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE,
    },
};

/// A ClientHello as far as its first words (RFC 8446, 4.1.2).
const CLIENT_HELLO: &[u8] = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03";

pub(super) const ROWS: &[Row] = &[
    row("garbage", "bytes that are neither HTTP", |_, _| {
        Script::until_end([Step::Mute, Step::Say(b"\xf3\x1c\x9a\x07\xe4\xb2\x5d\x88\r\n\r\n".to_vec())])
    }),
    row("tls-client-hello", "speaks TLS to a port that does not", |_, _| {
        Script::until_end([Step::Mute, Step::Say([CLIENT_HELLO, &[7; 194]].concat())])
    }),
    row("bad-preface", "a connection preface with its last letters wrong", |_, _| {
        Script::until_end([Step::Say([&PREFACE[..20], b"XXXX", &[0; 9]].concat())])
    }),
    row("no-settings", "another frame where SETTINGS come first", |_, _| {
        let said = [PREFACE, &frame(PING, 0, 0, &[0; 8])].concat();
        Script::until_end([Step::Say(said)])
    }),
    row("settings-push-2", "SETTINGS_ENABLE_PUSH 2", |_, _| settings(ENABLE_PUSH, 2)),
    row("settings-window-2gib", "SETTINGS_INITIAL_WINDOW_SIZE 2^31", |_, _| settings(INITIAL_WINDOW_SIZE, 1 << 31)),
    row("settings-frame-size-1", "SETTINGS_MAX_FRAME_SIZE 1", |_, _| settings(MAX_FRAME_SIZE_SETTING, 1)),
    row("settings-five-bytes", "SETTINGS of five bytes", |_, _| say(frame(SETTINGS, 0, 0, &[0; 5]))),
    row("even-stream", "a request on stream 2", |t, _| say(Request::grpc(t).frames(2))),
    row("headers-on-stream-0", "HEADERS on stream 0", |t, _| say(headers(t, 0))),
    row("stream-goes-back", "a request on stream 1 after one on stream 3", |t, _| {
        say([headers(t, 3), headers(t, 1)].concat())
    }),
    row("frame-too-large", "DATA of 16,385 bytes", |t, _| {
        let open = Request::grpc(t).body(b"").unfinished().frames(1);
        say([open, frame(DATA, 0, 1, &[0; MAX_FRAME_SIZE + 1])].concat())
    }),
    row("data-on-idle", "DATA on a stream that was never opened", |_, _| say(frame(DATA, 0, 5, b"x"))),
    row("data-on-stream-0", "DATA on stream 0", |_, _| say(frame(DATA, 0, 0, b"x"))),
    row("reset-on-idle", "RST_STREAM on a stream that was never opened", |_, _| say(frame(RST_STREAM, 0, 5, &[0; 4]))),
    row("window-update-0", "WINDOW_UPDATE by 0 on the connection", |_, _| say(frame(WINDOW_UPDATE, 0, 0, &[0; 4]))),
    row("window-overflow", "WINDOW_UPDATE beyond 2^31 - 1 on the connection", |_, _| {
        say(frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]))
    }),
    row("hpack-garbage", "a header block that is none", |_, _| {
        say(frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0xff; 16]))
    }),
    row("continuation-alone", "CONTINUATION after nothing", |_, _| say(frame(CONTINUATION, END_HEADERS, 1, b""))),
    row("headers-interrupted", "another frame in the middle of a header block", |t, _| {
        let open = frame(HEADERS, END_STREAM, 1, &Request::grpc(t).block());
        say([open, frame(PING, 0, 0, &[0; 8])].concat())
    }),
    row("ping-seven-bytes", "PING of seven bytes", |_, _| say(frame(PING, 0, 0, &[0; 7]))),
    row("client-pushes", "PUSH_PROMISE from a client", |t, _| {
        let promise = [&2_u32.to_be_bytes()[..], &Request::grpc(t).block()].concat();
        say([headers(t, 1), frame(PUSH_PROMISE, END_HEADERS, 1, &promise)].concat())
    }),
];

fn say(bytes: Vec<u8>) -> Script {
    Script::until_end(greet_and_say(bytes))
}

fn settings(name: u16, value: u32) -> Script {
    Script::until_end([Step::Say(greeting_with(&[(name, value)]))])
}

/// A whole request without a body.
fn headers(target: &Target, stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &Request::grpc(target).block())
}

#[cfg(test)]
mod tests {
    use super::{super::parts::greeting, *};

    #[test]
    fn greets_before_it_breaks_anything() {
        let target = Target::new(([127, 0, 0, 1], 1).into(), "/s/m", "/p");
        let others = ["garbage", "tls-client-hello", "bad-preface"];
        for row in ROWS.iter().filter(|row| !others.contains(&row.name)) {
            let script = (row.script)(&target, 0);
            assert!(
                matches!(&script.steps[0], Step::Say(bytes) if greeting().starts_with(&bytes[..24])),
                "{}",
                row.name
            );
        }
    }
}
