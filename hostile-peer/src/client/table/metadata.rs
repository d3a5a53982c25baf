//! More metadata than a server should take.

use super::{Row, ask, request::Request, row};
use crate::client::{Target, step::Script};

pub(super) const ROWS: &[Row] = &[
    row("metadata-17k", "17 KiB of metadata", |t, _| with(t, 17)),
    row("metadata-33k", "33 KiB of metadata", |t, _| with(t, 33)),
    row("metadata-100k", "100 KiB of metadata", |t, _| with(t, 100)),
    row("metadata-1m", "1 MiB of metadata", |t, _| with(t, 1024)),
];

fn with(target: &Target, kib: usize) -> Script {
    ask(&Request::grpc(target).set("x-much", "x".repeat(kib * 1024)))
}
