//! What happens to a connection on which all calls are answered: fewer of them at once, no more of them, too many PINGs.

use Step::{Stall, Wait};

use super::parts::{Row, answer, row};
use crate::server::step::{Script, Step, on_call};

/// How long a call holds its stream, in milliseconds: long enough for others to come meanwhile.
const HELD: u64 = 50;

pub(super) const ROWS: &[Row] = &[
    row("limit-<0..1000>", "healthy after 50 ms; <n> calls at once, on older connections too", |n| {
        on_call([Wait(HELD)].into_iter().chain(answer())).with_stream_limit(n)
    }),
    row("goaway-after-<1..1000>", "healthy; a connection ends by GOAWAY with answer <n>", |n| {
        Script::default().answers(n)
    }),
    row("too-many-pings", "says nothing; at a PING GOAWAY too_many_pings, and closes", |_| {
        on_call([Stall]).has_too_many_pings()
    }),
];
