//! Calls of something that is not there, or in a way that is not gRPC's.

use super::{
    parts::{FIRST_STATUS, Row, ask, row},
    request::{HELLO, Request},
};
use crate::client::step::{Next, Script, Step};

pub(super) const ROWS: &[Row] =
    &[
        row("good-call", "a call as it should be: what all others are compared with", |t, _| ask(&Request::grpc(t))),
        row("unknown-service", "calls a service that there is not", |t, _| {
            ask(&Request::post(t, "/no.such.Service/Method").body(HELLO))
        }),
        row("unknown-method", "calls a method that its service does not have", |t, _| {
            let service = t.method.rsplit_once('/').map_or("", |(service, _)| service);
            ask(&Request::post(t, &format!("{service}/NoSuchMethod")).body(HELLO))
        }),
        row("no-content-type", "a call without content-type", |t, _| ask(&Request::grpc(t).without("content-type"))),
        row("content-type-json", "content-type: application/json on a gRPC path", |t, _| {
            ask(&Request::grpc(t).set("content-type", "application/json"))
        }),
        row("content-type-grpc-json", "content-type: application/grpc+json", |t, _| {
            ask(&Request::grpc(t).set("content-type", "application/grpc+json"))
        }),
        row("content-type-grpc-web", "content-type: application/grpc-web", |t, _| {
            ask(&Request::grpc(t).set("content-type", "application/grpc-web"))
        }),
        row("grpc-get", "GET on a gRPC path, with gRPC's content-type", |t, _| {
            ask(&Request::grpc(t).set(":method", "GET").body(b""))
        }),
        row("grpc-put", "PUT on a gRPC path, with gRPC's content-type", |t, _| {
            ask(&Request::grpc(t).set(":method", "PUT"))
        }),
        row("grpc-over-http1", "a gRPC call over HTTP/1.1", |t, _| {
            let fields = "Content-Type: application/grpc\r\nTE: trailers\r\nContent-Length: 12\r\n";
            let head = format!("POST {} HTTP/1.1\r\nHost: {}\r\n{fields}\r\n", t.method, t.address);
            Script::until_answer([Step::Say([head.as_bytes(), HELLO].concat())], Next::Http1)
        }),
        row("health-check-unknown", "asks grpc.health.v1 for the health of a service that there is not", |t, _| {
            ask(&Request::post(t, "/grpc.health.v1.Health/Check").body(NOBODY))
        }),
        row("health-watch-unknown", "watches the health of a service that there is not", |t, _| {
            ask(&Request::post(t, "/grpc.health.v1.Health/Watch").body(NOBODY)).watching(FIRST_STATUS)
        }),
    ];

/// A health request for the service `nobody`.
const NOBODY: &[u8] = b"\0\0\0\0\x08\x0a\x06nobody";
