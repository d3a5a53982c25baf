//! Healthy, or healthy now and then.

use Step::{Close, Wait};

use super::parts::{Row, answer, row};
use crate::server::step::{Script, Step, Which, on_call};

pub(super) const ROWS: &[Row] = &[
    row("echo", "healthy: the request's message, and OK", |_| Script::default()),
    row("flap-<1..1000>", "healthy, but call number <n> and its multiples close the connection", |n| {
        on_call([Close]).only(Which::Every(n as usize))
    }),
    row("slow-<1..60000>ms", "healthy after <n> ms", |n| on_call([Wait(n.into())].into_iter().chain(answer()))),
];
