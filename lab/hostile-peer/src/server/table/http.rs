//! Answers of something that is not the gRPC server: a proxy, a load balancer, a web server.

use Step::{Data, Headers, LastData, Trailers};

use super::parts::{Row, fields, ok, row, trailers};
use crate::{
    frame::Fields,
    server::step::{
        Body::{Echo, Raw},
        Step, on_call,
    },
};

const HTML: &[u8] = b"<html><body><h1>not what you wanted</h1></body></html>\n";

pub(super) const ROWS: &[Row] = &[
    row("http-<200..599>-html", "HTTP <n> with a page of html", |n| {
        on_call([Headers(web(n, Some("text/html"))), LastData(Raw(HTML.into()))])
    }),
    row("http-<200..599>-empty", "HTTP <n>, headers only", |n| on_call([Trailers(web(n, None))])),
    row("http-<200..599>-grpc", "HTTP <n> around a gRPC answer: a message, and UNAVAILABLE", |n| {
        on_call([Headers(fields(n, &[])), Data(Echo), trailers(&[("grpc-status", "14")])])
    }),
    row("http-503-grpc-status-<0..16>", "HTTP 503, and grpc-status <n> in the only headers", |n| {
        let mut fields = fields(503, &[]);
        fields.push(("grpc-status", n.to_string().into()));
        on_call([Trailers(fields)])
    }),
    row("no-content-type", "the healthy answer without content-type", |_| {
        on_call([Headers(web(200, None)), Data(Echo), ok()])
    }),
    row("content-type-json", "the healthy answer with content-type application/json", |_| {
        on_call([Headers(web(200, Some("application/json"))), Data(Echo), ok()])
    }),
];

/// What a web server says.
fn web(status: u32, content_type: Option<&'static str>) -> Fields {
    let mut fields: Fields = vec![(":status", status.to_string().into())];
    fields.extend(content_type.map(|content_type| ("content-type", content_type.into())));
    fields
}
