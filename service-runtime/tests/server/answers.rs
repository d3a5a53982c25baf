//! What a handler answers, and what the runtime makes of it: origins, addresses, compression.

use std::convert::Infallible;

use service_runtime::{context::SERVED_BY, json::Route, origin::Origin};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::{Code, body::Body, codec::CompressionEncoding};
use tonic_types::StatusExt as _;

use crate::scripted::{LONG, ListenRequest, Receipt, config, failed, line, named, scripted, server, start};

#[tokio::test]
async fn a_bare_status_of_a_handler_gets_an_origin() {
    let running = start!(server(config(|_| {})));
    let status = running.client().await.say(scripted("bare", line(""))).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "no such room"));
    let origin = Origin::of(&status).unwrap();
    assert_eq!((origin.hop.as_str(), origin.reason.as_str()), ("chatter", "NOT_FOUND"));
    assert_eq!(status.metadata().get(SERVED_BY.as_str()).unwrap(), "chatter/1");
}

#[tokio::test]
async fn a_failure_in_the_middle_of_a_stream_has_an_origin() {
    let running = start!(server(config(|_| {})));
    let call = named(scripted("error", ListenRequest {}), "lost-in-the-middle");
    let lines = running.client().await.listen(call).await;
    let mut lines = lines.unwrap().into_inner();
    assert_eq!(lines.message().await.unwrap().unwrap().text, "one");
    assert_eq!(failed(lines.message().await), (Code::DataLoss, "DATA_LOSS".into()));
    let logged = crate::log::line_with("lost-in-the-middle").await;
    assert!(logged.starts_with("WARN "), "{logged}");
}

#[tokio::test]
async fn details_that_a_handler_made_stay() {
    let running = start!(server(config(|_| {})));
    let mut client = running.client().await;
    let status = client.say(scripted("details", line(""))).await.unwrap_err();
    assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, "name");
    assert_eq!(Origin::of(&status).unwrap().reason, "INVALID_ARGUMENT");
    let opaque = client.say(scripted("opaque", line(""))).await.unwrap_err();
    assert_eq!((opaque.code(), opaque.details()), (Code::Aborted, &b"\xff\xff"[..]));
}

#[tokio::test]
async fn a_config_can_leave_error_details_out_of_grpc_and_json_keeps_its_reason() {
    let say = Route::get("/say", "/chat.v1.Chat/Say", |_| line(""), |reply: Receipt| reply.lines.into());
    let running = start!(server(config(|config| config.error_details = false)).json([say]));
    let mut client = running.client().await;
    for script in ["bare", "details"] {
        let status = client.say(scripted(script, line(""))).await.unwrap_err();
        assert!(status.details().is_empty(), "{status:?}");
    }
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"GET /say HTTP/1.1\r\nhost: a\r\nscript: bare\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.ends_with("{\"error\":\"no such room\",\"code\":\"NOT_FOUND\",\"reason\":\"NOT_FOUND\"}\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn json_shows_of_a_message_what_can_be_decoded() {
    let latin_1 = tower::layer::layer_fn(|_inner| {
        tower::service_fn(|_: http::Request<Body>| async {
            let answer =
                http::Response::builder().header("grpc-status", "5").header("grpc-message", "caf%E9 not found");
            Ok::<_, Infallible>(answer.header("grpc-status-details-bin", "*").body(Body::empty()).unwrap())
        })
    });
    let say = Route::get("/say", "/chat.v1.Chat/Say", |_| line(""), |reply: Receipt| reply.lines.into());
    let running = start!(server(config(|_| {})).json([say]).layer(latin_1));
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"GET /say HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let body = "{\"error\":\"caf\u{fffd} not found\",\"code\":\"NOT_FOUND\",\"reason\":\"NOT_FOUND\"}\n";
    assert!(answer.starts_with("HTTP/1.1 404") && answer.ends_with(body), "{answer}");
}

#[tokio::test]
async fn a_handler_sees_both_addresses_of_its_connection() {
    let running = start!(server(config(|_| {})));
    let status = running.client().await.say(scripted("addresses", line(""))).await.unwrap_err();
    let (remote, local) = status.message().split_once(' ').unwrap();
    assert_eq!(local, running.address.to_string());
    assert!(remote.starts_with("127.0.0.1:") && remote != local, "{status:?}");
}

#[tokio::test]
async fn what_is_not_what_its_encoding_says_is_a_bad_frame() {
    let running = start!(server(config(|_| {})), Some(CompressionEncoding::Gzip));
    let mut stream = tokio::time::timeout(LONG, TcpStream::connect(running.address)).await.unwrap().unwrap();
    let status = crate::raw::call(&mut stream, &[("grpc-encoding", "gzip")], b"\x01\0\0\0\x04oops").await;
    assert_eq!(status, "13");
}
