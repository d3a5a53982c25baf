//! What comes instead of an answer: nothing, a part of it, or the end of the stream or of the connection.

use Step::{Close, Data, GoAway, HalfFrame, Reset, ResetStream, Stall, Wait};

use super::parts::{Row, answer, answer_then, headers, row};
use crate::server::step::{
    Body::{Echo, HalfEcho},
    Last::{ThisCall, Zero},
    Step, Which, on_call,
};

/// A reset overtakes what was sent before it, so it comes this many milliseconds later.
const A_MOMENT: u64 = 10;

const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;

pub(super) const ROWS: &[Row] = &[
    row("stall", "reads the request, and says nothing", |_| on_call([Stall])),
    row("no-ping", "reads the request, says nothing, and leaves PINGs unanswered", |_| {
        on_call([Stall]).without_pings()
    }),
    row("window-0", "SETTINGS_INITIAL_WINDOW_SIZE 0: no request's body can be sent", |_| {
        on_call([Stall]).without_windows()
    }),
    row("streams-0", "SETTINGS_MAX_CONCURRENT_STREAMS 0: no call; an early one is refused", |_| {
        on_call([ResetStream(REFUSED_STREAM)]).at_headers().without_streams()
    }),
    row("close-before-headers", "reads the request, closes the connection", |_| on_call([Close])),
    row("reset-before-headers", "reads the request, resets the connection", |_| on_call([Reset])),
    row("headers-then-stall", "response headers, then nothing", |_| on_call([headers(), Stall])),
    row("headers-then-close", "response headers, then closes the connection", |_| on_call([headers(), Close])),
    row("headers-then-reset", "response headers, then resets the connection", |_| {
        on_call([headers(), Wait(A_MOMENT), Reset])
    }),
    row("half-frame-then-stall", "headers, then half a DATA frame: the connection is stuck in it", |_| {
        on_call([headers(), HalfFrame(Echo), Stall])
    }),
    row("half-message-then-stall", "headers and half a message, then nothing", |_| {
        on_call([headers(), Data(HalfEcho), Stall])
    }),
    row("half-message-then-close", "headers and half a message, then closes the connection", |_| {
        on_call([headers(), Data(HalfEcho), Close])
    }),
    row("half-message-then-reset", "headers and half a message, then resets the connection", |_| {
        on_call([headers(), Data(HalfEcho), Wait(A_MOMENT), Reset])
    }),
    row("message-then-stall", "a whole message, but no trailers", |_| on_call([headers(), Data(Echo), Stall])),
    row("message-then-close", "a whole message, then closes the connection", |_| {
        on_call([headers(), Data(Echo), Close])
    }),
    row("goaway-0", "GOAWAY, last stream 0: nothing was processed; closes", |_| {
        on_call([GoAway(Zero, NO_ERROR), Close])
    }),
    row("goaway-0-error-<0..13>", "GOAWAY with error <n>, last stream 0; closes", |n| {
        on_call([GoAway(Zero, n), Close])
    }),
    row("goaway-once", "goaway-0 for the first call; all others are healthy", |_| {
        on_call([GoAway(Zero, NO_ERROR), Close]).only(Which::First)
    }),
    row("goaway-then-answer", "GOAWAY, last stream this one, the healthy answer; closes", |_| {
        on_call([GoAway(ThisCall, NO_ERROR)].into_iter().chain(answer()).chain([Close]))
    }),
    row("goaway-then-close", "GOAWAY, last stream this one; closes without an answer", |_| {
        on_call([GoAway(ThisCall, NO_ERROR), Close])
    }),
    row("goaway-error-then-close", "GOAWAY INTERNAL_ERROR, last stream this one; closes, no answer", |_| {
        on_call([GoAway(ThisCall, INTERNAL_ERROR), Close])
    }),
    row("refuse-stream-once", "RST_STREAM REFUSED_STREAM for the first call; others are healthy", |_| {
        on_call([ResetStream(REFUSED_STREAM)]).only(Which::First)
    }),
    row("rst-<0..13>-before-headers", "RST_STREAM with error <n>, nothing else", |n| on_call([ResetStream(n)])),
    row("rst-<0..13>-after-headers", "headers, then RST_STREAM with error <n>", |n| {
        on_call([headers(), ResetStream(n)])
    }),
    row("rst-<0..13>-in-body", "headers and half a message, then RST_STREAM with error <n>", |n| {
        on_call([headers(), Data(HalfEcho), ResetStream(n)])
    }),
    row("answer-then-rst-<0..13>", "a whole healthy answer, and RST_STREAM with error <n> behind it", |n| {
        on_call(answer_then([ResetStream(n)]))
    }),
];
