//! Connections that crowd others out.

use super::{Row, row};
use crate::client::step::{Next, Script, Step};

pub(super) const ROWS: &[Row] = &[row(
    "one-connection-over-<1..1000>",
    "<n> healthy connections, and one more; when one of them is gone, another",
    |_, n| Script { before: n, next: Next::Grpc, ..Script::until_end([Step::Mute]) },
)];
