//! `grpc-timeout` as no client should write it, and deadlines that have passed.

use super::{
    parts::{Row, ask, row},
    request::Request,
};
use crate::client::{step::Script, target::Target};

pub(super) const ROWS: &[Row] = &[
    row("timeout-abc", "grpc-timeout: abc", |t, _| within(t, "abc")),
    row("timeout-negative", "grpc-timeout: -1S", |t, _| within(t, "-1S")),
    row("timeout-plus", "grpc-timeout: +100m", |t, _| within(t, "+100m")),
    row("timeout-nine-digits", "grpc-timeout: 123456789m, one digit too many", |t, _| within(t, "123456789m")),
    row("timeout-unit-x", "grpc-timeout: 100X", |t, _| within(t, "100X")),
    row("timeout-empty", "grpc-timeout without a value", |t, _| within(t, "")),
    row("timeout-zero", "grpc-timeout: 0n, a deadline that has passed", |t, _| within(t, "0n")),
    row("timeout-tiny", "grpc-timeout: 1n, a deadline that has passed on arrival", |t, _| within(t, "1n")),
];

fn within(target: &Target, timeout: &'static str) -> Script {
    ask(&Request::grpc(target).set("grpc-timeout", timeout))
}
