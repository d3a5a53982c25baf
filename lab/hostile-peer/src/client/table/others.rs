//! Streams and connections that crowd others out.

use super::{
    parts::{Row, frame, greet_and_say, row},
    request::Request,
};
use crate::{
    client::step::{Next, Script, Step, Watch},
    frame::{CANCEL, RST_STREAM},
};

/// As many as an HTTP/2 server must let in at least, and ten times that.
const LET_IN: u32 = 100;
const STREAMS: u32 = 1000;
/// The last of them.
const LAST: u32 = 2 * STREAMS - 1;

pub(super) const ROWS: &[Row] = &[
    row("too-many-streams", "1,000 calls at once without an end; then the first 100 are cancelled", |t, _| {
        let call = Request::grpc(t).body(b"").unfinished();
        let calls = (0..STREAMS).flat_map(|n| call.frames(2 * n + 1)).collect();
        let cancels = (0..LET_IN).flat_map(|n| frame(RST_STREAM, 0, 2 * n + 1, &CANCEL.to_be_bytes())).collect();
        let steps = greet_and_say(calls).chain([Step::Say(cancels)]);
        Script { watch: Watch::Answer(LAST), next: Next::Grpc, ..Script::until_end(steps) }
    }),
    row(
        "one-connection-over-<1..1000>",
        "<n> healthy connections, and one more; when one of them is gone, another",
        |_, n| Script { before: n, next: Next::Grpc, ..Script::until_end([Step::Mute]) },
    ),
];
