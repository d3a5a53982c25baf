//! Plain requests over HTTP/1.1 that RFC 9112 does not allow, or that ask for what there is not.

use super::parts::{Row, ask_http1, get, get_with, row};
use crate::client::{
    step::{Script, Step, Watch},
    target::Target,
};

pub(super) const ROWS: &[Row] = &[
    row("http1-unknown-path", "GET of a path that there is not", |t, _| first_line(t, "GET /no-such-path HTTP/1.1")),
    row("http1-wrong-method", "DELETE of a path that takes GET", |t, _| {
        first_line(t, &format!("DELETE {} HTTP/1.1", t.path))
    }),
    row("http1-bad-percent", "a query with %zz in it", |t, _| {
        first_line(t, &format!("GET {}?msg=%zz HTTP/1.1", t.path))
    }),
    row("http1-bad-utf8", "a query that is not UTF-8", |t, _| {
        first_line(t, &format!("GET {}?msg=%ff%fe HTTP/1.1", t.path))
    }),
    row("http1-timeout-abc", "grpc-timeout: abc on a plain request", |t, _| {
        ask_http1(get_with(t, "grpc-timeout: abc\r\n"))
    }),
    row("http1-timeout-zero", "grpc-timeout: 0n on a plain request", |t, _| {
        ask_http1(get_with(t, "grpc-timeout: 0n\r\n"))
    }),
    row("http1-pipelined", "two requests at once: two answers, in order", |t, _| {
        ask_http1(get(t) + &get(t)).watching(Watch::Answer(3))
    }),
    row("http1-0", "HTTP/1.0: one answer, and the connection is closed", |t, _| {
        ask_http1(format!("GET {}?msg=hello HTTP/1.0\r\n\r\n", t.path))
    }),
    row("http1-upgrade-h2c", "asks to go on in HTTP/2, in the way that RFC 9113 took out", |t, _| {
        let fields = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
        ask_http1(get_with(t, fields))
    }),
    row("http1-no-host", "a request without Host", |t, _| {
        ask_http1(format!("GET {}?msg=hello HTTP/1.1\r\n\r\n", t.path))
    }),
    row("http1-two-hosts", "a request with two Hosts", |t, _| ask_http1(get_with(t, "Host: another\r\n"))),
    row("http1-headers-17k", "17 KiB of header fields", |t, _| much(t, 17)),
    row("http1-headers-33k", "33 KiB of header fields", |t, _| much(t, 33)),
    row("http1-headers-1m", "1 MiB of header fields", |t, _| much(t, 1024)),
    row("http1-headers-101", "101 header fields", |t, _| {
        let fields: String = (0..101).map(|n| format!("x-{n}: y\r\n")).collect();
        ask_http1(get_with(t, &fields))
    }),
    row("http1-long-request-line", "a request line of 70 KiB", |t, _| {
        first_line(t, &format!("GET {}?msg={} HTTP/1.1", t.path, "x".repeat(70 * 1024)))
    }),
    row("http1-malformed-request-line", "a request line with a word too many", |t, _| {
        first_line(t, &format!("GET {} and more HTTP/1.1", t.path))
    }),
    row("http1-space-before-colon", "a field name with a space before its colon", |t, _| {
        ask_http1(get_with(t, "X-Space : y\r\n"))
    }),
    row("http1-two-lengths", "two Content-Lengths that differ", |t, _| {
        ask_http1(get_with(t, "Content-Length: 1\r\nContent-Length: 2\r\n") + "xx")
    }),
    row("http1-bad-length", "a Content-Length that is no number", |t, _| {
        ask_http1(get_with(t, "Content-Length: -1\r\n"))
    }),
    row("http1-length-and-chunked", "Content-Length and Transfer-Encoding, as request smugglers send it", |t, _| {
        ask_http1(get_with(t, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n")
    }),
    row("http1-bad-coding", "a Transfer-Encoding that does not end in chunked", |t, _| {
        ask_http1(get_with(t, "Transfer-Encoding: gzip\r\n"))
    }),
    row("http1-bad-chunk", "a chunk whose length is no number", |t, _| {
        ask_http1(get_with(t, "Transfer-Encoding: chunked\r\n") + "zz\r\nxx\r\n0\r\n\r\n")
    }),
    row("http1-body-unfinished", "a body that is announced and never sent", |t, _| {
        let text = get_with(t, "Content-Length: 100\r\n") + "half of it";
        Script::until_end([Step::Say(text.into_bytes())]).watching(Watch::EndAfterAnswer(1))
    }),
];

fn first_line(target: &Target, line: &str) -> Script {
    ask_http1(format!("{line}\r\nHost: {}\r\n\r\n", target.address))
}

fn much(target: &Target, kib: usize) -> Script {
    // Of 1 KiB each, so that it is the sum that is too much.
    let field = |n| format!("x-{n:04}: {}\r\n", "x".repeat(1024 - 10));
    ask_http1(get_with(target, &(0..kib).map(field).collect::<String>()))
}
