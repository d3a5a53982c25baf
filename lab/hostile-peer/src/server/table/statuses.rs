//! A status, or what stands where one should be.

use Step::{Data, Headers, LastData, Trailers};

use super::parts::{Row, answer, fields, headers, row, trailers, trailers_only, unavailable};
use crate::server::step::{Body::Echo, Script, Step, Which, on_call};

pub(super) const ROWS: &[Row] = &[
    row("status-<1..16>", "grpc-status <n> in the only headers (Trailers-Only)", |n| {
        let mut fields = fields(200, &[("grpc-message", "on purpose")]);
        fields.push(("grpc-status", n.to_string().into()));
        on_call([Trailers(fields)])
    }),
    row("status-0", "grpc-status 0 in the only headers: OK without a message", |_| status("0")),
    row("status-17", "grpc-status 17, which is none", |_| status("17")),
    row("status-99", "grpc-status 99, which is none", |_| status("99")),
    row("status-abc", "grpc-status abc", |_| status("abc")),
    row("status-empty", "grpc-status without a value", |_| status("")),
    row("status-negative", "grpc-status -1", |_| status("-1")),
    row("status-twice", "a message, and trailers with grpc-status 0 and grpc-status 14", |_| {
        on_call([headers(), Data(Echo), trailers(&[("grpc-status", "0"), ("grpc-status", "14")])])
    }),
    row("status-5-after-message", "a message, and trailers with grpc-status 5", |_| {
        on_call([headers(), Data(Echo), trailers(&[("grpc-status", "5"), ("grpc-message", "on purpose")])])
    }),
    row("no-status", "a message, and trailers without grpc-status", |_| {
        on_call([headers(), Data(Echo), trailers(&[("x-status", "somewhere else")])])
    }),
    row("no-trailers", "a message, and the end of the stream with it", |_| on_call([headers(), LastData(Echo)])),
    row("bad-details", "grpc-status 14, and details that are not base64", |_| {
        on_call([trailers_only(&[("grpc-status", "14"), ("grpc-status-details-bin", "*** not base64 ***")])])
    }),
    row("bad-message-percent", "grpc-status 5, and a grpc-message broken after %", |_| {
        on_call([trailers_only(&[("grpc-status", "5"), ("grpc-message", "100%ZZ sure, or 5%")])])
    }),
    row("bad-message-utf8", "grpc-status 5, and a grpc-message that is not UTF-8", |_| {
        on_call([trailers_only(&[("grpc-status", "5"), ("grpc-message", "%FF%FE")])])
    }),
    row("long-message", "grpc-status 5, and a grpc-message of 7 KiB", |_| {
        let mut fields = fields(200, &[("grpc-status", "5")]);
        fields.push(("grpc-message", "on purpose ".repeat(652)[..7 * 1024].to_owned().into()));
        on_call([Trailers(fields)])
    }),
    row("big-headers", "the healthy answer with 40 KiB of headers", |_| {
        let mut fields = fields(200, &[]);
        fields.extend((0..40).map(|_| ("x-padding", "x".repeat(1024).into())));
        let mut steps = answer();
        steps[0] = Headers(fields);
        on_call(steps)
    }),
    row("pushback-20", "UNAVAILABLE: retry after 20 ms (grpc-retry-pushback-ms)", |_| pushback("20")),
    row("pushback-0", "UNAVAILABLE: retry at once", |_| pushback("0")),
    row("pushback-negative", "UNAVAILABLE: do not retry (grpc-retry-pushback-ms -1)", |_| pushback("-1")),
    row("pushback-abc", "UNAVAILABLE: retry after abc ms", |_| pushback("abc")),
    row("unavailable-once", "UNAVAILABLE for the first call; all others are healthy", |_| {
        on_call([unavailable()]).only(Which::First)
    }),
];

fn status(value: &'static str) -> Script {
    on_call([trailers_only(&[("grpc-status", value)])])
}

fn pushback(value: &'static str) -> Script {
    on_call([trailers_only(&[("grpc-status", "14"), ("grpc-retry-pushback-ms", value)])])
}
