//! Plain requests over HTTP/2 that ask for what there is not, or that RFC 9113 calls malformed.

use super::{
    parts::{Row, ask, row},
    request::Request,
};

pub(super) const ROWS: &[Row] = &[
    row("http2-unknown-path", "GET of a path that there is not", |t, _| ask(&Request::get(t, "/no-such-path"))),
    row("http2-wrong-method", "DELETE of a path that takes GET", |t, _| {
        ask(&Request::get(t, &t.path).set(":method", "DELETE"))
    }),
    row("http2-bad-percent", "a query with %zz in it", |t, _| ask(&Request::get(t, &format!("{}?msg=%zz", t.path)))),
    row("http2-no-path", "a request without :path", |t, _| ask(&Request::get(t, "/").without(":path"))),
    row("http2-upper-case", "a field name in upper case", |t, _| ask(&Request::get(t, &t.path).set("X-Upper", "y"))),
    row("http2-connection-field", "Connection, which HTTP/2 does not have", |t, _| {
        ask(&Request::get(t, &t.path).set("connection", "keep-alive"))
    }),
    row("http2-wrong-length", "a content-length that is not the body's", |t, _| {
        ask(&Request::grpc(t).set("content-length", "99"))
    }),
];
