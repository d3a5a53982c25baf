//! Peers that begin something and do not go on.

use std::time::Duration;

use super::{
    parts::{Row, frame, get, get_with, greet, greeting, greeting_with, row},
    request::Request,
};
use crate::{
    client::{
        step::{Next, Script, Step, Watch},
        target::Target,
    },
    frame::{DATA, HEADERS, INITIAL_WINDOW_SIZE, PING, PREFACE, WINDOW_UPDATE},
};

/// Slow enough that no bound on silence is ever reached.
const SECOND: Duration = Duration::from_secs(1);
/// As many as an HTTP/2 server must let in.
const STREAMS: u32 = 100;

pub(super) const ROWS: &[Row] = &[
    row("silent", "connects, and says nothing", |_, _| Script::until_end([Step::Mute])),
    row("half-preface", "half of HTTP/2's preface, then nothing", |_, _| {
        Script::until_end([Step::Mute, Step::Say(PREFACE[..12].to_vec())])
    }),
    row("preface-without-settings", "HTTP/2's preface without its SETTINGS", |_, _| {
        Script::until_end([Step::Mute, Step::Say(PREFACE.to_vec())])
    }),
    row("unfinished-headers", "HEADERS whose END_HEADERS never comes", |t, _| {
        mute_after_greeting([Step::Say(frame(HEADERS, 0, 1, &Request::grpc(t).block()))])
    }),
    row("half-a-ping", "half a PING frame", |_, _| {
        mute_after_greeting([Step::Say(frame(PING, 0, 0, &[0; 8])[..13].to_vec())])
    }),
    row("half-a-data-frame", "half a DATA frame of a call: whatever follows is taken for the rest of it", |t, _| {
        let whole = [Request::grpc(t).body(b"").unfinished().frames(1), frame(DATA, 0, 1, &[0; 100])].concat();
        mute_after_greeting([Step::Say(whole[..whole.len() - 50].to_vec())])
    }),
    row("headers-byte-by-byte", "HEADERS, one byte a second", |t, _| {
        mute_after_greeting([Step::Drip(Request::grpc(t).frames(1), SECOND)])
    }),
    row("http1-unfinished-headers", "half of an HTTP/1.1 request's header fields", |t, _| {
        Script::until_end([Step::Say(unfinished(t).into_bytes())])
    }),
    row("http1-byte-by-byte", "an HTTP/1.1 request, one byte a second", |t, _| {
        Script::until_end([Step::Drip(get(t).into_bytes(), SECOND)])
    }),
    row("http1-idle", "a good HTTP/1.1 request, and no other", |t, _| {
        Script::until_end([Step::Say(get(t).into_bytes()), Step::HearAnswer(1)])
    }),
    row("window-0", "100 calls, and no window for any answer", |t, _| {
        let calls: Vec<u8> = (0..STREAMS).flat_map(|n| Request::grpc(t).frames(2 * n + 1)).collect();
        let greeting = greeting_with(&[(INITIAL_WINDOW_SIZE, 0)]);
        Script::until_end([Step::Say(greeting), Step::HearSettings, Step::Say(calls)])
    }),
    row("never-reads", "ten calls with 60 KiB each, and not a byte of the answers read", |t, _| {
        let calls = (0..10).flat_map(|n| Request::grpc(t).body(&long_message()).frames(2 * n + 1));
        let whole = frame(WINDOW_UPDATE, 0, 0, &0x7000_0000_u32.to_be_bytes());
        let steps = greet().into_iter().chain([Step::Deaf, Step::Say(whole.into_iter().chain(calls).collect())]);
        Script { small: true, ..Script::until_end(steps) }.watching(Watch::EndByWriting(PINGED))
    }),
    row("http1-never-reads", "100 pipelined requests with 6 KiB each, and not a byte of the answers read", |t, _| {
        let request = format!("GET {}?msg={} HTTP/1.1\r\nHost: {}\r\n\r\n", t.path, "x".repeat(6000), t.address);
        let steps = [Step::Deaf, Step::Say(request.repeat(100).into_bytes()), Step::Say(unfinished(t).into_bytes())];
        Script { small: true, ..Script::until_end(steps) }.watching(Watch::EndByWriting(b"x"))
    }),
    row("vanished", "an open call, and no PING of the server's is answered", |t, _| {
        let watch = Request::post(t, "/grpc.health.v1.Health/Watch").body(b"\0\0\0\0\0");
        mute_after_greeting([Step::Say(watch.frames(1))])
    }),
    row("idle", "a good call, and no other; PINGs are answered", |t, _| {
        let steps = [Step::Say(greeting()), Step::Say(Request::grpc(t).frames(1)), Step::HearAnswer(1)];
        Script { next: Next::Grpc, ..Script::until_end(steps) }
    }),
];

/// A PING whose answer is not waited for.
const PINGED: &[u8] = &[0, 0, 8, PING, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];

fn mute_after_greeting(steps: impl IntoIterator<Item = Step>) -> Script {
    Script::until_end(greet().into_iter().chain([Step::Mute]).chain(steps))
}

fn unfinished(target: &Target) -> String {
    let whole = get_with(target, "X-Unfinished: ");
    whole.trim_end().to_owned()
}

/// A message of 60 KiB, all of it in field 1, with gRPC's five bytes before it.
fn long_message() -> Vec<u8> {
    const LENGTH: usize = 60 * 1024;
    let field = [&[0x0a, 0x80, 0xe0, 0x03][..], &[b'x'; LENGTH]].concat();
    [&[0][..], &(field.len() as u32).to_be_bytes(), &field].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_a_length_that_is_the_messages() {
        let message = long_message();
        let varint = usize::from(message[6] & 127) | usize::from(message[7] & 127) << 7 | usize::from(message[8]) << 14;
        assert_eq!((message.len(), varint), (5 + 4 + 60 * 1024, 60 * 1024));
        assert_eq!(message[1..5], u32::to_be_bytes(4 + 60 * 1024));
    }
}
